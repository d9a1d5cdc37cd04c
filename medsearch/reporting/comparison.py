"""Is one row better than another? Over the test cases, within the seeds that both rows ran under.

A case's differences under several seeds are no independent observations: the same person is hard or easy under all of
them. Taken as such they would multiply the sample, and with it the significance, by the number of seeds. So each
case's difference is averaged over the shared seeds first, and the test has as many observations as there are cases.
What it speaks of is these trained models on new cases; the interval of the effect draws seeds as well, and with two or
three of them it is rather too narrow than too wide.

    compared = [compare(row, reference) for row in rows]     # BySeed: {seed: {subject: value}}, one metric
    for comparison in holm(compared): comparison.p_holm, comparison.effect, comparison.words
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.reporting import resampling
from medsearch.reporting.resampling import CONFIDENCE, RESAMPLES, Interval

BySeed = Mapping[int, Mapping[str, float | None]]
"""Values of one metric, seed by seed: subject -> value; None or a number that is not finite is no value."""

Floats = NDArray[np.float64]

LEAST = 6
"""So many cases must differ before a two-sided signed-rank test can fall below 0.05 (2 / 2**6 = 0.031)."""
PERMUTED = 13
"""Up to so many cases all 2**n sign changes are counted where ties or zeros rule the tabulated distribution out."""
TABULATED = 50
DECIMALS = 12
"""Differences closer than this are tied: noise of floating-point sums must not break ties."""
HOW = (
    "Wilcoxon signed-rank test, two-sided, over test cases (each case's difference averaged over the seeds that both "
    "rows have; zero differences ranked, after Pratt), p-values after Holm over the rows of a column; effect: mean "
    f"paired difference with a {CONFIDENCE:.0%} percentile interval of {RESAMPLES} bootstrap resamples of cases and "
    "shared seeds, and the rank-biserial correlation"
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row against its reference, in one metric; differences are row minus reference."""

    seeds: tuple[int, ...] = ()
    """Shared by both rows."""
    cases: int = 0
    """That both rows have under at least one shared seed."""
    seeds_left_out: tuple[int, ...] = ()
    """That only one of the rows has."""
    cases_left_out: int = 0
    """That only one of the rows has, or both never under the same seed."""
    partial: int = 0
    """Of `cases`, those that miss a value under some shared seed."""
    effect: Interval | None = None
    """Mean paired difference; None if nothing is shared."""
    rank_biserial: float | None = None
    """(W+ - W-) / (W+ + W-), -1..1; None if nothing differs."""
    p: float | None = None
    """Of the signed-rank test; None where `reason` says why there is none."""
    p_holm: float | None = None
    """After Holm over the rows of the column; set by `holm`."""
    family: int = 0
    """How many rows Holm counted."""
    test: str = ""
    """How p was computed."""
    reason: str = ""
    """Why there is no p; empty if there is one."""

    @property
    def words(self) -> str:
        """The comparison as one sentence."""
        if self.effect is None or self.p is None:
            return self.reason
        adjusted = f", {self.p_holm:.3g} after Holm over {self.family}" if self.p_holm is not None else ""
        return f"{self.effect.estimate:+.4f} over {_over(self)}; p = {self.p:.3g}{adjusted} ({self.test})"


def compare(row: BySeed, reference: BySeed) -> Comparison:
    """`row` against `reference`; whatever is missing is counted or said, nothing raises."""
    seeds = tuple(sorted(set(row) & set(reference)))
    counts = Comparison(seeds=seeds, seeds_left_out=tuple(sorted(set(row) ^ set(reference))))
    if not seeds:
        return replace(counts, reason="no seed that both rows have")
    table, left_out = _differences(row, reference, seeds)
    counts = replace(counts, cases=table.shape[1], cases_left_out=left_out, partial=_partial(table))
    if not counts.cases:
        return replace(counts, reason="no test case that both rows have under the same seed")
    effect = resampling.mean(table)
    differences: Floats = np.asarray(np.round(np.nanmean(table, axis=0), DECIMALS), dtype=np.float64)
    moved = int(np.count_nonzero(differences))
    counts = replace(counts, effect=effect, rank_biserial=_rank_biserial(differences))
    if moved < LEAST:
        return replace(counts, reason=_too_few(counts, moved))
    p, test = _signed_rank(differences)
    return replace(counts, p=p, test=test)


