"""What is left of a staged search, before anything is done. Neither torch nor Ray nor Optuna is imported.

A search whose predecessors have frozen their knobs is planned as any other; of the ones after it only the numbers are
known, because the stages that they share with others depend on what will be frozen.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from medsearch.core.machine import cores
from medsearch.study.freezing import Frozen, freeze, standing
from medsearch.study.jobs import Planner, Workplace
from medsearch.study.plan import Forecast, duration, plan
from medsearch.study.search import Search
from medsearch.study.staged import StagedSearch, refinement_of, search_of
from medsearch.study.staged_header import moved

if TYPE_CHECKING:
    from rich.table import Table


@final
@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A search of the study. forecast: None while an earlier group is not frozen, which `waits` then names.

    ended: trials that did. frozen: of a group that has ended. moved: the frozen values on which its folder does not
    stand, so that it would be refused.
    """

    search: Search
    ended: int = 0
    forecast: Forecast | None = None
    waits: str = ""
    frozen: Frozen | None = None
    moved: str = ""


def plan_staged(
    staged: StagedSearch, place: Workplace | None = None, *, slots: int | None = None
) -> tuple[Outlook, ...]:
    """The plan of each search of `staged`, given what its ledgers and the store hold now.

    Raises:
        StudyFailed: a group has ended, and its freeze rule allows none of its trials.

    """
    return tuple(_outlooks(staged, place, slots or cores()))


def _outlooks(staged: StagedSearch, place: Workplace | None, slots: int) -> Iterator[Outlook]:
    point: dict[str, Any] = {}
    waits = ""
    for index, group in enumerate(staged.groups):
        search = search_of(staged, index, {**staged.stand_in, **point})
        one = _outlook(staged, search, place, slots, waits)
        if place and not waits and not one.moved and (at := standing(Planner(search, place))).ended:
            frozen = freeze(search, group.freeze, at, place.store)
            point |= frozen.knobs
            yield replace(one, frozen=frozen)
            continue
        waits = f"after group {index + 1} is frozen"
        yield one
    if staged.refinement:
        yield _outlook(staged, refinement_of(staged, {**staged.stand_in, **point}), place, slots, waits)


def _outlook(staged: StagedSearch, search: Search, place: Workplace | None, slots: int, waits: str) -> Outlook:
    return Outlook(
        search=search,
        ended=standing(Planner(search, place)).trials if place else 0,
        forecast=None if waits else plan(search, place, slots=slots),
        waits=waits,
        moved=moved(staged, search, place) if place and not waits else "",
    )


def render_staged(staged: StagedSearch, outlooks: Sequence[Outlook]) -> None:
    """Print the plan; a log has no width of its own."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 120).print(table(staged, outlooks))


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
        trials = f"{one.ended} of {one.search.settled.trials}"
        shown.add_row(name, _knobs(staged, one), one.search.metric, trials, *_rest(one))
    return shown


def _knobs(staged: StagedSearch, of: Outlook) -> str:
    """What is searched, with the value of what is frozen; by last names, where these tell knobs apart."""
    lasts = [knob.rpartition(".")[2] for knob in staged.domains]
    frozen = of.frozen.knobs if of.frozen else {}
    told = []
    for knob in of.search.settled.space:
        last = knob.rpartition(".")[2]
        name = last if lasts.count(last) == 1 else knob
        told.append(f"{name} = {_value(frozen[knob])}" if knob in frozen else name)
    return ", ".join(told)


def _rest(of: Outlook) -> tuple[str, str]:
    if of.forecast is None:
        return of.waits, ""
    if of.moved:
        return f"refused: its folder was begun with other frozen values ({of.moved})", ""
    left = of.forecast.left
    frozen = f", frozen at trial {of.frozen.number}" if of.frozen else ""
    return f"{left} stage run{'' if left == 1 else 's'}{frozen}", duration(of.forecast.hours) if left else ""


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
