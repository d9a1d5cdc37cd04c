"""Means with their spread, and what the target-supervised model's performance is worth.

A run that failed has no score and enters no mean; it is counted beside the mean, so that no table can hide it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsearch.reporting import resampling
from medsearch.reporting.evidence import Replicate
from medsearch.reporting.metrics import short
from medsearch.reporting.resampling import CONFIDENCE, RESAMPLES, Interval

HOW = (
    f"{CONFIDENCE:.0%} percentile interval of {RESAMPLES} bootstrap resamples: test cases drawn once for both rows "
    "(paired by subject), seeds drawn within each row"
)


@dataclass(frozen=True)
class Summary:
    """A score over runs (or cases): every value, and how many runs have none."""

    values: tuple[float, ...] = ()
    failed: int = 0
    waiting: int = 0  # planned, or under way

    @property
    def n(self) -> int:
        """How many values there are."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """Their mean; None without values."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def sd(self) -> float | None:
        """Their sample standard deviation (n - 1); None for fewer than two values, of which it says nothing."""
        return float(np.std(self.values, ddof=1)) if self.n > 1 else None


def known(value: Any) -> bool:
    """Whether `value` is a score: a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def over_seeds(replicates: Sequence[Replicate], metric: str, *, planned: int = 0) -> Summary:
    """`metric` over the runs that finished; `planned` runs were wanted. `metric` "value" is the selection value."""
    done = [run for run in replicates if run.state == "complete"]
    found = [run.value if metric == "value" else run.metrics.get(metric) for run in done]
    failed = sum(run.state == "failed" for run in replicates)
    values = tuple(float(value) for value in found if value is not None and known(value))
    return Summary(values, failed=failed, waiting=max(planned, len(replicates)) - len(done) - failed)


def over_cases(replicates: Sequence[Replicate], metric: str = "dice") -> Summary:
    """`metric` over test cases, each the mean over the finished seeds in which it is defined."""
    by_case: dict[str, list[float]] = {}
    for run in replicates:
        for case in run.cases if run.state == "complete" else ():
            if known(case.get(metric)):
                by_case.setdefault(str(case["subject"]), []).append(float(case[metric]))
    return Summary(tuple(float(np.mean(values)) for values in by_case.values()))


def undefined(replicates: Sequence[Replicate], metric: str) -> tuple[int, int]:
    """Among the case scores of finished runs, how many have no `metric`, and how many there are."""
    cases = [case for run in replicates if run.state == "complete" for case in run.cases]
    return sum(not known(case.get(metric)) for case in cases), len(cases)


def share(row: Sequence[Replicate], supervised: Sequence[Replicate]) -> Interval | None:
    """Mean test Dice of `row` as a share of the target-supervised model's; None while either is missing or 0."""
    ours, theirs = (over_seeds(runs, "test/dice").mean for runs in (row, supervised))
    if ours is None or not theirs:
        return None
    return resampling.ratio(ours / theirs, _by_run(row), _by_run(supervised))


def gain(row: Sequence[Replicate], reference: Sequence[Replicate], metric: str = "test/dice") -> Interval | None:
    """Mean of a test metric of `row` minus that of `reference`; None while either is missing."""
    ours, theirs = (over_seeds(runs, metric).mean for runs in (row, reference))
    if ours is None or theirs is None:
        return None
    name = short(metric)
    return resampling.difference(ours - theirs, _by_run(row, name), _by_run(reference, name))


def _by_run(replicates: Sequence[Replicate], name: str = "dice") -> list[dict[str, float]]:
    """A metric of every test case, run by run."""
    runs = [run for run in replicates if run.state == "complete" and run.cases]
    return [{str(c["subject"]): float(c[name]) for c in run.cases if known(c.get(name))} for run in runs]
