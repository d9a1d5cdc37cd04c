"""What a staged search says: its groups and knobs as text, the answer, the warnings, and how to read the tables.

The refinement ranks without the bounds by which groups froze, so whether its best keeps them is said, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.power import forecast
from medsearch.reporting.provenance import code_line, ground_warnings, other_code, provisional
from medsearch.reporting.results import GroupResults, RefinementResults, SearchResults, StagedResults
from medsearch.reporting.search.narrative import unfinished
from medsearch.reporting.search.tables import DICE, TestedRow, best_knobs, best_trial, spread, summary
from medsearch.reporting.staged.refinement_gain import left
from medsearch.reporting.variance_components import HOW as INTERVALS
from medsearch.reporting.wording import (
    NOTHING,
    KnobName,
    counted,
    gathered,
    knob_names,
    listed,
    number,
    score,
    selection_rule,
    settings,
)
from medsearch.study.record.headers import FROZEN, Axis, Bound, Frozen

HOW = (
    "Left on the table: mean difference of {words}, its best minus the frozen point, over the test cases and seeds "
    "that both have"
)


def rows(results: StagedResults) -> tuple[TestedRow, ...]:
    """What the last search tested; "Frozen" first, where there is a refinement."""
    found = summary(results.last) if results.last else ()
    return tuple(sorted(found, key=lambda row: row.label != FROZEN))


def frozen_row(results: StagedResults) -> TestedRow | None:
    """The row of the frozen point: the refinement's own; without one, the last group's finalist that was frozen."""
    last = results.groups[-1].frozen
    if results.refinement is None:
        return next((row for row in rows(results) if last and row.trial == last.number), None)
    return next((row for row in rows(results) if row.label == FROZEN), None)


def answer(results: StagedResults) -> str:
    """What was frozen, what it is worth, and what was left on the table; or how far the study is."""
    behind = results.next
    if behind is not None:
        done = [group for group in results.groups if group.frozen]
        so_far = f"{listed(settled(results, group) for group in done)} so far; " if done else ""
        ended = progress(behind.search, behind.trials)
        return f"No answer yet: {so_far}group {behind.name!r} has ended {ended} trials."
    point = settings(results.point, names_of(results))
    tested = frozen_row(results)
    worth = ""
    if tested is not None and tested.tested.n:
        value = spread(tested.tested, metric_of(tested.leading).digits)
        worth = f", with a {full_words(tested.leading)} of {value} ({counted(tested.tested.n, 'seed')})"
    groups = counted(len(results.groups), "group")
    return f"Tuned in {groups}, {results.design.method} stands at {point}{worth}. {verdict(results)}".strip()


def verdict(results: StagedResults) -> str:
    """What the refinement says; empty without one."""
    of, found = results.refinement, left(results)
    if found is not None:
        return found.sentence
    if of is None:
        return "No refinement: what was left on the table is not known."
    ended = progress(of.search, of.trials)
    return f"What was left on the table is not known yet: the refinement has ended {ended} trials."


@gathered
def warnings(results: StagedResults) -> Iterator[str]:
    """What must stand beside the answer, not below it."""
    yield from ground_warnings(results.provenance, results.design.selection)
    if results.refused:
        yield f"{results.refused[0].upper()}{results.refused[1:]}."
    yield from other_code(results.trained)
    yield from _broken(results)
    for group in results.groups:
        yield from _doubts(group)
    last = results.refinement.search if results.refinement else None
    missing = unfinished(last) if last else ""
    yield from provisional(f"{missing} of the refinement" if missing else "")


def _doubts(group: GroupResults) -> Iterator[str]:
    """What failed of the trial that a group froze, and what came back since."""
    of = group.frozen
    if of is not None and of.failed:
        whole = "; the value is its trial's, under the first seed alone" if not of.seeds else ""
        yield f"Group {group.name} froze trial {of.number}, which failed on {counted(of.failed, 'seed')}{whole}."
    if group.overtaken:
        yield f"Group {group.name}: {group.overtaken}."


@gathered
def caption(results: StagedResults) -> Iterator[str]:
    """How to read the tables, one line per matter."""
    design = results.design
    yield (
        "Each group was searched with what the groups before it froze; knobs of later groups kept the value that the "
        "study fixed, or the method's own."
    )
    for group in results.groups:
        own = settings(group.fixed, names_of(results))
        alone = f"; for this group alone {own}" if own else ""
        yield f"{group.name}: by {tuned_by(group)}, {group.rule}{alone}."
    yield f"Model selection ({design.selection}): {selection_rule(design.selection, results.provenance.truth)}."
    yield from code_line(results.trained)
    if results.refinement is not None:
        yield (
            f"The refinement moves {counted(len(results.refinement.knobs), 'knob')} together around the frozen point, "
            f"which is its first trial: {_reach(results, results.refinement)}. It has ended "
            f"{progress(results.refinement.search, results.refinement.trials)} trials. "
            f"{HOW.format(words=full_words(next((row.leading for row in rows(results)), DICE)))}."
        )
        yield from _statistics(results)
        yield from _kept(results)


def _statistics(results: StagedResults) -> Iterator[str]:
    """What the interval of what was left is over, and how many seeds would make it tell more."""
    found = left(results)
    of = found.comparison if found else None
    if found is None or of is None or of.effect is None:
        return
    yield f"{INTERVALS}." if not of.effect.reason else f"No interval: {of.effect.reason}."
    more = forecast([of], metric_of(found.leading))
    if more:
        yield f"{more}."


def _reach(results: StagedResults, of: RefinementResults) -> str:
    """How far from the frozen point it looks, on each kind of axis that it has."""
    axes = [axis for group in results.groups for knob, axis in group.space.items() if knob in of.knobs]
    told = {
        "choice": "among all choices",
        "log": f"on logarithmic axes from 1/{number(of.factor)} to {number(of.factor)} times the frozen value",
        "even": f"on even axes over 1/{number(of.factor)} of the domain's width",
    }
    kinds = {"choice" if axis.low is None else "log" if axis.log else "even" for axis in axes}
    return listed(told[kind] for kind in ("log", "even", "choice") if kind in kinds)


def _broken(results: StagedResults) -> Iterator[str]:
    """A line for each bound that it does not keep."""
    for group, bound, value in _bounds(results):
        if value is not None and not bound.holds(value):
            yield f"The refined best{_trial(results)} is outside {group.name}'s bound: {_measured(bound, value)}."


def _kept(results: StagedResults) -> Iterator[str]:
    """A line for each bound that it keeps, or that is not measured in the refinement."""
    for group, bound, value in _bounds(results):
        if value is None:
            yield f"Bounds are not kept by the refinement: {group.name}'s {bound.metric} was not measured in it."
        elif bound.holds(value):
            yield f"The refined best{_trial(results)} is within {group.name}'s bound: {_measured(bound, value)}."


def _bounds(results: StagedResults) -> Iterator[tuple[GroupResults, Bound, float | None]]:
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


GROUP_HEADINGS = ("Group", "Frozen", "Tuned by", "Value", "Trials")
STATES = ("complete", "cut", "failed", "running")


@dataclass(frozen=True)
class KnobLine:
    """A searched knob: where it was frozen, where the refinement's best has it, and what the paper reports."""

    knob: KnobName
    group: str
    axis: Axis
    frozen: Any = None
    refined: Any = None
    published: Any = None


