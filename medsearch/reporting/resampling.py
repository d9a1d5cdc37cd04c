"""Bootstrap intervals of scores that every test case has under every seed: cases and seeds are drawn, both.

Tables are (seeds, cases) arrays; NaN where a run has no value for a case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from medsearch.core.seeds import generator

RESAMPLES = 9999
CONFIDENCE = 0.95

Scores = NDArray[np.float64]
Cases = Mapping[str, float]
"""Scores of one run: subject -> value."""


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval; no interval where no case-by-case scores allow one."""

    estimate: float
    low: float | None = None
    high: float | None = None
    cases: int = 0  # that both rows share


def ratio(estimate: float, ours: Sequence[Cases], theirs: Sequence[Cases]) -> Interval:
    """`estimate`, the mean of `ours` over that of `theirs`, with its interval.

    Cases are drawn once for both rows, seeds within each row; only cases that every run has are drawn.
    """
    return _two_rows(estimate, ours, theirs, quotient=True)


def difference(estimate: float, ours: Sequence[Cases], theirs: Sequence[Cases]) -> Interval:
    """`estimate`, the mean of `ours` minus that of `theirs`, with its interval, drawn as in `ratio`."""
    return _two_rows(estimate, ours, theirs, quotient=False)


def mean(table: Scores) -> Interval:
    """The mean over cases of each case's mean over seeds, of a (seeds, cases) table with a value in every column.

    Seeds and cases are drawn; without two cases there is no interval.
    """
    cases = table.shape[1]
    estimate = float(np.mean(np.nanmean(table, axis=0)))
    if cases < 2:
        return Interval(estimate, cases=cases)
    drawn, seeds = _draws(RESAMPLES, cases, len(table))
    return _percentiles(estimate, _resampled(table, drawn, seeds), cases)


def mean_ratio(estimate: float, ours: Scores, theirs: Scores) -> Interval:
    """`estimate`, the mean over seeds of each seed's ratio of two rows' means over cases, with its interval.

    Both tables are (seeds, cases) without a gap, of the same seeds and cases in the same order; what is drawn is drawn
    once for both, since rows under one seed have stages in common.
    """
    seeds, cases = ours.shape
    if cases < 2:
        return Interval(estimate, cases=cases)
    drawn, weights = _draws(RESAMPLES, cases, seeds)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (drawn @ ours.T) / (drawn @ theirs.T)  # (RESAMPLES, seeds)
        resamples = np.where(weights > 0, weights * ratios, 0.0).sum(axis=1)
    return _percentiles(estimate, resamples, cases)


def _two_rows(estimate: float, ours: Sequence[Cases], theirs: Sequence[Cases], *, quotient: bool) -> Interval:
    subjects = sorted(set.intersection(*(set(run) for run in [*ours, *theirs]))) if ours and theirs else []
    if len(subjects) < 2:
        return Interval(estimate, cases=len(subjects))
    cases, *seeds = _draws(RESAMPLES, len(subjects), len(ours), len(theirs))
    tables = (_table(runs, subjects) for runs in (ours, theirs))
    above, below = (_resampled(table, cases, drawn) for table, drawn in zip(tables, seeds, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        resamples = above / below if quotient else above - below
    return _percentiles(estimate, resamples, len(subjects))


def _percentiles(estimate: float, resamples: Scores, cases: int) -> Interval:
    finite = resamples[np.isfinite(resamples)]
    if not len(finite):
        return Interval(estimate, cases=cases)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(finite, [tail, 100 - tail])
    return Interval(estimate, float(low), float(high), cases)


def _table(runs: Sequence[Cases], subjects: Sequence[str]) -> Scores:
    return np.array([[run[subject] for subject in subjects] for run in runs])  # (runs, cases)


@lru_cache(maxsize=8)
def _draws(resamples: int, *sizes: int) -> tuple[Scores, ...]:
    """How much each of so many things weighs in each resample: (resamples, size) each, rows summing to 1.

    The stream begins anew, so the same sizes are the same draws; cells of a table mostly have the same sizes.
    """
    randomness = generator(0, "bootstrap")
    return tuple(randomness.multinomial(size, np.full(size, 1 / size), size=resamples) / size for size in sizes)


def _resampled(table: Scores, cases: Scores, seeds: Scores) -> Scores:
    """The mean of each resample, (RESAMPLES,): over drawn cases, of each case's mean over the drawn seeds that have it.

    `cases` and `seeds`: weights, (RESAMPLES, cases) and (RESAMPLES, seeds). NaN where no drawn case has a value under a
    drawn seed.
    """
    here = np.isfinite(table)
    if here.all():
        means: Scores = np.einsum("rc,rc->r", cases, seeds @ table)
        return means
    total = seeds @ np.where(here, table, 0.0)  # (RESAMPLES, cases)
    weight = seeds @ here.astype(np.float64)
    found = weight > 0
    by_case = np.divide(total, weight, out=np.zeros_like(total), where=found)
    with np.errstate(invalid="ignore"):
        resampled: Scores = (cases * by_case).sum(axis=1) / (cases * found).sum(axis=1)
    return resampled