def holm(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons of one column with `p_holm`, in their order.

    The family is every row given, as declared, not those that could be tested: one without a p counts as p = 1, so
    that the others do not gain by its failure.
    """
    if not any(comparison.p is not None for comparison in comparisons):
        return tuple(comparisons)
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests([1.0 if c.p is None else c.p for c in comparisons], method="holm")[1]
    return tuple(
        c if c.p is None else replace(c, p_holm=float(p), family=len(comparisons))
        for c, p in zip(comparisons, adjusted, strict=True)
    )


def share(row: BySeed, supervised: BySeed) -> Interval | None:
    """Mean of `row` as a share of that of `supervised`, with its interval; None while either is missing or 0.

    Means are over seeds of each run's mean over cases; the interval draws cases for both rows, seeds within each.
    """
    ours, theirs = ([known(run) for run in rows.values()] for rows in (row, supervised))
    ours, theirs = ([run for run in runs if run] for runs in (ours, theirs))
    if not ours or not theirs:
        return None
    above, below = (float(np.mean([np.mean(list(run.values())) for run in runs])) for runs in (ours, theirs))
    return resampling.ratio(above / below, ours, theirs) if below else None


def known(run: Mapping[str, float | None]) -> dict[str, float]:
    """The values of one run that are finite numbers."""
    return {subject: float(value) for subject, value in run.items() if value is not None and np.isfinite(value)}


def _differences(row: BySeed, reference: BySeed, seeds: Sequence[int]) -> tuple[Floats, int]:
    """Row minus reference, (seeds, cases), NaN where either has no value; and how many cases are not in it."""
    ours, theirs = ({seed: known(rows[seed]) for seed in seeds} for rows in (row, reference))
    subjects = sorted({subject for seed in seeds for subject in ours[seed].keys() & theirs[seed].keys()})
    every = {subject for seed in seeds for subject in ours[seed].keys() | theirs[seed].keys()}
    none = float("nan")
    table = [[ours[seed].get(case, none) - theirs[seed].get(case, none) for case in subjects] for seed in seeds]
    return np.array(table, dtype=np.float64).reshape(len(seeds), len(subjects)), len(every) - len(subjects)


def _partial(table: Floats) -> int:
    return int(np.isnan(table).any(axis=0).sum())


def _rank_biserial(differences: Floats) -> float | None:
    from scipy.stats import rankdata

    if not differences.any():
        return None
    ranks = rankdata(np.abs(differences))
    above, below = float(ranks[differences > 0].sum()), float(ranks[differences < 0].sum())
    return (above - below) / (above + below)


def _signed_rank(differences: Floats) -> tuple[float, str]:
    """The two-sided p of differences of which some are not zero, and how it was computed."""
    from scipy.stats import PermutationMethod, wilcoxon

    n = len(differences)
    tied = len(np.unique(np.abs(differences))) < n or not differences.all()
    if not tied and n <= TABULATED:
        p, how = wilcoxon(differences, zero_method="pratt", method="exact").pvalue, "exact"
    elif n <= PERMUTED:
        every = PermutationMethod(n_resamples=2**PERMUTED)
        p, how = wilcoxon(differences, zero_method="pratt", method=every).pvalue, "exact over all sign changes"
    else:
        normal: Any = "asymptotic"  # the stubs know its former name only
        p = wilcoxon(differences, zero_method="pratt", correction=True, method=normal).pvalue
        how = "normal approximation with continuity correction"
    return float(p), f"Wilcoxon signed-rank, {how}"


def _over(comparison: Comparison) -> str:
    seeds, cases = len(comparison.seeds), comparison.cases
    return f"{cases} case{'s' * (cases != 1)} within {seeds} seed{'s' * (seeds != 1)}"


def _too_few(comparison: Comparison, moved: int) -> str:
    if not moved:
        return f"no difference at all over {_over(comparison)}"
    which = f"{moved} of {comparison.cases} cases differ" if moved < comparison.cases else f"only {_over(comparison)}"
    return f"{which}: fewer than {LEAST} cannot reach p < 0.05 in a signed-rank test"
