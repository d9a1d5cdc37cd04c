"""Is one row better than another? As methods, over seeds and test cases; as these trained models, over test cases.

Of methods: another training under another seed and another case would each give other values, so both are drawn, as
crossed random effects (`variance_components`). The effect's interval and `p` are of that; they need two seeds.

Of these trained models, whatever their seeds: Wilcoxon's signed-rank test over the cases. A case's differences under
several seeds are no independent observations: the same person is hard or easy under all of them. Taken as such they
would multiply the sample by the number of seeds, so each case's difference is averaged over the seeds first. What the
test speaks of is new cases, not another training; with one seed it is all that can be said.

Rows are compared over the seeds that both have, which may share stages. Where they share fewer than two and have two or
more each, their seeds are taken as each row's own, over the cases that every run has. A case without a value under some
seed counts with the others.

    compared = [compare(row, reference) for row in rows]     # BySeed: {seed: {subject: value}}, one metric
    for comparison in holm(compared): comparison.effect, comparison.p_holm, comparison.wilcoxon_p_holm

By how many % does a row's mean lie above or below another's, as papers print it (−8.22 ± 2.71 %)? Of every seed that
both rows have: 100 · (the row's mean over cases / the other's − 1), over the cases that both have under it. The change
is the mean over those seeds; a seed in which the other row has nothing but zeros has none.

    found = change(row, other)          # one metric that is zero or more
    found.by_seed, found.interval
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import fmean
from typing import Any

import numpy as np

from medsearch.reporting.variance_components import (
    ONE_SEED,
    Basis,
    Estimate,
    Floats,
    Interval,
    apart,
    difference,
    log_mean_ratio,
    log_ratio,
    log_ratio_apart,
)
from medsearch.reporting.wording import counted, listed

BySeed = Mapping[int, Mapping[str, float | None]]
"""Values of one metric, seed by seed: subject -> value; None or a number that is not finite is no value."""

CHANGE_HOW = (
    "under each seed, 100 · (mean over test cases / that of the other row − 1), over the cases and seeds that both "
    "have; mean ± sample SD over seeds (n)"
)
LEAST = 6
"""So many cases must differ before a two-sided signed-rank test can fall below 0.05 (2 / 2**6 = 0.031)."""
PERMUTED = 13
"""Up to so many cases all 2**n sign changes are counted where ties or zeros rule the tabulated distribution out."""
TABULATED = 50
DECIMALS = 12
"""Differences closer than this are tied: noise of floating-point sums must not break ties."""
WIDEST = 10
"""Of a ratio's interval, upper end over lower end: a wider one tells a reader nothing."""
HOW = (
    "Differences are of means over the seeds and cases that both rows have; p is of the methods, from the same "
    "distribution as the interval. Wilcoxon's signed-rank test is of these trained models alone, on other test cases "
    "(two-sided, each case's difference averaged over the seeds; zero differences ranked, after Pratt). Both after "
    "Holm over the rows of a column"
)

