"""Schedulers: may a trial be stopped before its end, when at the earliest, and why the study believes that it may.

Adversarial learning curves cross: what leads early need not win. So stopping has no default. A study that wants it
names the epochs of grace and the reason, both of which the report prints beside every cut. A rung compares trials by
one metric, so a search for a front of several objectives is given none: it would cut what is best in the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self, final

from medsearch.core.errors import BadInput
from medsearch.core.ranges import PositiveInt, Range, require

RUNG = "rung"
SELECTION = "selection"
FOREVER = 10**9  # epochs; no trial has as many, so the last rung never ends one

Grace = int | Mapping[str, int]
"""Epochs of the searched stage, one number or one for each scale."""


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """A rule that stops trials. grace: epochs of the searched stage before the first stop.

    because: why curves after the grace are believed to keep their order; the report prints it beside the results.

    Raises:
        BadInput: no reason is given, or a grace of less than one epoch.

    """

    grace: Grace
    because: str

    def __post_init__(self) -> None:
        """Check the reason and the numbers."""
        kind = type(self).__name__
        graces = list(self.grace.values()) if isinstance(self.grace, Mapping) else [self.grace]
        require(f"{kind}'s grace", tuple[PositiveInt, ...], graces)
        _require_reason(self.because, kind)

    def at(self, scale: str) -> Self:
        """The same rule with the grace of a scale.

        Raises:
            BadInput: it is given for other scales only.

        """
        if not isinstance(self.grace, Mapping):
            return self
        if scale not in self.grace:
            msg = f"the scheduler's grace is given for {', '.join(self.grace)}, not for scale {scale!r}; add it"
            raise BadInput(msg)
        return replace(self, grace=self.grace[scale])


@final
@dataclass(frozen=True, kw_only=True)
class ASHA(EarlyStopping):
    """Asynchronous successive halving: at the epochs grace, grace * reduction, ... the best 1/reduction go on.

    grace: epochs of the searched stage, one number or one for each scale. reduction: 2 or more.
    because: why curves after the grace are believed to keep their order.
    """

    reduction: int = 3
    name: Literal["asha"] = "asha"

    def __post_init__(self) -> None:
        """Check the reason and the numbers."""
        super().__post_init__()
        require("ASHA's reduction", Annotated[int, Range(2)], self.reduction)

    def build(self, mode: Literal["max", "min"]) -> Any:
        """Ray Tune's scheduler; `mode` says whether larger or smaller values of the metric are better."""
        from ray.tune.schedulers import AsyncHyperBandScheduler

        return AsyncHyperBandScheduler(
            time_attr=RUNG,
            metric=SELECTION,
            mode=mode,
            max_t=FOREVER,
            grace_period=self.grace,
            reduction_factor=self.reduction,
            stop_last_trials=False,
        )


@final
@dataclass(frozen=True, kw_only=True)
class Median(EarlyStopping):
    """Median stopping: a trial stops when its best value is below the median of the others' running means.

    grace: epochs of the searched stage, one number or one for each scale.
    because: why curves after the grace are believed to keep their order.
    """

    name: Literal["median"] = "median"

    def build(self, mode: Literal["max", "min"]) -> Any:
        """Ray Tune's scheduler, which never pauses a trial here; `mode`: whether larger or smaller is better."""
        from ray.tune.schedulers import MedianStoppingRule

        return MedianStoppingRule(
            time_attr=RUNG, metric=SELECTION, mode=mode, grace_period=self.grace, min_time_slice=math.inf
        )


@final
@dataclass(frozen=True, kw_only=True)
class FullLength:
    """Every trial runs to its end. because: why none is stopped; the report prints it beside the results."""

    because: str
    name: Literal["none"] = "none"

    def __post_init__(self) -> None:
        """Check that a reason is given."""
        _require_reason(self.because, "FullLength")

    def at(self, scale: str) -> Self:  # noqa: ARG002
        """The same rule: it has no number that depends on the scale."""
        return self

    def build(self, mode: Literal["max", "min"]) -> Any:  # noqa: ARG002
        """Ray Tune's scheduler; `mode` says whether larger or smaller values of the metric are better."""
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()


Scheduler = ASHA | Median | FullLength


def _require_reason(because: str, kind: str) -> None:
    if not because.strip():
        msg = f"{kind}(because=...) must say why; the report prints it beside the results"
        raise BadInput(msg)
