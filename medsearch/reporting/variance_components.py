"""What a mean over seeds and test cases says of other seeds and other cases.

A (seeds, cases) table is taken as

    d[s, c] = mean + seed[s] + case[c] + residual[s, c]

with seeds and cases as crossed random effects: seeds were drawn, cases were drawn, and each has a variance that nobody
knows. The variance of the table's mean is then a sum of mean squares, for S seeds and K cases without a gap

    Var(mean) = (MS_seeds + MS_cases - MS_residual) / (S K)

and for a table with gaps the same with other weights (Henderson's method III: each effect's sum of squares after the
other's, its expectation from the traces). Intervals and p are Weerahandi's generalized ones (Journal of the American
Statistical Association 88, 1993): each mean square is its expectation times chi2 / degrees of freedom, so the variance
is what its mean squares, divided by draws of that, come to; with one mean square alone that is Student's t. With gaps
the mean squares of seeds and cases are chi2 only approximately, and not independent. The draws are a fixed Sobol
sequence, dense where mean squares come out far too small: the same table gives the same numbers, and p < level is the
same as 0 outside the interval at that level.

In simulation (`python -m tests.benchmarks.coverage`, rows of the same seeds) a true null is rejected at 5 % in 0.3 to
6 % of studies and intervals cover 94 to 99.7 %: most where cases dominate over two or three seeds, for which they are
too wide. With gaps and with seeds of their own they are wider still, up to no rejection at all with two seeds.

Others were measured by the same benchmark and hold less. Satterthwaite's degrees of freedom from the
same mean squares reject a true null in up to 14 % of studies with two seeds: with one degree of freedom the seeds' mean
square is often far too small, and what is too small also counts as known well. The percentile bootstrap of seeds and
cases rejects in up to 42 %. statsmodels' MixedLM has no degrees of freedom for its variances, so its intervals
are normal ones.

    found = crossed(table, case_weights(np.isfinite(table)))      # None where the table cannot tell
    found.mean, found.half_width(), found.p()
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
CONFIDENCE = 1 - ALPHA
POWER = 0.8
"""How often a difference that `detectable` names would be shown."""
POINTS = 1024
"""Of the Sobol sequence."""
HOW = (
    f"{CONFIDENCE:.0%} intervals: where the mean over all seeds and test cases that there could be is likely to lie, "
    "not these alone (Weerahandi's generalized interval, seeds and cases as crossed random effects)"
)
"""A sentence for captions."""
ONE_SEED = "one seed says nothing of how a method varies between seeds"

ROUNDING = 1e-9
"""Standard errors below this are rounding."""
STEPS, CLOSE = 100, 1e-10
"""Of the search for an interval's ends, and how near they are, as a share of it."""
SMALLEST = float(np.finfo(np.float64).tiny)
"""A p that is rounded to 0 is said to be this."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


Basis = Literal["", "own seeds", "nothing shared"]
"""Over what two rows were compared, if not over the seeds and cases that both have."""


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval; without one where seeds or cases do not allow it."""

    estimate: float
    low: float | None = None
    high: float | None = None
    cases: int = 0  # that both rows share
    reason: str = ""  # why no interval is shown; empty if one is, or none is needed
    wide: bool = False  # whether that is because it is too wide to say anything; it may have its ends all the same
    basis: Basis = ""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Both ends; None where there is no interval, or one so wide that it is not shown."""
        return None if self.low is None or self.high is None or self.reason else (self.low, self.high)


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """A mean with the mean squares of which its variance is the weighted sum.

    Leading axes are tables with gaps at the same places: mean (...), squares (..., terms), weights (terms,).
    """

    mean: Floats
    squares: Floats
    weights: Floats
    freedom: tuple[int, ...]
    """Degrees of freedom of each mean square."""
    variances: Floats | None = None
    """(..., 3): of seeds, cases and residual, unbiased and so perhaps below 0; None where seeds are of two rows."""

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Whether nothing varies, so that there is nothing to test, (...)."""
        return np.asarray(np.sqrt(np.abs(self.squares * self.weights).sum(axis=-1)) < ROUNDING)

    def p(self, null: float | Floats = 0.0) -> Floats:
        """Two-sided p that the mean is `null`, (...); NaN where nothing varies."""
        from scipy.special import ndtr

        errors, share = self._errors
        away = np.abs(np.asarray(self.mean - null))[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 2 * ndtr(-away / errors) @ share
        return np.where(self.exact, np.nan, np.clip(found, SMALLEST, 1.0))

    def half_width(self, level: float = ALPHA) -> Floats:
        """Of the interval that misses the mean in `level` of studies, (...): where `p` of its ends is `level`."""
        from scipy.special import ndtr

        errors, share = self._errors
        errors = np.where(self.exact[..., None], 1.0, errors)
        width = np.log(errors) @ share
        low, high = width - np.inf, width + np.inf
        for _ in range(STEPS):  # Newton's, of logarithms: straight in a t's tail, and short in a normal one
            scaled = np.exp(width)[..., None] / errors
            outside = np.maximum(2 * ndtr(-scaled) @ share, SMALLEST)
            low, high = np.where(outside > level, width, low), np.where(outside > level, high, width)
            slope = 2 * (scaled * np.exp(-(scaled**2) / 2) @ share) / np.sqrt(2 * np.pi) / outside
            step = np.clip(np.log(outside / level) / np.maximum(slope, SMALLEST), -2, 2)
            with np.errstate(invalid="ignore"):  # between ends that are not known
                halved = (low + high) / 2 - width
            inside = (low < width + step) & (width + step < high)
            step = np.where(inside | (np.abs(step) < CLOSE), step, halved)
            width = width + step
            if np.all(np.abs(step) < CLOSE):
                break
        return np.where(self.exact, 0.0, np.exp(width))

    @property
    def _errors(self) -> tuple[Floats, Floats]:
        """Standard errors of the mean for draws of the mean squares' scatter, (..., POINTS), and the draws' shares.

        A difference of draws may be below what the residual alone gives, which no variance is: it is at least the
        largest of its parts, that of the residual counted as positive.
        """
        scatter, share = _scatter(self.freedom, tuple(self.weights > 0))
        parts = (self.squares * self.weights)[..., None, :] * scatter
        return np.sqrt(np.maximum(parts.sum(axis=-1), np.abs(parts).max(axis=-1))), share


def crossed(table: Floats, weights: Floats) -> Estimate | None:
    """The weighted mean of (..., seeds, cases), in which every seed and every case has a value; NaN is no value.

    `weights` (seeds, cases) sum to 1 and are 0 where there is no value. None for fewer than two seeds or cases, and
    where gaps leave nothing to tell seeds, cases and residual apart by.
    """
    here = _here(table)
    seeds, cases, total = *here.shape, int(here.sum())
    freedom = (seeds - 1, cases - 1, total - seeds - cases + 1)
    by_seed, by_case = here.sum(axis=1), here.sum(axis=0)
    if min(freedom) < 1 or not by_seed.all() or not by_case.all():
        return None
    shared = np.diag(by_seed) - here @ (here / by_case).T  # of seeds, after cases; a graph's Laplacian
    if np.linalg.matrix_rank(shared) < seeds - 1:
        return None
    values = np.where(here, table, 0.0)
    mean = (values * weights).sum(axis=(-2, -1))
    values = np.where(here, values - mean[..., None, None], 0.0)  # what is squared below is small then
    after_cases = np.where(here, values - (values.sum(axis=-2) / by_case)[..., None, :], 0.0)
    after_seeds = np.where(here, values - (values.sum(axis=-1) / by_seed)[..., None], 0.0)
    of_seeds = after_cases.sum(axis=-1)
    squares_seeds = np.einsum("...s,st,...t->...", of_seeds, np.linalg.pinv(shared), of_seeds)
    squares_residual = np.maximum((after_cases**2).sum(axis=(-2, -1)) - squares_seeds, 0.0)
    squares_cases = np.maximum((after_seeds**2).sum(axis=(-2, -1)) - squares_residual, 0.0)
    squares = np.stack([squares_seeds, squares_cases, squares_residual], axis=-1) / freedom
    times = np.array([(total - cases) / freedom[0], (total - seeds) / freedom[1]])
    """How often a seed's and a case's variance are in the expectation of its mean square, beside the residual's."""
    share = np.array([(weights.sum(axis=1) ** 2).sum(), (weights.sum(axis=0) ** 2).sum()]) / times
    return Estimate(
        mean=mean,
        squares=squares,
        weights=np.array([*share, (weights**2).sum() - share.sum()]),
        freedom=freedom,
        variances=np.concatenate([(squares[..., :2] - squares[..., 2:]) / times, squares[..., 2:]], axis=-1),
    )


def apart(ours: Floats, theirs: Floats) -> Estimate | None:
    """The mean of `ours` minus that of `theirs`: the same cases, seeds of each row's own, no gaps.

    ours (..., seeds, cases), theirs (..., other seeds, cases). None for fewer than two cases, or seeds of either row.
    Which of the two comes first changes nothing but the sign.
    """
    cases = ours.shape[-1]
    rows = sorted((ours, theirs), key=lambda row: -row.shape[-2])
    if cases < 2 or rows[1].shape[-2] < 2:
        return None
    by_case = ours.mean(axis=-2) - theirs.mean(axis=-2)
    squares, weights, freedom = [by_case.var(axis=-1, ddof=1)], [1 / cases], [cases - 1]
    for row in rows:
        seeds = row.shape[-2]
        found = crossed(row, np.full((seeds, cases), 1 / (seeds * cases)))
        assert found is not None
        # each case's difference holds its residuals already
        squares += [found.squares[..., 0], found.squares[..., 2]]
        weights += [1 / (seeds * cases), -1 / (seeds * cases)]
        freedom += [found.freedom[0], found.freedom[2]]
    if rows[0].shape == rows[1].shape:  # which has which draws is decided by size, as it must be by something
        squares[1::2], squares[2::2] = (list(np.sort(squares[first::2], axis=0)) for first in (1, 2))
    return Estimate(
        mean=by_case.mean(axis=-1),
        squares=np.stack(squares, axis=-1),
        weights=np.array(weights),
        freedom=tuple(freedom),
    )


def difference(ours: Floats, theirs: Floats) -> Estimate | None:
    """The mean of `ours` minus that of `theirs`, rows of the same seeds and cases, (..., seeds, cases) each.

    NaN is no value; what one row lacks is left out of the other. A case's mean over its seeds counts as one.
    """
    table = ours - theirs
    return crossed(table, case_weights(_here(table)))


def log_ratio(ours: Floats, theirs: Floats) -> Estimate | None:
    """The logarithm of the mean of `ours` over that of `theirs`, which must both be positive; as `difference`."""
    here = _here(ours - theirs)
    weights = case_weights(here)
    return crossed(_logarithms(ours, weights, here) - _logarithms(theirs, weights, here), weights)


def log_ratio_apart(ours: Floats, theirs: Floats) -> Estimate | None:
    """As `log_ratio`, of rows of other seeds; as `apart`."""
    every = (case_weights(np.ones(row.shape[-2:], dtype=np.bool_)) for row in (ours, theirs))
    return apart(*(_logarithms(row, w, w > 0) for row, w in zip((ours, theirs), every, strict=True)))


def log_mean_ratio(ours: Floats, theirs: Floats) -> Estimate | None:
    """The logarithm of the mean over seeds of each seed's ratio of the rows' means over cases; as `difference`."""
    here = _here(ours - theirs)
    weights = here / here.sum(axis=1, keepdims=True) / here.shape[0]  # of a mean over seeds of each one's over cases
    above, below = ((np.where(here, row, 0.0) * weights).sum(axis=-1, keepdims=True) for row in (ours, theirs))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = above / below  # (..., seeds, 1)
        table = ratios + (ours - ratios * theirs) / (below * here.shape[0])  # whose means over cases are the ratios
    return crossed(_logarithms(table, weights, here), weights)


def _logarithms(table: Floats, weights: Floats, here: Mask) -> Floats:
    """A table whose weighted mean is the logarithm of the mean of `table`, to first order in its scatter."""
    mean = (np.where(here, table, 0.0) * weights).sum(axis=(-2, -1), keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(here, table / mean - 1 + np.log(mean), np.nan))


def _here(table: Floats) -> Mask:
    """Where tables have values, which is the same in all of them."""
    return np.asarray(np.isfinite(table.reshape(-1, *table.shape[-2:])[0]))


def case_weights(here: Mask) -> Floats:
    """Of a mean over cases of each case's mean over the seeds that have it; (seeds, cases)."""
    return np.asarray(here / here.sum(axis=0) / here.shape[1])


@lru_cache(maxsize=1024)
def detectable(variances: tuple[float, float, float], *, seeds: int, cases: int, level: float = ALPHA) -> float:
    """The difference that so many seeds and cases, at least two each, show at `level` in `POWER` of studies.

    Over the half-widths that such studies come to: where few seeds make them vary, their mean says too little.

    variances: of seeds, cases and residual, as `Estimate` has them; those below 0 count as 0, but not all three.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    of_seeds, of_cases, residual = (max(float(value), 0.0) for value in variances)
    expected = np.array([cases * of_seeds + residual, seeds * of_cases + residual, residual])
    weights = np.array([1.0, 1.0, -1.0]) / (seeds * cases)
    freedom = (seeds - 1, cases - 1, (seeds - 1) * (cases - 1))
    error = float(np.sqrt((expected * weights).sum()))
    scatter, share = _scatter(freedom, tuple(weights > 0), POINTS // 4)
    studies = Estimate(mean=np.zeros(len(share)), squares=expected / scatter, weights=weights, freedom=freedom)
    widths = studies.half_width(level)

    def shown(difference: float) -> float:
        return float(ndtr((difference - widths) / error) @ share) - POWER

    return float(brentq(shown, 0.0, widths.max() + 10 * error, rtol=1e-4))


@lru_cache(maxsize=256)
def _scatter(freedom: tuple[int, ...], widening: tuple[bool, ...], points: int = POINTS) -> tuple[Floats, Floats]:
    """Degrees of freedom over draws of chi2, (points, terms), and each draw's share of the whole, (points,).

    Small p are made where a mean square of few degrees of freedom is far too small. Draws of those that widen the
    interval (`widening`) lie densely there, each with a smaller share: chi2 is at the quantile u^k of a uniform u,
    and k u^(k-1) is the share.
    """
    from scipy.special import gammaincinv
    from scipy.stats import qmc

    of = np.array(freedom)
    power = np.where(widening, np.select([of <= 2, of <= 20], [3, 2], 1), 1)
    places = qmc.Sobol(len(freedom), rng=np.random.default_rng(0)).random(points)
    share = np.prod(power * places ** (power - 1), axis=1)
    return of / (2 * gammaincinv(of / 2, places**power)), share / share.sum()
