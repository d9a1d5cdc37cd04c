"""What the contracts of knobs need to know of a method; its tests say it in a `walk.py`, where it is found.

That is: knobs that are inert, other values to try, and what a knob needs to be seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medsearch.stages.method import Method

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A method's knobs. small: the method at a size that trains in a second.

    inert: knobs that change nothing, with the reason. wiring: those that are nodes of the pipeline, and change none.
    others: values to try, where one more, half as much again or the opposite will not do.
    needs: what a knob needs to be seen at all. on: tasks that it needs, where `task` will not do.
    short: knobs that make all trainings short. nodes: the stage that the first part of a knob's path belongs to.
    translators: whether there are a last and a best translator to tell apart. synthesis: whether it is put to images of
    bodies, and not to heads with tumours.
    """

    small: Method
    others: Values
    inert: Mapping[str, str] = field(default_factory=dict)
    wiring: tuple[str, ...] = ()
    needs: Mapping[str, Values] = field(default_factory=dict)
    on: Mapping[str, Values] = field(default_factory=dict)
    short: Values = field(default_factory=lambda: {"segmentation.epochs": 1})
    task: Values = field(default_factory=lambda: {"source_labels": 0.5})
    nodes: Mapping[str, str] = field(default_factory=lambda: {"segmentation": "segmentation", "evaluation": "test"})
    translators: bool = False
    synthesis: bool = False


def under(stage: str, values: Values) -> dict[str, Any]:
    return {f"{stage}.{knob}": value for knob, value in values.items()}


ADAM: dict[str, Any] = {"optimiser.betas": (0.6, 0.999), "optimiser.weight_decay": 0.01, "optimiser.least": 5e-4}
DECAYING = {"optimiser.least": {"optimiser.decay_epochs": 1}}
SLICES = {"slices.diseased_share": 0.2, "slices.least_brain": 0.5}
EVALUATION = {
    "evaluation.scored": "halves",
    "evaluation.domain": "source",
    "evaluation.slices.diseased_share": 0.2,
    "evaluation.slices.least_brain": 0.5,
}
GENSEG = {"network.kernel": 5, "network.wide": 5, "network.head": 5, "network.skips": "concat"}


def twice(*stages: str) -> dict[str, dict[str, Any]]:
    """Epochs enough to validate in one of them alone; a rate that falls."""
    needs: dict[str, dict[str, Any]] = {}
    for stage in stages:
        needs[f"{stage}.validate_every"] = {f"{stage}.epochs": 2}
        needs |= {f"{stage}.{knob}": under(stage, values) for knob, values in DECAYING.items()}
    return needs
