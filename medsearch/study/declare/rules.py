"""Freeze rules: which of a group's trials may be frozen, as a study file declares it.

Among those that a rule allows, the one that ranks first is frozen: finalists by their mean over seeds, those that
failed on no seed first; without finalists, trials by their own value.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.study.record.headers import Bound
from medsearch.study.record.ledger import RunRecord

Metrics = Callable[[RunRecord], Mapping[str, float]]
"""What the scored stage of a run that ended reports."""


@final
@dataclass(frozen=True, kw_only=True)
class RankedTrial:
    """A complete trial, with its runs under every seed where it is a finalist, without them otherwise."""

    trial: RunRecord
    replicates: tuple[RunRecord, ...] = ()

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The runs that count: those over seeds that completed, or the trial where none did."""
        return tuple(run for run in self.replicates if run.state == "complete") or (self.trial,)

    @property
    def seeds(self) -> int:
        """How many runs count; none where it failed on every seed, so that the trial stands for itself."""
        return 0 if self.replicates and self.failed == len(self.replicates) else len(self.runs)

    @property
    def failed(self) -> int:
        """On how many seeds it failed."""
        return sum(run.state == "failed" for run in self.replicates)

    @property
    def value(self) -> float:
        """The mean of the first objective over the runs that count."""
        return statistics.fmean(float(run.value) for run in self.runs if run.value is not None)

    def mean(self, metric: str, metrics: Metrics) -> float:
        """The mean of another metric of the scored stage over the runs that count.

        Raises:
            StudyFailed: the stage reports no such metric.

        """
        reported = [metrics(run) for run in self.runs]
        if any(metric not in values for values in reported):
            known = ", ".join(sorted(reported[0])) or "nothing"
            msg = f"the freeze rule asks for {metric!r}; the scored stage reports {known}: name one of them in the rule"
            raise StudyFailed(msg)
        return statistics.fmean(values[metric] for values in reported)


@final
@dataclass(frozen=True)
class Best:
    """Freeze the trial that ranks first."""

    def __str__(self) -> str:
        return "the best"

    def allows(self, entrant: RankedTrial, metrics: Metrics) -> bool:  # noqa: ARG002
        """Whether the trial may be frozen: every one that came to its end may."""
        return True

    def refused(self, entrants: Sequence[RankedTrial], metrics: Metrics) -> str:  # noqa: ARG002
        """Why none may be frozen: there is none."""
        return "no trial came to its end; see why in the report"


@final
@dataclass(frozen=True, kw_only=True)
class Reaching:
    """Freeze the best among those whose `metric` keeps a bound: `at_least` so much, or `at_most`.

    metric: another one that the scored stage reports, such as how diverse the translations are: "the weight at which
    mode dropping stops" is Reaching(metric="validation/diversity", at_least=0.1). Of a finalist the mean over seeds
    counts.

    Raises:
        BadInput: no bound is given, or both, or one that is no number.

    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        """Check that there is one bound."""
        given = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if len(given) != 1 or not math.isfinite(given[0]):
            msg = f"Reaching({self.metric!r}, at_least={self.at_least!r}, at_most={self.at_most!r}) needs one bound"
            raise BadInput(msg)

    def __str__(self) -> str:
        return f"the best with {self.metric} {self.bound.words}"

    @property
    def bound(self) -> Bound:
        """The bound as a header has it."""
        return Bound(metric=self.metric, at_least=self.at_least, at_most=self.at_most)

    def allows(self, entrant: RankedTrial, metrics: Metrics) -> bool:
        """Whether the trial keeps the bound; one whose metric is not finite does not."""
        value = entrant.mean(self.metric, metrics)
        return math.isfinite(value) and self.bound.holds(value)

    def refused(self, entrants: Sequence[RankedTrial], metrics: Metrics) -> str:
        """Which trial comes nearest where the rule allows none, and what can be done."""
        means = {entrant.trial.number: entrant.mean(self.metric, metrics) for entrant in entrants}
        finite = {number: value for number, value in means.items() if math.isfinite(value)}
        if not finite:
            return f"{self.metric} is a finite number in none of {len(entrants)} trials; see why in the report"
        sign, eased = (1, "lower") if self.at_least is not None else (-1, "raise")
        nearest = max(finite, key=lambda number: sign * finite[number])
        return (
            f"none of {len(entrants)} trials has {self.metric} {self.bound.words}; the nearest, trial {nearest}, has "
            f"{finite[nearest]:.4g}: ask for more trials, widen the space (another question, which needs a new name or "
            f"home), or {eased} the bound"
        )


Rule = Best | Reaching
