"""Which differences so many seeds would show, and how many seeds a difference asks for.

Forecast from the variances of seeds, cases and residual in a table's comparisons, averaged over rows and columns: two
seeds tell little of their own variance, several rows tell more. Where Holm's correction was made, a difference counts
as shown in the worst place, as the first of the family.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import Metric
from medsearch.reporting.variance_components import ALPHA, POWER, detectable
from medsearch.reporting.wording import counted

MOST, MOST_CASES = 50, 1000
"""Seeds and test cases beyond which nobody is advised to go."""
WITHOUT_MARGIN = (5, 10)
"""Seeds that are spoken of where no margin says which difference matters."""
DIGITS = 3
"""Significant digits of a forecast difference."""


def forecast(comparisons: Sequence[Comparison], metric: Metric, margin: float | None = None) -> str:
    """One sentence; empty where no comparison knows its variances.

    It is about the number of seeds and cases that most comparisons have, and says how many have fewer.

    margin: the difference that matters, in the metric's unit; None: the metric's own.
    """
    known = [one for one in comparisons if one.variances is not None]
    if not known:
        return ""
    variances = [one.variances for one in known if one.variances is not None]
    of_seeds, of_cases, residual = (float(value) for value in np.mean(variances, axis=0))
    counts = Counter((one.fewest_seeds, one.cases) for one in known)
    seeds, cases = max(counts, key=lambda size: (counts[size], size))
    family = max(1, *(one.family for one in known))

    def shown(by: int, over: int = cases) -> float:
        """To the digits that are told, so that what is told beside the margin is what was compared with it."""
        least = detectable((of_seeds, of_cases, residual), seeds=by, cases=over, level=ALPHA / family)
        return float(f"{least:.{DIGITS}g}")

    wanted = metric.margin if margin is None else margin
    begin = _begin(known, metric, size=(seeds, cases), shown=shown(seeds))
    if wanted is None:
        more = [number for number in WITHOUT_MARGIN if number > seeds]
        return f"{begin}{''.join(f'; {number} seeds one of {shown(number):g}' for number in more)}"
    if shown(seeds) <= wanted:
        return f"{begin}, no more than the margin of {wanted:g}"
    enough = _fewest(lambda number: shown(number) <= wanted, above=seeds)
    if enough is not None:
        return f"{begin}; {enough} seeds ({enough - seeds} more) would show one of {wanted:g}"
    many = max(MOST, seeds)
    if shown(seeds, MOST_CASES) <= wanted:
        remedy = "more cases would"
    elif shown(many, MOST_CASES) <= wanted:
        remedy = "more seeds with more cases would"
    else:
        remedy = "neither would more cases"
    return f"{begin}; not even {many} seeds would show one of {wanted:g}, but {shown(many):g}: {remedy}"


def _begin(known: Sequence[Comparison], metric: Metric, *, size: tuple[int, int], shown: float) -> str:
    """What so many seeds and cases show, at which level, and how many comparisons have fewer."""
    seeds, cases = size
    family = max(one.family for one in known)
    fewer = sum(one.fewest_seeds < seeds or one.cases < cases for one in known)
    lacking = (
        f"; {fewer} of {counted(len(known), 'comparison')} {'have' if fewer > 1 else 'has'} fewer" if fewer else ""
    )
    level = f"p < {ALPHA:g}{f' after Holm over {family}' if family > 1 else ''}"
    told = f"({level}; forecast from the spread that these show{lacking})"
    begin = f"With {counted(seeds, 'seed')} and {counted(cases, 'test case')}"
    if metric.widest is not None and shown > metric.widest:
        none = f"no difference in {metric.words} can be shown in {POWER:.0%} of studies"
        return f"{begin}, {none}: it would have to be {shown:g}, and none exceeds {metric.widest:g} {told}"
    # the metric's words name its unit
    return f"{begin}, a difference in {metric.words} of {shown:g} would be shown in {POWER:.0%} of studies {told}"


def _fewest(enough: Callable[[int], bool], *, above: int) -> int | None:
    """The smallest number of seeds that is enough, up to `MOST`; more of them are never less."""
    if above >= MOST or not enough(MOST):
        return None
    low, high = above, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
