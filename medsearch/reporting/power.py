"""Which differences so many seeds would show, and how many seeds a difference asks for.

Forecast from the variances of seeds, cases and residual in a table's comparisons, averaged over rows and columns: two
seeds tell little of their own variance, several rows tell more. Where Holm's correction was made, a difference counts
as shown in the worst place, as the first of the family.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

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

    fewer = sum(one.fewest_seeds < seeds or one.cases < cases for one in known)
    lacking = f"; of {counted(len(known), 'comparison')}, {fewer} with fewer" if fewer else ""
    level = f"p < {ALPHA:g}{f' after Holm over {family}' if family > 1 else ''}"
    basis = f"({level}; forecast from the spread that these show{lacking})"
    begin, gap = f"With {counted(seeds, 'seed')} and {counted(cases, 'test case')}", shown(seeds)
    if metric.widest is not None and gap > metric.widest:
        begin += (
            f", no difference in {metric.words} can be shown in {POWER:.0%} of studies: it would have to be {gap:g}, "
            f"and none exceeds {metric.widest:g} {basis}"
        )
    else:  # the metric's words name its unit
        begin += f", a difference in {metric.words} of {gap:g} would be shown in {POWER:.0%} of studies {basis}"
    target = metric.margin if margin is None else margin
    if target is None:
        more = [number for number in WITHOUT_MARGIN if number > seeds]
        return f"{begin}{''.join(f'; {number} seeds one of {shown(number):g}' for number in more)}"
    if gap <= target:
        return f"{begin}, no more than the margin of {target:g}"
    if seeds < MOST and shown(MOST) <= target:
        more_seeds = range(seeds + 1, MOST)  # more seeds never show less
        enough = seeds + 1 + bisect_left(more_seeds, True, key=lambda number: shown(number) <= target)
        return f"{begin}; {enough} seeds ({enough - seeds} more) would show one of {target:g}"
    many = max(MOST, seeds)
    if shown(seeds, MOST_CASES) <= target:
        remedy = "more cases would"
    elif shown(many, MOST_CASES) <= target:
        remedy = "more seeds with more cases would"
    else:
        remedy = "neither would more cases"
    return f"{begin}; not even {many} seeds would show one of {target:g}, but {shown(many):g}: {remedy}"