def names_of(results: StagedResults) -> dict[str, KnobName]:
    """The short name of every knob that the study mentions."""
    own = [knob for group in results.groups for knob in (*group.space, *group.fixed)]
    return knob_names([*results.design.weights, *own, *results.design.fixed])


def knob_lines(results: StagedResults) -> Iterator[KnobLine]:
    """Every searched knob, in the order of the groups."""
    names, point, published = names_of(results), results.point, results.design.published
    last = results.refinement.search if results.refinement else None
    found = best_knobs(last) if last and last.finalists else {}
    for group in results.groups:
        for knob, axis in group.space.items():
            yield KnobLine(names[knob], group.name, axis, point.get(knob), found.get(knob), published.get(knob))


def group_cells(results: StagedResults, group: GroupResults) -> tuple[str, ...]:
    """A group as text, under `GROUP_HEADINGS`."""
    return group.name, settled(results, group), tuned_by(group), measured(group), progress(group.search, group.trials)


def settled(results: StagedResults, group: GroupResults) -> str:
    """The knobs with their frozen values; without, the knobs alone."""
    names = names_of(results)
    if group.frozen is None:
        return f"{listed(names[knob].text for knob in group.space)}: not yet"
    return settings(group.frozen.knobs, names)


def tuned_by(group: GroupResults) -> str:
    """The metric, its stage where that is not the last one, and its direction where less is better."""
    of = f" of {group.scored_stage}" if group.scored_stage else ""
    return f"{group.metric}{of}{', lowest' if group.minimised else ''}"


def measured(group: GroupResults) -> str:
    """The metric of what was frozen; of the best so far while nothing is."""
    if group.frozen is not None:
        return f"{score(group.frozen.value)} ({_runs(group.frozen)})"
    best = best_trial(group.search) if group.search else None
    return f"{score(best.value)} so far" if best else NOTHING


def _runs(of: Frozen) -> str:
    """What the value rests on: `n=2`, `n=1 of 2, 1 failed`."""
    if not of.failed:
        return f"n={of.seeds}"
    told = f"n={of.seeds} of {of.seeds + of.failed}" if of.seeds else "the trial alone"
    return f"{told}, {of.failed} failed"


def progress(search: SearchResults | None, planned: int) -> str:
    """How many trials ended, and how."""
    if search is None:
        return f"0 of {planned}"
    states = ((len(search.in_state(state)), state) for state in STATES)  # type: ignore[arg-type]
    told = ", ".join(f"{count} {state}" for count, state in states if count and state != "complete")
    ended = sum(trial.state != "running" for trial in search.trials)
    return f"{ended} of {max(planned, ended)}{f' ({told})' if told else ''}"


def trials_of(results: StagedResults) -> str:
    """All trials of the study, in words."""
    searches = [group.search for group in results.groups] + [results.refinement and results.refinement.search]
    return counted(sum(len(search.trials) for search in searches if search), "trial")
