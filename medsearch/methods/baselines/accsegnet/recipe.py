"""AccSegNet's knobs. Defaults are the comparison's; `official` is what its authors released."""

from dataclasses import field
from typing import Annotated, Any, Literal

from medsearch.cohorts.patches import SliceRule
from medsearch.core.ranges import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Range
from medsearch.core.recipes import override, recipe
from medsearch.losses.weights import TermWeights
from medsearch.methods.baselines.recipe import PRESETS, AdamRecipe, TrainedByAdam
from medsearch.networks.config import PatchDiscriminatorConfig, ResNetGeneratorConfig, Scale, refuse
from medsearch.stages.method import require_known
from medsearch.stages.segmentation import EvaluationRecipe


@recipe
class SqueezeUNetConfig:
    """A U-Net with channel and spatial squeeze-and-excitation.

    width: channels of the first level; each one below has twice as many, but the last as many as the one above.
    levels: five have 1, 2, 4, 8 and 8 times the width.
    reduction: of the channels within the channel-wise squeeze.
    """

    width: PositiveInt = 64
    levels: Annotated[int, Range(2)] = 5
    reduction: PositiveInt = 2

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        refuse((self.reduction > self.width, f"reduction {self.reduction} must be from 1 to width {self.width}"))

    @property
    def channels(self) -> tuple[int, ...]:
        """Outputs of the levels, fine to coarse."""
        return tuple(self.width * 2 ** min(level, self.levels - 2) for level in range(self.levels))


@recipe
class Weights(TermWeights):
    """Of the terms, as they are: nothing is normalised. A term of weight 0 is not computed.

    adv: of the generators. idt: identity. cyc: cycle ("contraste"). ana: 1 - corr². nce: PatchNCE. mind: MIND.
    seg: Dice. The form `contrastive` has no idt and no cyc.
    """

    adv: NonNegativeFloat = 1.0
    idt: NonNegativeFloat = 1.0
    cyc: NonNegativeFloat = 2.0
    ana: NonNegativeFloat = 1.0
    nce: NonNegativeFloat = 0.0
    mind: NonNegativeFloat = 0.0
    seg: NonNegativeFloat = 1.0


@recipe
class PatchNCERecipe:
    """PatchNCE (Park et al. 2020).

    layers: of the generator whose features are compared, numbered as by CUT. places: per image and layer.
    temperature: of the cross-entropy. width: channels that features are projected to.
    """

    layers: tuple[NonNegativeInt, ...] = (0, 4, 8, 12, 16)
    places: PositiveInt = 256
    temperature: PositiveFloat = 0.07
    width: PositiveInt = 256


GENERATOR = ResNetGeneratorConfig(down="anti-aliased", up="anti-aliased", initialisation="xavier")
DISCRIMINATOR = PatchDiscriminatorConfig(down="anti-aliased", initialisation="xavier")


@recipe
class SegmentationRecipe(TrainedByAdam):
    """The one training: generators, discriminators and segmentor together."""

    form: Literal["cycle", "contrastive"] = "cycle"
    """Two generators and two discriminators as in CycleGAN, or one of each as in CUT."""
    adversarial: Literal["hinge", "least-squares"] = "hinge"
    dice: Literal["plain", "squared"] = "plain"
    """The denominator: sums, smoothed by 1, or sums of squares (official)."""
    generator: ResNetGeneratorConfig = GENERATOR
    discriminator: PatchDiscriminatorConfig = DISCRIMINATOR
    network: SqueezeUNetConfig = field(default_factory=SqueezeUNetConfig)
    weights: Weights = field(default_factory=Weights)
    patches: PatchNCERecipe = field(default_factory=PatchNCERecipe)
    slices: SliceRule = field(default_factory=SliceRule)
    optimiser: AdamRecipe = field(default_factory=AdamRecipe)
    epochs: PositiveInt = 300
    batch: PositiveInt = 10
    augment: bool = True
    validate_every: PositiveInt = 1

    def check(self) -> None:
        """Refuse a decay that is longer than the training, and layers to compare that the generator does not have.

        Raises:
            BadInput: of the first of them.

        """
        super().check()
        layers, last = self.patches.layers, self.generator.encoder_layers - 1
        refuse(
            (
                self.weights.nce > 0 and max(layers) > last,
                f"patches.layers {layers} must be from 0 to {last}: generator.blocks {self.generator.blocks} and "
                f"generator.halvings {self.generator.halvings} make no more",
            )
        )


@recipe
class AccSegNetRecipe:
    """The knobs of the training, and where the trained segmentor is scored."""

    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    evaluation: EvaluationRecipe = field(default_factory=EvaluationRecipe)


OFFICIAL: dict[str, Any] = {
    "segmentation.form": "contrastive",
    "segmentation.adversarial": "least-squares",
    "segmentation.dice": "squared",
    "segmentation.weights.nce": 1.0,
    "segmentation.weights.mind": 1.0,
    "segmentation.optimiser.lr": 2e-4,
    "segmentation.optimiser.weight_decay": 0.0,
    "segmentation.optimiser.amsgrad": False,
    "segmentation.optimiser.decay_epochs": 200,
    "segmentation.epochs": 400,
    "segmentation.batch": 4,
}
"""Where the authors' released code differs from the comparison's."""

_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {
        "segmentation.generator.width": 24,
        "segmentation.generator.blocks": 6,
        "segmentation.discriminator.width": 32,
        "segmentation.network.width": 24,
        "segmentation.patches.width": 128,
        "segmentation.epochs": 60,
    },
    # A hundredth of the paper's steps, so the steps are larger.
    "tiny": {
        "segmentation.generator.width": 8,
        "segmentation.generator.blocks": 3,
        "segmentation.discriminator.width": 16,
        "segmentation.discriminator.layers": 2,
        "segmentation.network.width": 8,
        "segmentation.patches.width": 32,
        "segmentation.patches.places": 64,
        "segmentation.patches.layers": (0, 4, 8, 12, 14),
        "segmentation.optimiser.lr": 1e-3,
        "segmentation.epochs": 10,
        "segmentation.batch": 8,
        "segmentation.validate_every": 2,
    },
}
_OFFICIAL_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {"segmentation.epochs": 80, "segmentation.optimiser.decay_epochs": 40},
    "tiny": {"segmentation.optimiser.decay_epochs": 5, "segmentation.batch": 4},
}


def make_recipe(preset: str, scale: Scale) -> AccSegNetRecipe:
    """The recipe of a preset (`compared`, `official`) at a scale.

    Raises:
        BadInput: one of the names is unknown.
    """
    require_known("AccSegNet", scale, preset, PRESETS)
    official = {**OFFICIAL, **_SIZES[scale], **_OFFICIAL_SIZES[scale]}
    return override(AccSegNetRecipe(), official if preset == "official" else _SIZES[scale])
