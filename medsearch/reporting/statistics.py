"""A cell of a results table in one metric: what its runs come to, over seeds and over test cases.

A search's summary is rows x one column x seeds, a staged search's is that of its last search, an ablation's is rows x
columns x seeds. Whatever the kind, the numbers of a cell are those of its `Scores`.

A run that failed has no score and enters no mean; it is counted beside the mean, so that no table can hide it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from medsearch.core.reported import Unit
from medsearch.reporting.comparison import BySeed
from medsearch.reporting.metrics import Metric, metric_of
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
        """How many runs (or cases) have a value."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """The mean of the values; None where there is none."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def sd(self) -> float | None:
        """Their sample standard deviation (n - 1); None for fewer than two values, of which it says nothing."""
        return float(np.std(self.values, ddof=1)) if self.n > 1 else None


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A planned seed without a value, and why."""

    seed: int
    kind: Literal["failed", "undefined", "waiting"]
    word: str  # "diverged", "out of memory", "failed", "undefined", "waiting"
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The runs of a cell in one metric, "test/dice"; "value" is what a search ranks by, on validation cases.

    planned: how many seeds there should be.
    """

    metric: str
    replicates: tuple[Replicate, ...]
    planned: int

    @property
    def known(self) -> Metric:
        """Its heading, unit, digits and direction (`metrics.Metric`)."""
        return metric_of(self.metric)

    @property
    def name(self) -> str:
        """The metric as cases and papers name it: `dice`."""
        return self.known.name

    @property
    def unit(self) -> Unit:
        """What its test stages scored of a test case; empty where they do not say."""
        return next((run.unit for run in self.replicates if run.unit), "")

    @cached_property
    def values(self) -> dict[int, float]:
        """Seed -> value, of the seeds that finished and have one."""
        done = [run for run in self.replicates if run.state == "complete"]
        given = ((run.seed, run.value if self.metric == "value" else run.metrics.get(self.metric)) for run in done)
        return {seed: float(value) for seed, value in given if value is not None and known(value)}

    @cached_property
    def seeds(self) -> Summary:
        """Over the seeds that have a value."""
        states = [run.state for run in self.replicates]
        failed = states.count("failed")
        ended = failed + states.count("complete")
        waiting = max(self.planned, len(states)) - ended
        return Summary(tuple(self.values.values()), failed=failed, waiting=waiting)

    @cached_property
    def cases(self) -> Summary:
        """Over test cases, each the mean over the finished seeds in which it is defined."""
        by_case: dict[str, list[float]] = {}
        for run in case_values(self.replicates, self.name).values():
            for subject, value in run.items():
                if value is not None and known(value):
                    by_case.setdefault(subject, []).append(float(value))
        return Summary(tuple(float(np.mean(values)) for values in by_case.values()))

    @cached_property
    def by_seed(self) -> BySeed:
        """As `case_values`, but where one patient has several cases these are one observation, their mean.

        What is inferred takes observations to be independent; two visits of one person are not.
        """
        owners = _owners(self.replicates)
        found: dict[int, dict[str, float | None]] = {}
        for seed, run in case_values(self.replicates, self.name).items():
            values: dict[str, list[float]] = {}
            for subject, value in run.items():
                one = [float(value)] if value is not None and known(value) else []
                values.setdefault(owners[subject], []).extend(one)
            found[seed] = {owner: float(np.mean(of)) if of else None for owner, of in values.items()}
        return found

    @property
    def whole(self) -> bool:
        """Whether every planned seed has a value: only then is its mean the row's."""
        return len(self.values) == self.planned

    @cached_property
    def lost(self) -> tuple[Lost, ...]:
        """The runs that have no value in this metric, each with the reason."""
        lost = []
        for run in (run for run in self.replicates if run.seed not in self.values):
            if run.state == "complete":
                lost.append(Lost(seed=run.seed, kind="undefined", word="undefined"))
            elif run.state == "failed":
                word = run.cause if run.cause in ("diverged", "out of memory", "infeasible") else "failed"
                reason = run.reason or "no reason recorded"
                lost.append(Lost(seed=run.seed, kind="failed", word=word, reason=reason))
            else:
                lost.append(Lost(seed=run.seed, kind="waiting", word="waiting"))
        return tuple(lost)


def known(value: Any) -> bool:
    """Whether `value` is a score: a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


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
