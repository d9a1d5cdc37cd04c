"""Which differences so many seeds would show, and how many seeds a difference asks for.

Forecast from the variances of seeds, cases and residual in a table's comparisons, averaged over rows and columns: two
seeds tell little of their own variance, several rows tell more. A difference counts as shown after Holm in the worst
place, as the first of the family.
"""

from collections.abc import Callable, Sequence

import numpy as np

from medsearch.reporting.comparison import Comparison
from medsearch.reporting.equivalence import ALPHA
from medsearch.reporting.metrics import Metric
from medsearch.reporting.variance_components import POWER, detectable
from medsearch.reporting.wording import counted

MOST = 50
"""Seeds beyond which nobody is advised to go."""
WITHOUT_MARGIN = (5, 10)
"""Seeds that are spoken of where no margin says which difference matters."""


def forecast(comparisons: Sequence[Comparison], metric: Metric, margin: float | None = None) -> str:
    """One sentence; empty where no comparison knows its variances.

    margin: the difference that matters, in the metric's unit; None: the metric's own.
    """
    known = [one for one in comparisons if one.variances is not None]
    if not known:
        return ""
    variances = np.mean([np.array(one.variances) for one in known], axis=0)
    seeds, cases = min(one.fewest_seeds for one in known), min(one.cases for one in known)
    level = ALPHA / max(1, *(one.family for one in known))

    def shown(by: int) -> float:
        return detectable(variances, seeds=by, cases=cases, level=level)

    def size(difference: float) -> str:
        return f"{difference:.3g}"  # the metric's words name its unit

    wanted = metric.margin if margin is None else margin
    begin = (
        f"With {counted(seeds, 'seed')} and {counted(cases, 'test case')}, a difference in {metric.words} of "
        f"{size(shown(seeds))} would be shown in {POWER:.0%} of studies (p < {ALPHA:g} after Holm; forecast from the "
        "spread that these show)"
    )
    if wanted is None:
        more = [number for number in WITHOUT_MARGIN if number > seeds]
        return f"{begin}{''.join(f'; {number} seeds one of {size(shown(number))}' for number in more)}"
    if shown(seeds) <= wanted:
        return f"{begin}, less than the margin of {wanted:g}"
    enough = _fewest(lambda number: shown(number) <= wanted, above=seeds)
    if enough is None:
        return f"{begin}; not even {MOST} seeds would show one of {wanted:g}, but {size(shown(MOST))}: more cases would"
    return f"{begin}; {enough} seeds ({enough - seeds} more) would show one of {wanted:g}"


def _fewest(enough: Callable[[int], bool], *, above: int) -> int | None:
    """The smallest number of seeds that is enough, up to `MOST`; more of them are never less."""
    if above >= MOST or not enough(MOST):
        return None
    low, high = above, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
