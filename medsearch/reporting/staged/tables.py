"""The lines of a staged search's tables, as text: its groups, its knobs, and the rows that the refinement tested."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.tables import best_knobs, best_trial
from medsearch.reporting.staged.results import Group, StagedResults
from medsearch.reporting.wording import NOTHING, KnobName, counted, knob_names, listed, score, settings
from medsearch.study.record import Axis, Frozen

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
    found = _refined(results)
    for group in results.groups:
        for knob, axis in group.space.items():
            yield KnobLine(names[knob], group.name, axis, point.get(knob), found.get(knob), published.get(knob))


def group_cells(results: StagedResults, group: Group) -> tuple[str, ...]:
    """A group as text, under `GROUP_HEADINGS`."""
    return group.name, settled(results, group), tuned_by(group), measured(group), progress(group.search, group.trials)


def settled(results: StagedResults, group: Group) -> str:
    """The knobs with their frozen values; without, the knobs alone."""
    names = names_of(results)
    if group.frozen is None:
        return f"{listed(names[knob].text for knob in group.space)}: not yet"
    return settings(group.frozen.knobs, names)


def tuned_by(group: Group) -> str:
    """The metric, its stage where that is not the last one, and its direction where less is better."""
    of = f" of {group.scored_stage}" if group.scored_stage else ""
    return f"{group.metric}{of}{', lowest' if group.minimised else ''}"


def measured(group: Group) -> str:
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


def _refined(results: StagedResults) -> dict[str, Any]:
    of = results.refinement
    return best_knobs(of.search) if of and of.search and of.search.finalists else {}
