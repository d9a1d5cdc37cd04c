"""The supervised U-Net's knobs."""

from dataclasses import field
from typing import Any

from medsearch.cohorts.patches import SliceRule
from medsearch.core.ranges import PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.methods.baselines.recipe import AdamRecipe, Supervision, TrainedByAdam
from medsearch.networks.config import GenSegConfig, Scale
from medsearch.stages.method import require_known
from medsearch.stages.segmentation import EvaluationRecipe


@recipe
class SegmentationRecipe(TrainedByAdam):
    """The one training, on annotated diseased slices."""

    supervision: Supervision = "source"
    """Whose masks teach; `both` is how Table 4.2 trains it."""
    network: GenSegConfig = field(default_factory=GenSegConfig)
    """Its `unique` plays no part: nothing is disentangled."""
    slices: SliceRule = field(default_factory=SliceRule)
    optimiser: AdamRecipe = field(default_factory=AdamRecipe)
    epochs: PositiveInt = 300
    batch: PositiveInt = 15
    augment: bool = True
    validate_every: PositiveInt = 1


@recipe
class SupervisedUNetRecipe:
    """The knobs of the training, and where the trained network is scored."""

    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    evaluation: EvaluationRecipe = field(default_factory=EvaluationRecipe)


_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {"segmentation.epochs": 60},
    # A hundredth of the paper's steps, so the steps are larger.
    "tiny": {
        "segmentation.epochs": 12,
        "segmentation.batch": 8,
        "segmentation.optimiser.lr": 1e-3,
        "segmentation.validate_every": 3,
    },
}


def make_recipe(preset: str, scale: Scale) -> SupervisedUNetRecipe:
    """The recipe at a scale; there is one preset, `compared`.

    Raises:
        BadInput: one of the names is unknown.
    """
    require_known("SupervisedUNet", scale, preset, ("compared",))
    segmentation = SegmentationRecipe(network=GenSegConfig.at(scale))
    return override(SupervisedUNetRecipe(segmentation=segmentation), _SIZES[scale])
