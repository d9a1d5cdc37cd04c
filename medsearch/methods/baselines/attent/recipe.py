"""AttENT's knobs; defaults are the comparison's."""

from dataclasses import field, replace
from functools import cache
from typing import Any, Literal

from medsearch.core.ranges import NonNegativeFloat, PositiveInt
from medsearch.core.recipes import WHEREABOUTS, override, recipe
from medsearch.data.patches import SliceRule
from medsearch.losses.weights import require_weight
from medsearch.methods.baselines.attent.config import DeepLabConfig, MapDiscriminatorConfig
from medsearch.methods.baselines.recipe import PLAIN, AdamRecipe, TrainedByAdam, refuse_names
from medsearch.networks.config import Scale
from medsearch.networks.cyclegan_config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.stages.evaluation import EvaluationRecipe


@recipe
class TranslationWeights:
    """Of the translation's terms, normalised to sum 1 before use."""

    adv: NonNegativeFloat = 1.0
    cyc: NonNegativeFloat = 4.0

    def check(self) -> None:
        """Refuse weights that are all 0.

        Raises:
            BadInput: they are.

        """
        require_weight(vars(self))


def _generator() -> ResNetGeneratorConfig:
    return ResNetGeneratorConfig(up="bilinear", skips="gated", initialisation="default")


def _discriminator() -> PatchDiscriminatorConfig:
    return PatchDiscriminatorConfig(initialisation="default")


@recipe
class TranslationRecipe(TrainedByAdam):
    """Attention-aware translation between the contrasts."""

    generator: ResNetGeneratorConfig = field(default_factory=_generator)
    discriminator: PatchDiscriminatorConfig = field(default_factory=_discriminator)
    weights: TranslationWeights = field(default_factory=TranslationWeights)
    optimiser: AdamRecipe = field(default_factory=AdamRecipe)
    epochs: PositiveInt = 100
    batch: PositiveInt = 10
    augment: bool = True
    validate_every: PositiveInt = 1


@recipe
class SegmentationWeights:
    """Of the segmentation's terms, as they are.

    main, aux: binary cross-entropy of both outputs. adv_main, adv_aux: of fooling the discriminators.
    judge: of the discriminators' own hinges.
    """

    main: NonNegativeFloat = 1.0
    aux: NonNegativeFloat = 0.1
    adv_main: NonNegativeFloat = 0.001
    adv_aux: NonNegativeFloat = 0.0002
    judge: NonNegativeFloat = 0.5

    def check(self) -> None:
        """Refuse weights that are all 0.

        Raises:
            BadInput: they are.

        """
        require_weight({name: getattr(self, name) for name in ("main", "aux", "adv_main", "adv_aux")})


@recipe
class SegmentationRecipe(TrainedByAdam):
    """Segmentation in the source domain, with adversarial entropy minimisation."""

    translator: Literal["last", "best"] = "last"
    """The generators' last state (as compared), or the one that reconstructs validation slices best."""
    network: DeepLabConfig = field(default_factory=DeepLabConfig)
    discriminator: MapDiscriminatorConfig = field(default_factory=MapDiscriminatorConfig)
    weights: SegmentationWeights = field(default_factory=SegmentationWeights)
    slices: SliceRule = field(default_factory=SliceRule)
    """Also the translation's."""
    optimiser: AdamRecipe = PLAIN
    epochs: PositiveInt = 200
    batch: PositiveInt = 25
    augment: bool = True
    deeplab: str = field(default="", metadata=WHEREABOUTS)
    """Path of weights of DeepLab-v2 or of an ImageNet ResNet-101, .safetensors or .pth. Empty: random weights."""
    validate_every: PositiveInt = 1


@recipe
class AttENTRecipe:
    """The whole method."""

    translation: TranslationRecipe = field(default_factory=TranslationRecipe)
    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    evaluation: EvaluationRecipe = field(default_factory=EvaluationRecipe)


@cache
def preset(name: str, scale: Scale) -> AttENTRecipe:
    """The recipe at a scale; there is one preset, `compared`.

    Raises:
        BadInput: one of the names is unknown.
    """
    refuse_names("AttENT", ("compared",), name, scale)
    sized = override(AttENTRecipe(), _SIZES[scale])
    segmentation = replace(
        sized.segmentation, network=DeepLabConfig.at(scale), discriminator=MapDiscriminatorConfig.at(scale)
    )
    return replace(sized, segmentation=segmentation)


_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {
        "translation.generator.width": 24,
        "translation.generator.blocks": 6,
        "translation.discriminator.width": 32,
        "translation.epochs": 30,
        "segmentation.epochs": 60,
    },
    # A hundredth of the paper's steps, so the steps are larger.
    "tiny": {
        "translation.generator.width": 8,
        "translation.generator.blocks": 3,
        "translation.discriminator.width": 16,
        "translation.discriminator.layers": 2,
        "translation.optimiser.lr": 1e-3,
        "translation.epochs": 6,
        "translation.batch": 8,
        "translation.validate_every": 6,
        "segmentation.optimiser.lr": 1e-3,
        "segmentation.epochs": 10,
        "segmentation.batch": 8,
        "segmentation.validate_every": 2,
    },
}
