"""Fronts: of trials judged by several objectives, which no other beats, and how few of them stand for all.

Scores are tuples, the higher the better in every place; who has values to be minimised changes their sign (`scored`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Scores: TypeAlias = Mapping[int, tuple[float, ...]]
"""By a trial's number."""


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
