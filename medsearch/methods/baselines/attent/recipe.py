"""AttENT's knobs; defaults are the comparison's."""

from dataclasses import field
from typing import Any, Literal

from medsearch.cohorts.patches import SliceRule
from medsearch.core.ranges import NonNegativeFloat, PositiveInt
from medsearch.core.recipes import WHEREABOUTS, override, recipe
from medsearch.losses.weights import TermWeights
from medsearch.methods.baselines.recipe import PLAIN, AdamRecipe, TrainedByAdam
from medsearch.networks.config import PatchDiscriminatorConfig, ResNetGeneratorConfig, Scale
from medsearch.stages.method import require_known
from medsearch.stages.segmentation import EvaluationRecipe


@recipe
class DeepLabConfig:
    """DeepLab-v2 on a ResNet, with a second output on its third stage (AdaptSegNet, ADVENT).

    width: channels of the root; the four stages leave 4, 8, 16 and 32 times as many.
    units: bottlenecks of the stages; the last two are dilated by 2 and 4 instead of strided.
    dilations: of the parallel convolutions of an output.
    rgb_deviation: SD of the first weights of the convolution from one channel to three; 0: torch's own. As compared
        0.01, by which a random network begins with images that are 2 % of what its first norm passes on.
    """

    width: PositiveInt = 64
    units: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 23, 3)
    dilations: tuple[PositiveInt, ...] = (6, 12, 18, 24)
    rgb_deviation: NonNegativeFloat = 0.01


@recipe
class MapDiscriminatorConfig:
    """A discriminator of maps of two channels: stride-2 convolutions of kernel 4 to these channels, then to one."""

    channels: tuple[PositiveInt, ...] = (64, 128, 256, 512)


@recipe
class TranslationWeights(TermWeights):
    """Of the translation's terms, normalised to sum 1 before use."""

    adv: NonNegativeFloat = 1.0
    cyc: NonNegativeFloat = 4.0


@recipe
class TranslationRecipe(TrainedByAdam):
    """The first training: translation between the contrasts, with attention gates."""

    generator: ResNetGeneratorConfig = ResNetGeneratorConfig(up="bilinear", skips="gated", initialisation="default")
    discriminator: PatchDiscriminatorConfig = PatchDiscriminatorConfig(initialisation="default")
    weights: TranslationWeights = field(default_factory=TranslationWeights)
    optimiser: AdamRecipe = field(default_factory=AdamRecipe)
    epochs: PositiveInt = 100
    batch: PositiveInt = 10
    augment: bool = True
    validate_every: PositiveInt = 1


@recipe
class SegmentationWeights(TermWeights):
    """Of the segmentation's terms, as they are.

    main, aux: binary cross-entropy of both outputs. adv_main, adv_aux: of fooling the discriminators.
    judge: of the discriminators' own hinges.
    """

    main: NonNegativeFloat = 1.0
    aux: NonNegativeFloat = 0.1
    adv_main: NonNegativeFloat = 0.001
    adv_aux: NonNegativeFloat = 0.0002
    judge: NonNegativeFloat = 0.5

    def terms(self) -> dict[str, float]:
        """Those of the segmentor, among which one must have a weight."""
        return {name: getattr(self, name) for name in ("main", "aux", "adv_main", "adv_aux")}


@recipe
class SegmentationRecipe(TrainedByAdam):
    """The second training: segmentation in the source domain, with adversarial entropy minimisation."""

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
    """The knobs of both trainings, and where the trained segmentor is scored."""

    translation: TranslationRecipe = field(default_factory=TranslationRecipe)
    segmentation: SegmentationRecipe = field(default_factory=SegmentationRecipe)
    evaluation: EvaluationRecipe = field(default_factory=EvaluationRecipe)


_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {
        "translation.generator.width": 24,
        "translation.generator.blocks": 6,
        "translation.discriminator.width": 32,
        "translation.epochs": 30,
        "segmentation.network.width": 24,
        "segmentation.network.units": (2, 2, 6, 2),
        "segmentation.discriminator.channels": (32, 64, 128),
        "segmentation.epochs": 60,
    },
    # A hundredth of the paper's steps, so the steps are larger; they do not bring the image forth from behind the bias
    # of a convolution to three channels whose weights begin small.
    "tiny": {
        "translation.generator.width": 8,
        "translation.generator.blocks": 3,
        "translation.discriminator.width": 16,
        "translation.discriminator.layers": 2,
        "translation.optimiser.lr": 1e-3,
        "translation.epochs": 6,
        "translation.batch": 8,
        "translation.validate_every": 6,
        "segmentation.network.width": 8,
        "segmentation.network.units": (1, 1, 2, 1),
        "segmentation.network.dilations": (1, 2, 3, 4),
        "segmentation.network.rgb_deviation": 0.0,
        "segmentation.discriminator.channels": (16, 32, 32),
        "segmentation.optimiser.lr": 1e-3,
        "segmentation.epochs": 10,
        "segmentation.batch": 8,
        "segmentation.validate_every": 2,
    },
}


def make_recipe(preset: str, scale: Scale) -> AttENTRecipe:
    """The recipe at a scale; there is one preset, `compared`.

    Raises:
        BadInput: one of the names is unknown.
    """
    require_known("AttENT", scale, preset, ("compared",))
    return override(AttENTRecipe(), _SIZES[scale])
