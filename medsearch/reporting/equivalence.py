"""The gap between measured values and a published mean: its interval, whether it is zero, whether it is small."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from medsearch.reporting.variance_components import CONFIDENCE, ROUNDING


@dataclass(frozen=True, kw_only=True)
class Tests:
    """What the t-distribution of a gap says."""

    low: float
    high: float
    different: float
    """Two-sided p that the gap is zero."""
    apart: float
    """The larger p of the two one-sided tests that it is as large as the margin, below or above (TOST)."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Measured mean minus published value, with its standard error and degrees of freedom."""

    difference: float
    error: float
    freedom: float

    @property
    def exact(self) -> bool:
        """Whether nothing varies, so that there is nothing to test."""
        return self.error < ROUNDING

    def tests(self, margin: float) -> Tests:
        """The tests, with an interval at the project's confidence; the gap must not be `exact`."""
        from scipy.stats import t

        law = t(self.freedom, loc=self.difference, scale=self.error)
        low, high = law.interval(CONFIDENCE)
        different = min(1.0, 2 * min(law.cdf(0.0), law.sf(0.0)))
        apart = max(law.cdf(-margin), law.sf(margin))
        return Tests(low=float(low), high=float(high), different=float(different), apart=float(apart))


def from_value(values: Sequence[float], published: float) -> Gap:
    """One-sample: the mean of at least two `values` against a number taken as exact."""
    error = (variance(values) / len(values)) ** 0.5
    return Gap(difference=fmean(values) - published, error=error, freedom=len(values) - 1)


def from_summary(values: Sequence[float], *, mean: float, sd: float, n: int) -> Gap:
    """Welch: the mean of at least two `values` against a mean with the standard deviation of `n` >= 2 values."""
    ours, theirs = variance(values) / len(values), sd**2 / n
    total = ours + theirs
    spread = ours**2 / (len(values) - 1) + theirs**2 / (n - 1)
    freedom = total**2 / spread if spread else 1.0  # Welch-Satterthwaite
    return Gap(difference=fmean(values) - mean, error=total**0.5, freedom=freedom)
