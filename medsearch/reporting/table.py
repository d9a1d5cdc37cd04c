"""A cell of a results table in one metric: what its runs come to, over seeds and over test cases.

A search's summary is rows x one column x seeds, a staged search's is that of its last search, an ablation's is rows x
columns x seeds. Whatever the kind, the numbers of a cell are those of its `Scores`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from medsearch.core.reported import Unit
from medsearch.reporting.comparison import BySeed
from medsearch.reporting.metrics import Metric, metric_of
from medsearch.reporting.results import Replicate
from medsearch.reporting.statistics import Summary, by_seed, known, over_cases, over_seeds


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
        """Seed -> value, of the seeds that have one."""
        done = [run for run in self.replicates if run.state == "complete"]
        given = ((run.seed, run.value if self.metric == "value" else run.metrics.get(self.metric)) for run in done)
        return {seed: float(value) for seed, value in given if value is not None and known(value)}

    @cached_property
    def seeds(self) -> Summary:
        """Over the seeds that have a value."""
        return over_seeds(self.replicates, self.metric, planned=self.planned)

    @cached_property
    def cases(self) -> Summary:
        """Over test cases, each the mean over the seeds that have it."""
        return over_cases(self.replicates, self.name)

    @cached_property
    def by_seed(self) -> BySeed:
        """Values of cases, or of patients who have several, seed by seed, of the seeds that finished."""
        return by_seed(self.replicates, self.name)

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
