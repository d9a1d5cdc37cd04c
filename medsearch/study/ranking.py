"""Which trials are the best: by value, or by how few others beat them where several objectives are weighed."""

from collections.abc import Collection, Mapping
from typing import Any

from medsearch.core.recipes import fingerprint
from medsearch.study.search import Search


def ranking(
    search: Search,
    values: Mapping[int, tuple[float, ...]],
    knobs: Mapping[int, Mapping[str, Any]],
    *,
    last: Collection[int] = (),
) -> tuple[int, ...]:
    """Complete trials, best first, each configuration once; with several objectives front by front.

    last: trials that come after all others.
    """
    signs = [1.0 if direction == "maximize" else -1.0 for direction in search.objectives.values()]
    scores = {n: tuple(s * v for s, v in zip(signs, found, strict=False)) for n, found in values.items()}
    best: dict[str, int] = {}
    for number in sorted(scores, key=lambda n: (n in last, _beaten(scores, n), tuple(-s for s in scores[n]), n)):
        best.setdefault(fingerprint(knobs[number]), number)
    return tuple(best.values())


def _beaten(scores: Mapping[int, tuple[float, ...]], number: int) -> int:
    """How many trials are at least as good in every objective and better in one."""
    mine = scores[number]
    if len(mine) == 1:
        return 0
    return sum(other != mine and all(o >= m for o, m in zip(other, mine, strict=True)) for other in scores.values())
