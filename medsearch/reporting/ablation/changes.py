"""A cell's relative change against the row that it is compared with, beside the one that the paper prints: in %."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

from medsearch.core.reported import Reported
from medsearch.reporting.ablation.measure import Key, Measure
from medsearch.reporting.change import Change, change
from medsearch.reporting.statistics import Summary
from medsearch.reporting.verdicts import Measured

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
