"""What is left of a staged search, before anything is done. Neither torch nor Ray nor Optuna is imported.

A search whose predecessors have frozen their knobs is planned as any other; of the ones after it only the numbers are
known, because the stages that they share with others depend on what will be frozen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from medsearch.core.machine import cores
from medsearch.study.freezing import Frozen, freeze, standing
from medsearch.study.jobs import Planner, Workplace
from medsearch.study.plan import Forecast, duration, plan
from medsearch.study.search import Search
from medsearch.study.staged import StagedSearch, refinement_of, search_of

if TYPE_CHECKING:
    from rich.table import Table


@final
@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A search of the study. forecast: None while an earlier group is not frozen, which `waits` then names.

    ended: trials that did. frozen: of a group that has ended.
    """

    search: Search
    ended: int = 0
    forecast: Forecast | None = None
    waits: str = ""
    frozen: Frozen | None = None


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
        if waits:
            yield Outlook(search=search, waits=waits)
            continue
        frozen = None
        at = standing(Planner(search, place)) if place else None
        if place and at and at.ended:
            frozen = freeze(search, group.freeze, at, place.store)
            point |= frozen.knobs
        else:
            waits = f"after group {index + 1} is frozen"
        ended = at.trials if at else 0
        yield Outlook(search=search, ended=ended, forecast=plan(search, place, slots=slots), frozen=frozen)
    if staged.refinement:
        search = refinement_of(staged, {**staged.stand_in, **point})
        ended = standing(Planner(search, place)).trials if place and not waits else 0
        forecast = None if waits else plan(search, place, slots=slots)
        yield Outlook(search=search, ended=ended, forecast=forecast, waits=waits)


def render_staged(staged: StagedSearch, outlooks: Sequence[Outlook]) -> None:
    """Print the plan."""
    from rich.console import Console

    Console().print(table(staged, outlooks))


def table(staged: StagedSearch, outlooks: Sequence[Outlook]) -> "Table":
    """The plan as a table for the terminal: a line for each group, and one for the refinement."""
    from rich.table import Table

    left = sum(one.forecast.left for one in outlooks if one.forecast)
    more = ", more after the next group is frozen" if any(one.waits for one in outlooks) else ""
    shown = Table(title=f"{staged.name}: {left} stage runs to train{more}")
    for column in ("search", "knobs", "metric", "trials", "ended", "stage runs to train", "estimate"):
        shown.add_column(column, justify="right" if column in ("trials", "ended") else "left", overflow="fold")
    for one in outlooks:
        here = one.search.settled
        name = one.search.name.removeprefix(f"{staged.name}.")
        knobs, counts = ", ".join(map(_last, here.space)), (str(here.trials), str(one.ended))
        shown.add_row(name, knobs, one.search.metric, *counts, *_rest(one))
    return shown


def _rest(of: Outlook) -> tuple[str, str]:
    if of.forecast is None:
        return of.waits, ""
    if of.frozen is not None and not of.forecast.left:
        knobs = ", ".join(f"{_last(knob)} = {_value(value)}" for knob, value in of.frozen.knobs.items())
        return f"0; frozen: {knobs}", ""
    return str(of.forecast.left), duration(of.forecast.hours) if of.forecast.left else ""


def _last(knob: str) -> str:
    return ".".join(knob.split(".")[-2:])


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
