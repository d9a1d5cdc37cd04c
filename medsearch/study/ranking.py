"""Which trials are the best: by value; where several objectives are weighed, front by front, each spread out.

Several objectives have no best trial but a front: the trials that no other beats in all of them. So finalists are
taken from the front, first the best in the first objective, then always the one farthest from those taken, so that
they stand for the whole of it and not for one end; what is left of them comes from the next front, taken likewise.
"""

from collections.abc import Collection, Mapping
from typing import Any

from medsearch.core.recipes import fingerprint
from medsearch.study.fronts import Scores, fronts, scored, spread_out
from medsearch.study.search import Search


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
    several = len(search.objectives) > 1
    groups = ({n: of for n, of in scores.items() if (n in last) == late} for late in (False, True))
    best: dict[str, int] = {}
    for group in groups:
        for number in _by_front(group) if several else _by_value(group):
            best.setdefault(fingerprint(knobs[number]), number)
    return tuple(best.values())


def _by_value(scores: Scores) -> tuple[int, ...]:
    return tuple(sorted(scores, key=lambda number: (tuple(-score for score in scores[number]), number)))


def _by_front(scores: Scores) -> tuple[int, ...]:
    return tuple(number for front in fronts(scores) for number in spread_out(front, scores))
