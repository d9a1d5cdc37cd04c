"""A group of knobs of a staged search: what is tuned, by which metric, for how long, and which trial is frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.study.declare.rules import Best, Rule
from medsearch.study.declare.samplers import GP, Sampler
from medsearch.study.declare.schedulers import Scheduler
from medsearch.study.declare.search import DICE, Direction
from medsearch.study.declare.setups import Scaled, resolve_scale
from medsearch.study.declare.spaces import Domain


@final
@dataclass(frozen=True, kw_only=True)
class Group:
    """Knobs that are tuned together, and frozen for the groups after it.

    space: the knobs. objective: the metric of the scored stage by which they are tuned, with its direction.
    trials, finalists: how many, and how many of them are repeated over the seeds before one is frozen.
    fixed: knobs of this group alone, such as fewer epochs; no later group inherits them.
    freeze: which trial is frozen. searched_stage, scored_stage: as of a `Search`; what comes after the scored stage is
        not trained, so that a translation can be tuned without a segmentor behind it.
    """

    name: str
    space: Mapping[str, Scaled[Domain]]
    objective: Mapping[str, Direction] = field(default_factory=lambda: dict(DICE))
    trials: Scaled[int]
    finalists: Scaled[int] = 0
    fixed: Mapping[str, Any] = field(default_factory=dict)
    freeze: Rule = field(default_factory=Best)
    sampler: Sampler = field(default_factory=GP)
    scheduler: Scheduler
    searched_stage: str = "segmentation"
    scored_stage: str = ""

    @property
    def metric(self) -> str:
        """The metric by which it is tuned."""
        return next(iter(self.objective))

    def at(self, scale: str) -> "Group":
        """With the numbers of a scale.

        Raises:
            BadInput: one is given for other scales only.

        """
        sizes = {one: resolve_scale(getattr(self, one), scale, f"{self.name}.{one}") for one in ("trials", "finalists")}
        return replace(self, space=resolved(self.space, scale), fixed=resolved(self.fixed, scale), **sizes)


def resolved(of: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """The values by knob that stand at a scale.

    Raises:
        BadInput: one is given for other scales only.

    """
    return {knob: resolve_scale(value, scale, knob) for knob, value in of.items()}