NOT_SHARED: Mapping[Basis, str] = {
    "own seeds": "rows of fewer than two shared seeds, each taken over all seeds of its own, on the test cases that "
    "every run of both has",
    "nothing shared": "rows without a test case that both have under the same seed, each taken over all that it has, "
    "without an interval",
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row against its reference, in one metric; differences are row minus reference."""

    seeds: tuple[int, ...] = ()
    """Shared by both rows, as far as they were compared over shared ones."""
    apart: tuple[int, int] | None = None
    """Where seeds are each row's own: how many the row has, and the reference."""
    cases: int = 0
    """That both rows have: under at least one shared seed, or under every seed of their own."""
    seeds_left_out: tuple[int, ...] = ()
    """That only one of the rows has."""
    cases_left_out: int = 0
    """That only one of the rows has, or both never under the same seed."""
    partial: int = 0
    """Of `cases`, those that miss a value under some shared seed."""
    effect: Interval | None = None
    """Mean difference, with the interval of the methods; None if nothing is shared."""
    variances: tuple[float, float, float] | None = None
    """Of seeds, cases and residual in the difference; None where there is no p, or seeds are each row's own."""
    p: float | None = None
    """That the methods do not differ; None where `reason` says why there is none."""
    p_holm: float | None = None
    """After Holm over the rows of the column; set by `holm`."""
    family: int = 0
    """How many rows Holm counted."""
    reason: str = ""
    """Why there is no p; empty if there is one."""
    rank_biserial: float | None = None
    """(W+ - W-) / (W+ + W-), -1..1; None if nothing differs."""
    wilcoxon_p: float | None = None
    """That these trained models do not differ, over cases; None where `wilcoxon_reason` says why there is none."""
    wilcoxon_p_holm: float | None = None
    """After Holm over the rows of the column; set by `holm`."""
    wilcoxon_test: str = ""
    """How it was computed."""
    wilcoxon_reason: str = ""
    """Why there is none; empty if there is one."""

    @property
    def fewest_seeds(self) -> int:
        """How many seeds it rests on; where they are each row's own, of the row that has fewer."""
        return min(self.apart) if self.apart else len(self.seeds)

    @property
    def basis(self) -> Basis:
        """Over what it is, if not over the seeds and cases that both rows have."""
        return "own seeds" if self.apart else ""

    @property
    def alike(self) -> bool:
        """Whether the difference is the same under several seeds and in several cases, and not 0."""
        effect = self.effect
        return self.p is None and effect is not None and effect.low == effect.high == effect.estimate != 0

    @property
    def over(self) -> str:
        """What it is over: `10 cases within 3 seeds`."""
        cases = f"{self.cases} case{'s' * (self.cases != 1)} within"
        if self.apart:
            return f"{cases} {self.apart[0]} and {self.apart[1]} seeds of their own"
        return f"{cases} {len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"


def compare(row: BySeed, reference: BySeed) -> Comparison:
    """`row` against `reference`; whatever is missing is counted or said, nothing raises."""
    ours, theirs, counts = _tables(row, reference)
    if not counts.cases:
        return replace(counts, wilcoxon_reason=counts.reason)
    differences = np.nanmean(ours, axis=0) - np.nanmean(theirs, axis=0)
    found, estimate = (apart if counts.apart else difference)(ours, theirs), float(np.mean(differences))
    counts = replace(counts, **_signed_rank(counts, differences))
    if found is None:
        why = _no_interval(counts)
        return replace(counts, effect=Interval(estimate, cases=counts.cases, reason=why), reason=why)
    half = float(found.half_width())
    counts = replace(counts, effect=Interval(estimate, estimate - half, estimate + half, counts.cases))
    if found.exact:
        none = "no difference at all" if not np.round(estimate, DECIMALS) else "the same difference everywhere"
        return replace(counts, reason=f"{none} over {counts.over}")
    variances = None if found.variances is None else tuple(float(value) for value in found.variances)
    return replace(counts, variances=variances, p=float(found.p()))  # type: ignore[arg-type]


def holm(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons of one column with `p_holm` and `wilcoxon_p_holm`, in their order.

    The family is every row given, as declared, not those that could be tested: one without a p counts as p = 1, so
    that the others do not gain by its failure. The numbers are those of statsmodels' `multipletests`, which has the
    program's garbage collected at every call: most of the time in which a report's tables were made.
    """
    adjusted = {}
    for name in ("p", "wilcoxon_p"):
        every = [getattr(comparison, name) for comparison in comparisons]
        given = np.array([1.0 if p is None else p for p in every])
        order = np.argsort(given)
        steps = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
        after = np.empty_like(given)
        after[order] = np.minimum(steps, 1.0)
        adjusted[name] = [None if p is None else float(q) for p, q in zip(every, after, strict=True)]
    if all(p is None for every in adjusted.values() for p in every):
        return tuple(comparisons)
    return tuple(
        replace(comparison, p_holm=p, wilcoxon_p_holm=wilcoxon_p, family=len(comparisons))
        for comparison, p, wilcoxon_p in zip(comparisons, adjusted["p"], adjusted["wilcoxon_p"], strict=True)
    )


def share(row: BySeed, supervised: BySeed) -> Interval | None:
    """Mean of `row` as a share of that of `supervised`, with its interval; None while either is missing or 0.

    Over the seeds and cases that `compare` would take; where none are shared, of each row's mean over what it has.
    """
    ours, theirs, counts = _tables(row, supervised)
    if not counts.cases:
        means = [[np.mean(list(run.values())) for run in map(_values, of.values()) if run] for of in (row, supervised)]
        above, below = (float(np.mean(of)) if of else 0.0 for of in means)
        if not means[0] or not below:
            return None
        return Interval(above / below, reason=counts.reason, basis="nothing shared")
    above, below = (float(np.mean(np.nanmean(table, axis=0))) for table in (ours, theirs))
    if not below:
        return None
    logarithm = (log_ratio_apart if counts.apart else log_ratio) if min(above, below) > 0 else None
    found = logarithm(ours, theirs) if logarithm else None
    return replace(proportion(above / below, found, counts), basis=counts.basis)


def proportion(estimate: float, logarithm: Estimate | None, counts: Comparison) -> Interval:
    """A ratio with the interval of its logarithm; without one where there is none, or it has no finite end.

    One whose upper end is more than `WIDEST` times its lower end has its ends and a reason not to show them.
    """
    if logarithm is None:
        why = "a mean of 0 or less has no interval" if estimate <= 0 else _no_interval(counts)
        return Interval(estimate, cases=counts.cases, reason=why)
    half = float(logarithm.half_width())
    with np.errstate(over="ignore"):
        low, high = float(estimate * np.exp(-half)), float(estimate * np.exp(half))
    found = Interval(estimate, low, high, counts.cases) if np.isfinite(high) else Interval(estimate, cases=counts.cases)
    if 2 * half <= np.log(WIDEST):
        return found
    return replace(found, wide=True, reason=f"no useful interval with {counted(counts.fewest_seeds, 'seed')}")


def averaged(rows: Sequence[BySeed]) -> dict[int, dict[str, float]]:
    """The mean of several rows, over the seeds and cases that all of them have."""
    seeds = set.intersection(*(set(row) for row in rows)) if rows else set()
    means = {}
    for seed in sorted(seeds):
        runs = [_values(row[seed]) for row in rows]
        subjects = sorted(set.intersection(*(set(run) for run in runs)))
        means[seed] = {subject: float(np.mean([run[subject] for run in runs])) for subject in subjects}
    return means


def not_shared(bases: Mapping[str, Basis]) -> tuple[str, ...]:
    """Lines for a caption: which differences or shares, by name, are not over the seeds and cases that both have."""
    named = {basis: [name for name, of in bases.items() if of == basis] for basis in NOT_SHARED}
    return tuple(f"{listed(names)}: {NOT_SHARED[basis]}." for basis, names in named.items() if names)


def _values(run: Mapping[str, float | None]) -> dict[str, float]:
    """The values of one run that are finite numbers."""
    return {subject: float(value) for subject, value in run.items() if value is not None and np.isfinite(value)}


def _tables(row: BySeed, reference: BySeed) -> tuple[Floats, Floats, Comparison]:
    """Two rows' values, (seeds, cases) each, NaN where either row has none, and what they are over.

    Over the seeds that both have; over each row's own where that is all that would say anything of the methods.
    """
    both = (row, reference)
    ours, theirs = ({seed: run for seed, of in sorted(rows.items()) if (run := _values(of))} for rows in both)
    shared = [seed for seed in ours if seed in theirs and ours[seed].keys() & theirs[seed].keys()]
    if len(shared) < 2 <= min(len(ours), len(theirs)):
        subjects = sorted(set.intersection(*(set(run) for run in (*ours.values(), *theirs.values()))))
        if subjects:
            every = set().union(*ours.values(), *theirs.values())
            seeds, left_out = (len(ours), len(theirs)), len(every) - len(subjects)
            counts = Comparison(apart=seeds, cases=len(subjects), cases_left_out=left_out)
            return _table(ours.values(), subjects), _table(theirs.values(), subjects), counts
    first, second = ([rows[seed] for seed in shared] for rows in (ours, theirs))
    pairs = tuple(zip(first, second, strict=True))
    subjects = sorted({subject for a, b in pairs for subject in a.keys() & b.keys()})
    every = {subject for a, b in pairs for subject in a.keys() | b.keys()}
    counts = Comparison(
        seeds=tuple(shared),
        seeds_left_out=tuple(sorted((set(row) | set(reference)) - set(shared))),
        cases=len(subjects),
        cases_left_out=len(every) - len(subjects),
    )
    if not shared:
        same_seed = set(row) & set(reference)
        none = "no test case that both rows have under the same seed" if same_seed else "no seed that both rows have"
        return np.empty((0, 0)), np.empty((0, 0)), replace(counts, reason=none)
    one, other = _table(first, subjects), _table(second, subjects)
    gaps = np.isnan(one) | np.isnan(other)
    one[gaps] = other[gaps] = np.nan
    return one, other, replace(counts, partial=int(gaps.any(axis=0).sum()))


def _table(runs: Iterable[Mapping[str, float]], subjects: Sequence[str]) -> Floats:
    """(runs, cases), NaN where a run has no value."""
    return np.array([[run.get(subject, np.nan) for subject in subjects] for run in runs], dtype=np.float64)


def _no_interval(counts: Comparison) -> str:
    """Why a difference or a ratio over `counts` has no interval."""
    if counts.fewest_seeds < 2:
        return ONE_SEED
    if counts.cases < 2:
        return "one value per seed, which says nothing of other cases"
    return f"too few values in common to tell seeds, cases and the rest apart ({counts.over})"


def _signed_rank(counts: Comparison, differences: Floats) -> dict[str, Any]:
    """Of cases' differences, fields of `Comparison`: rank-biserial, and the two-sided p or why there is none."""
    from scipy.stats import PermutationMethod, rankdata, wilcoxon

    differences = np.round(differences, DECIMALS)
    moved, n = int(np.count_nonzero(differences)), len(differences)
    if not moved:
        return {"wilcoxon_reason": f"no difference at all over {counts.over}"}
    ranks = rankdata(np.abs(differences))
    above, below = float(ranks[differences > 0].sum()), float(ranks[differences < 0].sum())
    fields: dict[str, Any] = {"rank_biserial": (above - below) / (above + below)}
    if moved < LEAST:
        which = f"{moved} of {counts.cases} cases differ" if moved < counts.cases else f"only {counts.over}"
        return fields | {"wilcoxon_reason": f"{which}: fewer than {LEAST} cannot reach p < 0.05 in a signed-rank test"}
    tied = len(np.unique(np.abs(differences))) < n or moved < n
    if not tied and n <= TABULATED:
        p, how = wilcoxon(differences, zero_method="pratt", method="exact").pvalue, "exact"
    elif n <= PERMUTED:
        every = PermutationMethod(n_resamples=2**PERMUTED)
        p, how = wilcoxon(differences, zero_method="pratt", method=every).pvalue, "exact over all sign changes"
    else:
        normal: Any = "asymptotic"  # the stubs know its former name only
        p = wilcoxon(differences, zero_method="pratt", correction=True, method=normal).pvalue
        how = "normal approximation with continuity correction"
    return fields | {"wilcoxon_p": float(p), "wilcoxon_test": f"Wilcoxon signed-rank, {how}"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """By how many % a row's mean over test cases lies above or below another's."""

    by_seed: Mapping[int, float]
    """Of the seeds that both rows have; never empty."""
    interval: Interval
    """Of the mean over seeds; over the cases that both rows have under some seed."""


def change(row: BySeed, other: BySeed) -> Change | None:
    """`row` against `other`; None where no seed has a change."""
    pairs, ratios = {}, {}
    for seed in sorted(set(row) & set(other)):
        ours, theirs = _values(row[seed]), _values(other[seed])
        both = ours.keys() & theirs.keys()
        below = fmean(theirs[case] for case in both) if both else 0.0
        ratio = fmean(ours[case] for case in both) / below if below > 0 else np.nan
        if isfinite(ratio):
            ratios[seed], pairs[seed] = ratio, ([{case: of[case] for case in both} for of in (ours, theirs)])
    if not ratios:
        return None
    subjects = sorted(set.union(*(set(pairs[seed][0]) for seed in ratios)))
    tables = [_table((pairs[seed][side] for seed in ratios), subjects) for side in (0, 1)]
    mean = fmean(ratios.values())
    counts = Comparison(seeds=tuple(ratios), cases=len(subjects))
    found = proportion(mean, log_mean_ratio(*tables) if mean > 0 else None, counts)
    low, high = (None if end is None else 100 * (end - 1) for end in (found.low, found.high))
    return Change(
        by_seed={seed: 100 * (ratio - 1) for seed, ratio in ratios.items()},
        interval=replace(found, estimate=100 * (found.estimate - 1), low=low, high=high),
    )
