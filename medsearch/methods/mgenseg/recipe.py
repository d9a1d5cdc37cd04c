"""M-GenSeg's knobs. Defaults are the paper's values; where it is silent, the released code's."""

from dataclasses import field
from typing import Any, Literal

from medsearch.cohorts.patches import SliceRule
from medsearch.cohorts.views import Domain
from medsearch.core.ranges import NonNegativeFloat, PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.losses.weights import TermWeights
from medsearch.networks.config import DiscriminatorConfig, GenSegConfig, Scale
from medsearch.stages.method import require_known
from medsearch.stages.segmentation import EvaluationRecipe
from medsearch.training.recipes import OptimiserRecipe

Modalities = Literal["source and target", "source", "target"]


@recipe
class GenSegWeights:
    """λ of the diseased-healthy translation, Eq. 4.5; all 0: no image-level supervision."""

    adv: NonNegativeFloat = 6.0
    rec: NonNegativeFloat = 20.0
    lat: NonNegativeFloat = 2.0


@recipe
class ModalityWeights:
    """λ of the modality translation, Eq. 4.5."""

    adv: NonNegativeFloat = 3.0
    cyc: NonNegativeFloat = 20.0


@recipe
class Weights(TermWeights):
    """λ of Eq. 4.5, normalised to sum 1 before use."""

    gen: GenSegWeights = field(default_factory=GenSegWeights)
    mod: ModalityWeights = field(default_factory=ModalityWeights)
    seg: NonNegativeFloat = 20.0
    """Not printed; the released code's."""
    seg_schedule: Literal["by annotated fraction", "constant"] = "constant"
    """The best λ_seg varies with the fraction (4.3.3), how is not printed: constant as released, or as in 5.5.1."""

    def terms(self) -> dict[str, float]:
        """Of which one must have a weight."""
        return {"seg": self.seg, **vars(self.mod), **{f"gen.{term}": value for term, value in vars(self.gen).items()}}


@recipe
class SegmentationRecipe:
    """The one end-to-end training of section 4.3."""

    network: GenSegConfig = field(default_factory=GenSegConfig)
    discriminator: DiscriminatorConfig = field(default_factory=lambda: _discriminator("paper"))
    modalities: Modalities = "source and target"
    """One alone: GenSeg, without modality translation."""
    latent: Literal["shared", "separate"] = "shared"
    """Whether image-level supervision and modality translation share an encoder (Table 4.1, unshared latent spaces)."""
    translate: Literal["both", "presence-to-absence"] = "both"
    """Directions of the diseased-healthy translation (Table 4.1, no absence to presence translation)."""
    translate_modality: Literal["all", "diseased"] = "all"
    """Which images are translated to the other modality (Table 4.1, no healthy modality translation)."""
    slices: SliceRule = field(default_factory=SliceRule)
    weights: Weights = field(default_factory=Weights)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)
    selected_on: Literal["target", "both"] = "target"
    """Whose validation masks pick the best epoch under "oracle"; the paper does not say, released: both."""
    epochs: PositiveInt = 300
    batch: PositiveInt = 15
    augment: bool = True
    validate_every: PositiveInt = 1

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Of the modalities that it trains on."""
        return ("source", "target") if self.modalities == "source and target" else (self.modalities,)


@recipe
class MGenSegRecipe:
    """M-GenSeg's knobs: of its one training, and of how it is scored."""

    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    evaluation: EvaluationRecipe = field(default_factory=EvaluationRecipe)


RELEASED: dict[str, Any] = {
    "segmentation.epochs": 250,
    "segmentation.slices.diseased_share": 0.04,
    "evaluation.slices.diseased_share": 0.04,
    "segmentation.selected_on": "both",
}
"""Where the released code's values differ from the paper's."""

SCHEDULED: dict[str, Any] = {"segmentation.weights.seg_schedule": "by annotated fraction"}
"""The paper's, with λ_seg lowered where less is annotated, by the factors that section 5.5.1 prints for MoDATTS."""

_PRESETS: dict[str, dict[str, Any]] = {"paper": {}, "released": RELEASED, "scheduled": SCHEDULED}

_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {"segmentation.epochs": 60},
    # Some 300 steps instead of the paper's hundred thousand, so the steps are larger: spectral norm divides what a step
    # does to a weight by its largest singular value, and with 1e-3 translations were no nearer to T2 after 380 steps
    # than a constant.
    "tiny": {
        "segmentation.epochs": 8,
        "segmentation.batch": 5,
        "segmentation.optimiser.lr": 4e-3,
        "segmentation.validate_every": 2,
    },
}


def make_recipe(preset: str, scale: Scale) -> MGenSegRecipe:
    """The recipe of a preset (`paper`, `released`, `scheduled`) and a scale (`tiny`, `small`, `paper`).

    Raises:
        BadInput: one of the names is unknown.

    """
    require_known("M-GenSeg", scale, preset, _PRESETS)
    sized = MGenSegRecipe(
        segmentation=SegmentationRecipe(network=GenSegConfig.at(scale), discriminator=_discriminator(scale))
    )
    return override(sized, {**_PRESETS[preset], **_SIZES[scale]})


def make_genseg_recipe(modality: Domain, scale: Scale) -> MGenSegRecipe:
    """M-GenSeg's values in the paper, without a second modality."""
    alone = {"segmentation.modalities": modality, "evaluation.domain": modality}
    return override(make_recipe("paper", scale), alone)


def _discriminator(scale: Scale) -> DiscriminatorConfig:
    """Kernel 4 and spectral norm, unlike MoDATTS (released code)."""
    # Hemispheres are half as wide as slices. At tiny scale a network that sees whole images learns in 50 steps to tell
    # T1 from T2, two on half of them and of a quarter in 200.
    fewer: dict[Scale, dict[str, Any]] = {"paper": {}, "small": {"scales": 2}, "tiny": {"scales": 1}}
    return override(DiscriminatorConfig.at(scale, 2), {"kernel": 4, "spectral_norm": True, **fewer[scale]})
