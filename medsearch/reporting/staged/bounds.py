"""Whether the refinement's best keeps the bounds by which groups froze: the refinement ranks without them."""

from collections.abc import Iterator

from medsearch.reporting.search.tables import summary
from medsearch.reporting.staged.results import Group, StagedResults
from medsearch.reporting.wording import number
from medsearch.study.record import Bound


def broken(results: StagedResults) -> Iterator[str]:
    """A line for each bound that it does not keep."""
    for group, bound, value in _bounds(results):
        if value is not None and not bound.holds(value):
            yield f"The refined best{_trial(results)} is outside {group.name}'s bound: {_measured(bound, value)}."


def kept(results: StagedResults) -> Iterator[str]:
    """A line for each bound that it keeps, or that is not measured in the refinement."""
    for group, bound, value in _bounds(results):
        if value is None:
            yield f"Bounds are not kept by the refinement: {group.name}'s {bound.metric} was not measured in it."
        elif bound.holds(value):
            yield f"The refined best{_trial(results)} is within {group.name}'s bound: {_measured(bound, value)}."


def _bounds(results: StagedResults) -> Iterator[tuple[Group, Bound, float | None]]:
    """The metric of an earlier stage is another one, though it may have the same name."""
    refined = results.refinement
    for group in results.groups if refined else ():
        if group.bound is not None and refined is not None:
            yield group, group.bound, None if group.scored_stage else refined.metrics.get(group.bound.metric)


def _trial(results: StagedResults) -> str:
    search = results.refinement.search if results.refinement else None
    best = next((row for row in summary(search) if row.kind == "best"), None) if search else None
    return f", trial {best.trial}," if best else ""


def _measured(bound: Bound, value: float) -> str:
    return f"{bound.metric} {number(value)} ({bound.words})"
