"""Schedulers: may a trial be stopped before its end, when at the earliest, and why the study believes that it may.

Adversarial learning curves cross: what leads early need not win. So stopping has no default. A study that wants it
names the epochs of grace and the reason, both of which the report prints beside every cut. A rung compares trials by
one metric, so a search for a front of several objectives is given none: it would cut what is best in the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, final

from medsearch.core.errors import BadInput
from medsearch.core.ranges import PositiveInt, Range, require

RUNG = "rung"
SELECTION = "selection"
FOREVER = 10**9  # epochs; no trial has as many, so the last rung never ends one

Grace = int | Mapping[str, int]


@final
@dataclass(frozen=True, kw_only=True)
class ASHA:
    """Asynchronous successive halving: at the epochs grace, grace * reduction, ... the best 1/reduction go on.

    grace: epochs of the searched stage, one number or one for each scale.
    because: why curves after the grace are believed to keep their order.
    """

    grace: Grace
    reduction: int = 3
    because: str
    name: Literal["asha"] = "asha"

    def __post_init__(self) -> None:
        """Refuse a missing reason, and numbers that stop everything."""
        _require(self.grace, self.because, "ASHA")
        require("ASHA's reduction", Annotated[int, Range(2)], self.reduction)

    def at(self, scale: str) -> "ASHA":
        """The same rule with the scale's grace."""
        return replace(self, grace=_grace(self.grace, scale))

    def build(self, mode: Literal["max", "min"]) -> Any:
        """Ray's scheduler."""
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
class Median:
    """Median stopping: a trial stops when its best value is below the median of the others' running means.

    grace: epochs of the searched stage, one number or one for each scale.
    because: why curves after the grace are believed to keep their order.
    """

    grace: Grace
    because: str
    name: Literal["median"] = "median"

    def __post_init__(self) -> None:
        """Refuse a missing reason, and no grace."""
        _require(self.grace, self.because, "Median")

    def at(self, scale: str) -> "Median":
        """The same rule with the scale's grace."""
        return replace(self, grace=_grace(self.grace, scale))

    def build(self, mode: Literal["max", "min"]) -> Any:
        """Ray's scheduler, which never pauses a trial here."""
        from ray.tune.schedulers import MedianStoppingRule

        return MedianStoppingRule(
            time_attr=RUNG, metric=SELECTION, mode=mode, grace_period=self.grace, min_time_slice=math.inf
        )


@final
@dataclass(frozen=True, kw_only=True)
class FullLength:
    """Every trial runs to its end."""

    because: str
    name: Literal["none"] = "none"

    def __post_init__(self) -> None:
        """Refuse a missing reason."""
        _require(1, self.because, "FullLength")

    def at(self, scale: str) -> "FullLength":  # noqa: ARG002
        """The same at every scale."""
        return self

    def build(self, mode: Literal["max", "min"]) -> Any:  # noqa: ARG002
        """Ray's scheduler."""
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()


Scheduler = ASHA | Median | FullLength


def _require(grace: Grace, because: str, name: str) -> None:
    graces = list(grace.values()) if isinstance(grace, Mapping) else [grace]
    require(f"{name}'s grace", tuple[PositiveInt, ...], graces)
    if not because.strip():
        msg = f"{name}(because=...) must say why; the report prints it beside the results"
        raise BadInput(msg)


def _grace(grace: Grace, scale: str) -> int:
    if not isinstance(grace, Mapping):
        return grace
    if scale not in grace:
        msg = f"the scheduler's grace is given for {', '.join(grace)}, not for scale {scale!r}; add it"
        raise BadInput(msg)
    return grace[scale]
