"""By how many % does a row's mean lie above or below another's? As papers print it: −8.22 ± 2.71 %.

Of every seed that both rows have: 100 · (the row's mean over cases / the other's − 1), over the cases that both have
under it. The change is the mean over those seeds; a seed in which the other row has nothing but zeros has none.

    found = change(row, other)          # BySeed: {seed: {subject: value}}, one metric that is zero or more
    found.by_seed, found.interval
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from statistics import fmean

import numpy as np

from medsearch.reporting.comparison import BySeed, Comparison, known, proportion
from medsearch.reporting.variance_components import Interval, log_mean_ratio

Cases = Mapping[str, float]
"""Scores of one run: subject -> value."""

HOW = (
    "under each seed, 100 · (mean over test cases / that of the other row − 1), over the cases and seeds that both "
    "have; mean ± sample SD over seeds (n)"
)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row's mean against another's, in %."""

    by_seed: Mapping[int, float]
    """Of the seeds that both rows have; never empty."""
    interval: Interval
    """Of the mean over seeds; over the cases that both rows have under some seed."""


def change(row: BySeed, other: BySeed) -> Change | None:
    """`row` against `other`; None where no seed has a change."""
    pairs = {seed: _paired(row[seed], other[seed]) for seed in sorted(set(row) & set(other))}
    ratios = {seed: ratio for seed, pair in pairs.items() if (ratio := _ratio(*pair)) is not None}
    if not ratios:
        return None
    subjects = sorted(set.union(*(set(pairs[seed][0]) for seed in ratios)))
    ours, theirs = (
        np.array([[pairs[seed][side].get(subject, np.nan) for subject in subjects] for seed in ratios])
        for side in (0, 1)
    )
    mean = fmean(ratios.values())
    counts = Comparison(seeds=tuple(ratios), cases=len(subjects))
    found = proportion(mean, log_mean_ratio(ours, theirs) if mean > 0 else None, counts)
    return Change(by_seed={seed: _percent(ratio) for seed, ratio in ratios.items()}, interval=_in_percent(found))


def _paired(ours: Mapping[str, float | None], theirs: Mapping[str, float | None]) -> tuple[Cases, Cases]:
    """The values of the cases that both runs have."""
    one, two = known(ours), known(theirs)
    both = one.keys() & two.keys()
    return {case: one[case] for case in both}, {case: two[case] for case in both}


def _ratio(ours: Cases, theirs: Cases) -> float | None:
    below = fmean(theirs.values()) if theirs else 0.0
    ratio = fmean(ours.values()) / below if below > 0 else float("nan")
    return ratio if isfinite(ratio) else None


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)


def _in_percent(of: Interval) -> Interval:
    low, high = (None if bound is None else _percent(bound) for bound in (of.low, of.high))
    return replace(of, estimate=_percent(of.estimate), low=low, high=high)
