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
        """The runs that count: those over seeds, or the trial alone."""
        return tuple(run for run in self.replicates if run.state == "complete") or (self.trial,)

    @property
    def seeds(self) -> int:
        """How many runs count; none where it failed on every seed, so that the trial stands for itself."""
        return 0 if self.replicates and self.failed == len(self.replicates) else len(self.runs)

    @property
    def failed(self) -> int:
        """Seeds on which it failed."""
        return sum(run.state == "failed" for run in self.replicates)

    @property
    def value(self) -> float:
        """Its mean over those runs."""
        return statistics.fmean(float(run.value) for run in self.runs if run.value is not None)

    def mean(self, metric: str, metrics: Metrics) -> float:
        """Another metric of the scored stage, the mean over the same runs.

        Raises:
            StudyFailed: the stage reports no such metric.

        """
        found = [metrics(run) for run in self.runs]
        if any(metric not in of for of in found):
            known = ", ".join(sorted(found[0])) or "nothing"
            msg = f"the freeze rule asks for {metric!r}; the scored stage reports {known}: name one of them in the rule"
            raise StudyFailed(msg)
        return statistics.fmean(of[metric] for of in found)


@final
@dataclass(frozen=True)
class Best:
    """Freeze the best."""

    def __str__(self) -> str:
        return "the best"

    def allows(self, entrant: RankedTrial, metrics: Metrics) -> bool:  # noqa: ARG002
        """Every trial that came to its end."""
        return True

    def refused(self, entrants: Sequence[RankedTrial], metrics: Metrics) -> str:  # noqa: ARG002
        """Why none may be frozen."""
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
        """Check the bound."""
        given = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if len(given) != 1 or not math.isfinite(given[0]):
            msg = f"Reaching({self.metric!r}, at_least={self.at_least!r}, at_most={self.at_most!r}) needs one bound"
            raise BadInput(msg)

    def __str__(self) -> str:
        return f"the best with {self._bound}"

    def allows(self, entrant: RankedTrial, metrics: Metrics) -> bool:
        """Whether it keeps the bound; a metric that is no number does not."""
        return self._short(entrant.mean(self.metric, metrics)) <= 0

    def refused(self, entrants: Sequence[RankedTrial], metrics: Metrics) -> str:
        """Which trial came nearest, and what can be done."""
        near = {one.trial.number: one.mean(self.metric, metrics) for one in entrants}
        near = {number: value for number, value in near.items() if math.isfinite(value)}
        if not near:
            return f"{self.metric} is a finite number in none of {len(entrants)} trials; see why in the report"
        number = min(near, key=lambda one: self._short(near[one]))
        eased = "lower" if self.at_least is not None else "raise"
        return (
            f"none of {len(entrants)} trials has {self._bound}; the nearest, trial {number}, has {near[number]:.4g}: "
            f"ask for more trials, widen the space (another question, which needs a new name or home), or {eased} the "
            "bound"
        )

    @property
    def _bound(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{self.metric} {sign} {bound:g}"

    def _short(self, value: float) -> float:
        """How much is missing."""
        if not math.isfinite(value):
            return math.inf
        return self.at_least - value if self.at_least is not None else value - float(self.at_most or 0.0)


Rule = Best | Reaching
