"""UAGAN's knobs. Defaults are the comparison's; `official` is what its authors released."""

from dataclasses import field
from typing import Any, Literal

from medsearch.cohorts.patches import SliceRule
from medsearch.core.ranges import Fraction, FractionBelowOne, NonNegativeFloat, NonNegativeInt, PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.losses.weights import TermWeights
from medsearch.methods.baselines.recipe import PLAIN, PRESETS, AdamRecipe, TrainedByAdam
from medsearch.networks.config import Scale, refuse
from medsearch.stages.method import require_known
from medsearch.stages.segmentation import EvaluationRecipe

CONTRASTS = 2
"""Source and target, of which a batch holds as many images each."""


@recipe
class UAGANConfig:
    """The generator with its two streams.

    width: channels of the first level; each level below has twice as many.
    levels: of both encoders, the shared centre not counted.
    dropout: of the skips of the last level.
    bounded: translated images are in (-1, 1), by a tanh.
    """

    width: PositiveInt = 64
    levels: PositiveInt = 3
    dropout: FractionBelowOne = 0.5
    bounded: bool = True

    @property
    def channels(self) -> tuple[int, ...]:
        """Outputs of the encoders' levels, fine to coarse."""
        return tuple(self.width * 2**level for level in range(self.levels))


@recipe
class JudgeConfig:
    """UAGAN's discriminator: `layers` stride-2 convolutions, of `width` channels and twice as many each time."""

    width: PositiveInt = 64
    layers: PositiveInt = 6


@recipe
class Weights(TermWeights):
    """Of the terms.

    adv: of fooling the discriminator. cls: of the contrast that is asked for. rec: of the image that comes back.
    seg: of the segmentation of an image; `shape` times as much of that of its translation. gp: gradient penalty.
    normalised: adv, cls, rec, seg and gp are divided by their sum (as compared).
    shape_epochs: so long the weight of shape grows from 0; 0: it is there at once.
    """

    adv: NonNegativeFloat = 1.0
    cls: NonNegativeFloat = 10.0
    rec: NonNegativeFloat = 1.0
    seg: NonNegativeFloat = 20.0
    gp: NonNegativeFloat = 0.0
    shape: NonNegativeFloat = 1.0
    normalised: bool = True
    shape_epochs: NonNegativeInt = 0

    def terms(self) -> dict[str, float]:
        """The terms among which one must have a weight, and which are normalised together."""
        return {name: getattr(self, name) for name in ("adv", "cls", "rec", "seg", "gp")}


@recipe
class SegmentationRecipe(TrainedByAdam):
    """Segmentation and translation by one generator."""

    adversarial: Literal["hinge", "wasserstein"] = "hinge"
    loss: Literal["dice", "cross-entropy"] = "dice"
    """Of segmentations."""
    tumour_weight: Fraction = 0.98
    """Of tumour in the cross-entropy; background has the rest to 1."""
    asked: Literal["shuffled", "other"] = "shuffled"
    """The contrast that an image is translated to: that of a random image of the batch, or always the other one."""
    network: UAGANConfig = field(default_factory=UAGANConfig)
    discriminator: JudgeConfig = field(default_factory=JudgeConfig)
    weights: Weights = field(default_factory=Weights)
    slices: SliceRule = field(default_factory=SliceRule)
    optimiser: AdamRecipe = PLAIN
    epochs: PositiveInt = 200
    batch: PositiveInt = 1
    """Slices of each contrast."""
    augment: bool = True
    validate_every: PositiveInt = 1

    def check(self) -> None:
        """Refuse a decay, or a growth of the weight of shape, that is longer than the training.

        Raises:
            BadInput: one is.

        """
        super().check()
        growing = self.weights.shape_epochs
        refuse((growing > self.epochs, f"weights.shape_epochs {growing} must be at most epochs {self.epochs}"))


@recipe
class UAGANRecipe:
    """The knobs of the training, and where the trained generator is scored."""

    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    evaluation: EvaluationRecipe = field(default_factory=EvaluationRecipe)


OFFICIAL: dict[str, Any] = {
    "segmentation.adversarial": "wasserstein",
    "segmentation.loss": "cross-entropy",
    "segmentation.network.levels": 4,
    "segmentation.network.bounded": False,
    "segmentation.weights.cls": 1.0,
    "segmentation.weights.rec": 10.0,
    "segmentation.weights.seg": 100.0,
    "segmentation.weights.gp": 10.0,
    "segmentation.weights.normalised": False,
    "segmentation.weights.shape_epochs": 60,
    "segmentation.optimiser.betas": (0.0, 0.999),
    "segmentation.optimiser.weight_decay": 0.0,
    "segmentation.optimiser.decay_epochs": 40,
    "segmentation.optimiser.least": 1e-6,
    "segmentation.epochs": 100,
    "segmentation.batch": 4,
}
"""Where the authors' released code differs from the comparison's: of the batch of 8, half is of each contrast."""

_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {
        "segmentation.network.width": 24,
        "segmentation.discriminator.width": 24,
        "segmentation.discriminator.layers": 5,
        "segmentation.epochs": 40,
    },
    # A hundredth of the paper's steps, so the steps are larger, and as many as there are slices: the last layer sees
    # features of unit variance, and at 1e-3 its bias had not left tumour everywhere after 400 steps (validation Dice
    # 0.2; 0.80 after 560 at 5e-3).
    "tiny": {
        "segmentation.network.width": 8,
        "segmentation.discriminator.width": 16,
        "segmentation.discriminator.layers": 4,
        "segmentation.optimiser.lr": 5e-3,
        "segmentation.epochs": 3,
        "segmentation.batch": 1,
    },
}
_OFFICIAL_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {"segmentation.optimiser.decay_epochs": 16, "segmentation.weights.shape_epochs": 24},
    "tiny": {"segmentation.optimiser.decay_epochs": 1, "segmentation.weights.shape_epochs": 2},
}


def make_recipe(preset: str, scale: Scale) -> UAGANRecipe:
    """The recipe of a preset (`compared`, `official`) at a scale.

    Raises:
        BadInput: one of the names is unknown.
    """
    require_known("UAGAN", scale, preset, PRESETS)
    official = {**OFFICIAL, **_SIZES[scale], **_OFFICIAL_SIZES[scale]}
    return override(UAGANRecipe(), official if preset == "official" else _SIZES[scale])
