"""Means over runs and over cases with their spread, and the values of cases run by run.

A run that failed has no score and enters no mean; it is counted beside the mean, so that no table can hide it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsearch.reporting.comparison import BySeed
from medsearch.reporting.results import Replicate
from medsearch.reporting.wording import counted


@dataclass(frozen=True)
class Summary:
    """A score over runs (or cases): every value, and how many runs have none."""

    values: tuple[float, ...] = ()
    failed: int = 0
    waiting: int = 0  # planned, or under way

    @property
    def n(self) -> int:
        """The number of values."""
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


def case_values(replicates: Sequence[Replicate], metric: str) -> BySeed:
    """`metric` ("dice") of every test case, by the seeds that finished; a case has None where it is undefined."""
    return {
        run.seed: {str(case["subject"]): case.get(metric) for case in run.cases if metric in case}
        for run in replicates
        if run.state == "complete" and run.cases
    }


def by_seed(replicates: Sequence[Replicate], metric: str) -> BySeed:
    """As `case_values`, but where one patient has several cases these are one observation, their mean.

    What is inferred takes observations to be independent; two visits of one person are not.
    """
    owners = _owners(replicates)
    found: dict[int, dict[str, float | None]] = {}
    for seed, run in case_values(replicates, metric).items():
        values: dict[str, list[float]] = {}
        for subject, value in run.items():
            values.setdefault(owners[subject], []).extend([float(value)] if value is not None and known(value) else [])
        found[seed] = {owner: float(np.mean(of)) if of else None for owner, of in values.items()}
    return found


def patients_in_words(replicates: Iterable[Replicate]) -> str:
    """That cases of one patient count as one; empty where every case is a patient's only one."""
    cases = _owners(replicates)
    patients = len(set(cases.values()))
    if patients == len(cases):
        return ""
    return (
        f"Compared by patient: {counted(len(cases), 'test case')} are of {counted(patients, 'patient')}, and several "
        "of one count as one, their mean."
    )


def _owners(replicates: Iterable[Replicate]) -> dict[str, str]:
    """Whose each test case is: a patient's who may have several, or its own."""
    return {str(case["subject"]): str(case.get("patient", case["subject"])) for run in replicates for case in run.cases}
