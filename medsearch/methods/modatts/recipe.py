"""MoDATTS's knobs. Defaults are the paper's values; where it is silent, the released code's."""

import dataclasses
from dataclasses import field
from typing import Annotated, Any, Literal

from medsearch.core.ranges import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Range
from medsearch.core.recipes import LATER, WHEREABOUTS, knobs, override, recipe
from medsearch.losses.weights import TermWeights
from medsearch.methods.modatts.networks.config import MedformerConfig, Supervision, TransUNetConfig
from medsearch.networks.config import Dimensions, DiscriminatorConfig, Scale
from medsearch.stages.method import require_known
from medsearch.training.recipes import OptimiserRecipe

Variant = Literal["self-supervised", "semi-supervised"]


@recipe
class TranslationWeights(TermWeights):
    """λ of Eq. 5.4, normalised to sum 1 before use."""

    adv: NonNegativeFloat = 1.0
    seg: NonNegativeFloat = 1.0
    cyc: NonNegativeFloat = 10.0


@recipe
class TranslationRecipe:
    """Tumour-aware modality translation (sections 5.4.1 and 5.5.1): networks, weights and training."""

    network: TransUNetConfig = field(default_factory=TransUNetConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    weights: TranslationWeights = field(default_factory=TranslationWeights)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)
    epochs: PositiveInt = 200
    batch: PositiveInt = 15
    augment: bool = True
    empty_slices: bool = False
    """Whether the Dice of Eq. 5.3 also counts annotated slices without tumour (the released code leaves them out)."""
    imagenet: str = field(default="", metadata=WHEREABOUTS)
    """Path of `R50+ViT-B_16.npz`; empty: random initialisation."""
    validate_every: PositiveInt = 1


@recipe
class SynthesisRecipe:
    """Synthetic target data generation (section 5.5.1)."""

    checkpoint: Literal["last", "best"] = "last"
    """The translator's last state (paper) or the one with the lowest validation loss (released code)."""


@recipe
class SegmentationWeights(TermWeights):
    """λ of Eq. 5.12, normalised to sum 1 before use."""

    adv: NonNegativeFloat = 5.0
    rec: NonNegativeFloat = 50.0
    lat: NonNegativeFloat = 5.0
    seg: NonNegativeFloat = 100.0
    seg_schedule: Literal["by annotated fraction", "constant"] = "by annotated fraction"
    """100, 50, 25, 1, 0.1 at 100, 70, 40, 10, 1 % of the source annotated (section 5.5.1), scaled with `seg`."""

    def terms(self) -> dict[str, float]:
        """Those of Eq. 5.12's terms, among which one must have a weight."""
        return {name: getattr(self, name) for name in ("adv", "rec", "lat", "seg")}


@recipe
class SegmentationRecipe:
    """Target-modality segmentation (section 5.4.2): its variants, networks, weights and training."""

    variant: Variant = "semi-supervised"
    supervision: Literal["pseudo-target", "source", "target"] = "pseudo-target"
    """`source` is the reference without adaptation, `target` the target-supervised one."""
    decoders: Literal["shared", "separate"] = "shared"
    """Whether residual and segmentation share weights (paper), or not (released code; Table 5.5, w/o dual-use)."""
    translate: Literal["both", "presence-to-absence", "none"] = "both"
    """Directions of the diseased-healthy translation (Table 5.5, w/o A→P, w/o P→A and A→P)."""
    network: MedformerConfig = field(default_factory=lambda: MedformerConfig.at("paper", "semi"))
    width: PositiveFloat = 1.0
    """Multiplies the channels of every level of the segmentor."""
    discriminator: DiscriminatorConfig = field(default_factory=lambda: DiscriminatorConfig.at("paper", 3))
    weights: SegmentationWeights = field(default_factory=SegmentationWeights)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)
    epochs: PositiveInt = 300
    batch: PositiveInt = 2
    augment: bool = True
    tumour_intensity: Fraction = field(default=0.0, metadata=LATER)
    """Part of `augment`: annotated tumours get up to this share brighter or darker, drawn for each crop. 0: off."""
    tumour_upsampling: PositiveInt = field(default=1, metadata=LATER)
    """How often small tumours, and large heterogeneous ones, come in an epoch. 1: off."""
    validate_every: PositiveInt = 1

    @property
    def generative(self) -> bool:
        """Whether diseased and healthy target images are translated into each other."""
        adapts = self.variant == "semi-supervised" and self.supervision == "pseudo-target"
        return adapts and self.translate != "none"

    @property
    def sized_network(self) -> MedformerConfig:
        """The network with every level `width` times as wide, in whole multiples of what its heads need."""
        if self.width == 1.0:
            return self.network
        heads = self.network.fusion_heads
        a, b, c, d, e = (max(1, round(channels * self.width / 4)) * 4 for channels in self.network.channels)
        return dataclasses.replace(
            self.network,
            channels=(a, b, c, d, e),
            fusion_channels=max(1, round(self.network.fusion_channels * self.width / heads)) * heads,
        )


