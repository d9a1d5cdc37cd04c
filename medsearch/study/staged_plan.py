"""What is left of a staged search, before anything is done. Neither torch nor Ray nor Optuna is imported.

A search whose predecessors have frozen their knobs is planned as any other; of the ones after it only the numbers are
known, because the stages that they share with others depend on what will be frozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from medsearch.core.machine import cores
from medsearch.core.terminal import say, show
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.engine.jobs import StudyEnvironment
from medsearch.study.engine.staged_status import GroupStatus, staged_status
from medsearch.study.plan import Forecast, duration
from medsearch.study.record.headers import Frozen
from medsearch.study.search_plan import plan_search

if TYPE_CHECKING:
    from rich.table import Table


@final
@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A search of the study. forecast: None where nothing can be said yet, because of `waits` or `refused`.

    ended: trials that did. waits: which group must be frozen before it. frozen: of a group that has ended.
    refused: why it may not go on, or why its group cannot be frozen.
    """

    search: Search
    ended: int = 0
    forecast: Forecast | None = None
    waits: str = ""
    frozen: Frozen | None = None
    refused: str = ""


def plan_staged(
    staged: StagedSearch, environment: StudyEnvironment | None = None, *, slots: int | None = None
) -> tuple[Outlook, ...]:
    """The plan of each search of `staged`, given what its ledgers and the store hold now."""
    return tuple(_outlook(part, environment, slots or cores()) for part in staged_status(staged, environment))


def _outlook(part: GroupStatus, environment: StudyEnvironment | None, slots: int) -> Outlook:
    return Outlook(
        search=part.search,
        ended=part.at.trials,
        forecast=None if part.waits or part.foreign else plan_search(part.search, environment, slots=slots),
        waits=part.waits,
        frozen=part.frozen,
        refused=f"refused: its folder {part.foreign}" if part.foreign else _untold(part),
    )


def _untold(part: GroupStatus) -> str:
    """Why nothing can be frozen, without the name that its row begins with."""
    return str(part.refusal or "").removeprefix(f"study {part.search.name!r} ")


def render_staged(staged: StagedSearch, outlooks: Sequence[Outlook]) -> None:
    """Print the plan."""
    show(table(staged, outlooks))
    for note in dict.fromkeys(note for one in outlooks if one.forecast for note in one.forecast.notes):
        say(note)


def table(staged: StagedSearch, outlooks: Sequence[Outlook]) -> "Table":
    """The plan as a table for the terminal: a line for each group, and one for the refinement."""
    from rich.table import Table

    left = sum(one.forecast.left for one in outlooks if one.forecast)
    more = ", and more once groups are frozen" if any(one.waits for one in outlooks) else ""
    shown = Table(title=f"{staged.name}: {left} stage runs to train{more}")
    for column in ("search", "knobs", "metric", "trials", "to train", "estimate"):
        shown.add_column(column, justify="right" if column == "trials" else "left", overflow="fold")
    for one in outlooks:
        name = one.search.name.removeprefix(f"{staged.name}.")
        trials = f"{one.ended} of {one.search.resolved.trials}"
        shown.add_row(name, _knobs(staged, one), one.search.metric, trials, *_rest(one))
    return shown


def _knobs(staged: StagedSearch, of: Outlook) -> str:
    """What is searched, with the value of what is frozen; by last names, where these tell knobs apart."""
    lasts = [knob.rpartition(".")[2] for knob in staged.domains]
    frozen = of.frozen.knobs if of.frozen else {}
    told = []
    for knob in of.search.resolved.space:
        last = knob.rpartition(".")[2]
        name = last if lasts.count(last) == 1 else knob
        told.append(f"{name} = {_value(frozen[knob])}" if knob in frozen else name)
    return ", ".join(told)


def _rest(of: Outlook) -> tuple[str, str]:
    if of.refused or of.forecast is None:
        return of.refused or of.waits, ""
    left = of.forecast.left
    frozen = f", frozen at trial {of.frozen.number}" if of.frozen else ""
    return f"{left} stage run{'' if left == 1 else 's'}{frozen}", duration(of.forecast.hours) if left else ""


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
