"""One cell of the table in one metric: its values, what is missing, and its relative change against another cell."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

from medsearch.core.reported import Reported, Unit
from medsearch.reporting.ablation.results import Column
from medsearch.reporting.change import Change, change
from medsearch.reporting.comparison import BySeed
from medsearch.reporting.evidence import Replicate
from medsearch.reporting.metrics import Metric, metric_of
from medsearch.reporting.statistics import Summary, by_seed, known, over_cases
from medsearch.reporting.verdicts import Measured
from medsearch.study.record import Row

Key = tuple[str, str, str]
"""The labels of row and column, and the metric."""

WHOLE = "all cases"
"""The subject of a value that a run has alone."""

Loss = Literal["failed", "undefined", "waiting"]


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A planned seed without a value, and why."""

    seed: int
    kind: Loss
    word: str  # "diverged", "out of memory", "failed", "undefined", "waiting"
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A cell that is asked for, in one metric ("test/dice")."""

    row: Row
    column: Column
    metric: str
    replicates: tuple[Replicate, ...]

    @property
    def key(self) -> Key:
        """The labels of row and column, and the metric."""
        return self.row.label, self.column.label, self.metric

    @property
    def name(self) -> str:
        """The metric as cases and papers name it."""
        return self.known.name

    @property
    def known(self) -> Metric:
        """What is known of the metric."""
        return metric_of(self.metric)

    @cached_property
    def values(self) -> dict[int, float]:
        """Seed -> value, of the seeds that have one."""
        done = (run for run in self.replicates if run.state == "complete")
        found = ((run.seed, run.metrics.get(self.metric)) for run in done)
        return {seed: float(value) for seed, value in found if value is not None and known(value)}

    @cached_property
    def seeds(self) -> Summary:
        """Over the seeds that have a value."""
        failed = sum(run.state == "failed" for run in self.replicates)
        waiting = sum(lost.kind == "waiting" for lost in self.lost)
        return Summary(tuple(self.values.values()), failed=failed, waiting=waiting)

    @cached_property
    def cases(self) -> Summary:
        """Over test cases, each the mean over the seeds that have it."""
        return over_cases(self.replicates, self.name)

    @property
    def planned(self) -> int:
        """How many seeds there should be."""
        return len(self.replicates)

    @property
    def whole(self) -> bool:
        """Whether every planned seed has a value: only then is its mean the row's."""
        return len(self.values) == self.planned

    @property
    def unit(self) -> Unit:
        """What its test stages scored of a test case; empty where they do not say."""
        return next((run.unit for run in self.replicates if run.unit), "")

    @cached_property
    def lost(self) -> tuple[Lost, ...]:
        """The planned seeds without a value."""
        return tuple(_lost(run) for run in self.replicates if run.seed not in self.values)

    @cached_property
    def by_seed(self) -> BySeed:
        """Values of cases, seed by seed, of the seeds that finished; what a run has alone is as one case's."""
        if not self.known.by_case:
            return {seed: {WHOLE: value} for seed, value in self.values.items()}
        return by_seed(self.replicates, self.name)


def _lost(run: Replicate) -> Lost:
    if run.state == "complete":
        return Lost(seed=run.seed, kind="undefined", word="undefined")
    if run.state == "failed":
        named = run.cause in ("diverged", "out of memory", "infeasible")
        word = str(run.cause) if named else "failed"
        return Lost(seed=run.seed, kind="failed", word=word, reason=run.reason or "no reason recorded")
    return Lost(seed=run.seed, kind="waiting", word="waiting")


CHANGE = "change"
"""The metric of reported values that are relative changes."""


@final
@dataclass(frozen=True, kw_only=True)
class RelativeChange:
    """What `of` changes against `other`, the cell of the row that it is compared with."""

    of: Measure
    other: Measure
    reported: Reported | None = None

    @property
    def key(self) -> Key:
        """The cell's, in a metric of its own."""
        row, column, metric = self.of.key
        return row, column, f"{metric}_{CHANGE}"

    @cached_property
    def found(self) -> Change | None:
        """None while no seed has a value in both cells."""
        return change(self.of.by_seed, self.other.by_seed)

    @property
    def seeds(self) -> Summary:
        """Over the seeds that have a change."""
        return Summary(tuple(self.found.by_seed.values()) if self.found else ())

    @property
    def whole(self) -> bool:
        """Whether neither cell lacks a seed: only then is the change the row's."""
        return self.of.whole and self.other.whole and self.seeds.n == self.of.planned

    @property
    def waiting(self) -> bool:
        """Whether there is none yet, and may still be one."""
        return self.found is None and bool(self.of.seeds.waiting or self.other.seeds.waiting)

    @property
    def measured(self) -> Measured:
        """For a verdict, which has one value per seed and none per case: a change is one of means."""
        return Measured(seeds=self.seeds.values, missing=self.of.planned - self.seeds.n)