@recipe
class SelfTrainingRecipe:
    """Self-training rounds (section 5.4.2, Eq. 5.13); everything else is the segmentation stage's."""

    rounds: NonNegativeInt = 3
    epochs: PositiveInt = 150
    threshold: Annotated[float, Range(0, 1, above=True, below=True)] = 0.6
    """α: a voxel above it is tumour."""
    uncertain: Literal["background", "ignore"] = "background"
    """What lies between 1 - α and α: background (released code), or no part of the loss."""


@recipe
class EnsembleRecipe:
    """Segmentors that vote (section 5.5.1, Training)."""

    folds: PositiveInt = 1
    """2 or more: so many segmentors, each validated on its fold of the source, behind one translator; 1: no folds."""


@recipe
class MoDATTSRecipe:
    """The knobs of every stage, and how many segmentors vote."""

    translation: TranslationRecipe = field(default_factory=TranslationRecipe)
    synthesis: SynthesisRecipe = field(default_factory=SynthesisRecipe)
    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    self_training: SelfTrainingRecipe = field(default_factory=SelfTrainingRecipe)
    ensemble: EnsembleRecipe = field(default_factory=EnsembleRecipe)


CROSSMODA: dict[str, Any] = {
    "segmentation.weights.rec": 75.0,
    "segmentation.weights.lat": 10.0,
    "segmentation.tumour_intensity": 0.3,
    "segmentation.tumour_upsampling": 2,
    "ensemble.folds": {"tiny": 1, "small": 1, "paper": 5},
    "translation.epochs": {"tiny": 10, "small": 30, "paper": 200},
    "segmentation.epochs": {"tiny": 16, "small": 60, "paper": 300},
}
"""What section 5.5.1 does on CrossMoDA otherwise than on BraTS; the smaller scales have no folds, which multiply costs.

The weights are printed; how strong the augmentation is, and how often tumours are repeated, is not: 0.3 is what the
released code has behind a switch, 2 is ours. Epochs are those of BraTS except at tiny scale, where so few and so small
tumours (some 100 voxels) are not learnt in five: a test Dice of 0.09, and of 0.15 in ten.
"""

RELEASED: dict[str, Any] = {
    "translation.weights.adv": 3.0,
    "translation.weights.cyc": 40.0,
    "translation.weights.seg": 1.0,
    "translation.epochs": 150,
    "synthesis.checkpoint": "best",
    "segmentation.decoders": "separate",
    "segmentation.weights.adv": 3.0,
    "segmentation.weights.rec": 50.0,
    "segmentation.weights.lat": 5.0,
    "segmentation.weights.seg": 10.0,
    "segmentation.weights.seg_schedule": "constant",
}
"""Where the released code's values differ from the paper's."""


_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {
        "translation.epochs": 30,
        "segmentation.epochs": 60,
        "self_training.rounds": 2,
        "self_training.epochs": 30,
    },
    # A hundredth of the paper's steps, so the steps are larger, and λ_seg is not lowered where few are annotated, with
    # which they do not get the shared decoder past the residual. Test Dice before self-training, lowered against
    # constant, with 1, 10 and 40 % annotated: 0.15 and 0.62, 0.22 and 0.60, 0.51 and 0.57; over the three fractions
    # -0.302, with a 95 % interval over seeds of [-0.467, -0.137] (T1 → T2, studies/lambda_seg_schedule.py).
    "tiny": {
        "translation.epochs": 5,
        "translation.batch": 5,
        "translation.optimiser.lr": 1e-3,
        "translation.validate_every": 5,
        "segmentation.epochs": 8,
        "segmentation.optimiser.lr": 1e-3,
        "segmentation.validate_every": 2,
        "segmentation.weights.seg_schedule": "constant",
        "self_training.rounds": 1,
        "self_training.epochs": 4,
    },
}


def make_recipe(variant: Variant, preset: str, *, scale: Scale, dimensions: Dimensions = 3) -> MoDATTSRecipe:
    """The recipe of a preset (`paper`, `released`), a scale (`tiny`, `small`, `paper`) and a variant, in 2D or 3D.

    Raises:
        BadInput: one of the names is unknown.

    """
    require_known("MoDATTS", scale, preset, ("paper", "released"))
    chosen = override(MoDATTSRecipe(), {} if preset == "paper" else RELEASED)
    translation = dataclasses.replace(
        chosen.translation, network=TransUNetConfig.at(scale), discriminator=DiscriminatorConfig.at(scale, 2)
    )
    supervision: Supervision = "semi" if variant == "semi-supervised" else "self"
    solid = MedformerConfig.at(scale, supervision)
    segmentation = dataclasses.replace(
        chosen.segmentation, variant=variant, network=solid, discriminator=DiscriminatorConfig.at(scale, 3)
    )
    sized = override(
        dataclasses.replace(chosen, translation=translation, segmentation=segmentation),
        _SIZES[scale],
    )
    if dimensions == 3:
        return sized
    # the segmentation stage sees axial slices; batch and discriminator are those of other slices
    flat, volumetric = knobs(MedformerConfig.at(scale, supervision, 2)), knobs(solid)
    return override(
        sized,
        {
            **{f"segmentation.network.{knob}": value for knob, value in flat.items() if value != volumetric[knob]},
            "segmentation.discriminator.dimensions": 2,
            "segmentation.discriminator.scales": {"tiny": 1, "small": 2, "paper": 3}[scale],  # half a slice is narrow
            "segmentation.batch": 15,
        },
    )
