"""Which trials are the best: by value; where several objectives are weighed, front by front, each spread out.

Several objectives have no best trial but a front: the trials that no other beats in all of them. So finalists are
taken from the front, first the best in the first objective, then always the one farthest from those taken, so that
they stand for the whole of it and not for one end; what is left of them comes from the next front, taken likewise.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from medsearch.core.errors import StudyFailed
from medsearch.core.recipes import fingerprint
from medsearch.stages.store import Store
from medsearch.study.declare.rules import Metrics, RankedTrial
from medsearch.study.declare.search import Search
from medsearch.study.record.ledger import RunRecord

Scores: TypeAlias = Mapping[int, tuple[float, ...]]
"""By a trial's number, a value for each objective, the higher the better: those to be minimised change their sign."""


def scored(values: Iterable[float], directions: Iterable[str]) -> tuple[float, ...]:
    """`values` as scores, under the `directions` ("maximize" or "minimize") of the objectives."""
    pairs = zip(values, directions, strict=False)
    return tuple(value if direction == "maximize" else -value for value, direction in pairs)


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether `one` is at least as good in every objective, and better in one."""
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


def fronts(scores: Scores) -> tuple[tuple[int, ...], ...]:
    """Non-dominated sorting: the trials that none beats, those that only these beat, and so on; each by number."""
    level: dict[int, int] = {}
    for number in sorted(scores, key=lambda n: tuple(-score for score in scores[n])):  # who beats it comes before it
        above = (at for other, at in level.items() if dominates(scores[other], scores[number]))
        level[number] = 1 + max(above, default=-1)
    return tuple(tuple(sorted(n for n in level if level[n] == at)) for at in range(1 + max(level.values(), default=-1)))


def spread_out(front: Iterable[int], scores: Scores) -> tuple[int, ...]:
    """A front in the order in which its trials stand for it: any number of the first ones is spread along it.

    The first is the best in the first objective; each next one is farthest from those before it, objectives scaled to
    the front's width. Of two objectives the second is thus the other end. Of equals the lower number comes first.
    """
    left = sorted(front)
    columns = zip(*(scores[number] for number in left), strict=True)
    widths = [max(column) - min(column) or 1.0 for column in columns]
    placed = {n: tuple(score / width for score, width in zip(scores[n], widths, strict=True)) for n in left}
    chosen: list[int] = []
    while left:
        gaps = {n: min((math.dist(placed[n], placed[other]) for other in chosen), default=placed[n][0]) for n in left}
        chosen.append(max(left, key=lambda n: (gaps[n], -n)))
        left.remove(chosen[-1])
    return tuple(chosen)


def ranking(
    search: Search,
    values: Mapping[int, tuple[float, ...]],
    knobs: Mapping[int, Mapping[str, Any]],
    *,
    last: Collection[int] = (),
) -> tuple[int, ...]:
    """Complete trials, best first, each configuration once; with several objectives front by front.

    A trial of an earlier version, of which only the first value was kept, has no place among several.

    last: trials that come after all others.
    """
    whole = (number for number in sorted(values) if len(values[number]) == len(search.objectives))
    scores = {number: scored(values[number], search.objectives.values()) for number in whole}
    best: dict[str, int] = {}
    for late in (False, True):
        group = {number: score for number, score in scores.items() if (number in last) == late}
        order = sorted(group, key=lambda number: (tuple(-score for score in scores[number]), number))
        if len(search.objectives) > 1:
            order = [number for front in fronts(group) for number in spread_out(front, group)]
        for number in order:
            best.setdefault(fingerprint(knobs[number]), number)
    return tuple(best.values())


def metrics_of(search: Search, store: Store) -> Metrics:
    """What reads the metrics of a run of the search: its objectives, and what its scored stage measured beside them."""

    def metrics(run: RunRecord) -> Mapping[str, float]:
        scored = store.artifact(dict(run.stages)[search.scored(search.setup(run.knobs))])
        return {**scored.metrics, **dict(zip(search.objectives, run.values, strict=False))}

    return metrics


def disallowed_trials(search: Search, runs: Iterable[RunRecord], store: Store) -> frozenset[int]:
    """The complete trials that the search's freeze rule does not allow, each by its own metrics.

    None where it is not known: freezing says then what is amiss.
    """
    rule, metrics = search.freeze, metrics_of(search, store)
    if rule is None or not search.resolved.finalists:
        return frozenset()
    trials = [run for run in runs if run.role == "trial" and run.state == "complete" and run.value is not None]
    try:
        return frozenset(int(run.number or 0) for run in trials if not rule.allows(RankedTrial(trial=run), metrics))
    except StudyFailed:
        return frozenset()
