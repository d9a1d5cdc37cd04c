"""The method's knobs. Defaults are the paper's values; where it is silent, those of what it builds on."""

from dataclasses import field, replace
from typing import Annotated, Any, Literal

from medsearch.core.ranges import NonNegativeFloat, PositiveInt, Range
from medsearch.core.recipes import WHEREABOUTS, override, recipe
from medsearch.losses.weights import TermWeights
from medsearch.networks.config import Scale
from medsearch.stages.method import require_known
from medsearch.training.recipes import CT_BATCH, CycleGANRecipe, CycleGANWeights, OptimiserRecipe

KNOB, WANTED = "regressor.imagenet", "an ImageNet ResNet-34 checkpoint (torchvision's resnet34-b627a593.pth)"
"""What names the file that the regressor may start from, and what it should be."""


@recipe
class RegressorConfig:
    """A ResNet of basic blocks, with one channel in and one number out; as it stands, ResNet-34.

    width: channels of the root and of the first of four stages; each stage after it has twice as many.
    units: blocks of the stages.
    """

    width: PositiveInt = 64
    units: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 6, 3)

    @classmethod
    def at(cls, scale: Scale) -> "RegressorConfig":
        """The regressor's sizes at a scale: tiny, small, or the paper's own."""
        return override(cls(), _REGRESSOR[scale])


@recipe
class RegressorWeights(TermWeights):
    """α (order), β (anat) and γ (norm) of Eq. 4."""

    order: NonNegativeFloat = 0.005
    anat: NonNegativeFloat = 1.0
    norm: NonNegativeFloat = 10.0


@recipe
class RegressorRecipe:
    """The self-supervised body regressor.

    imagenet: path of an ImageNet ResNet-34 in torchvision's names, .pth or .safetensors; empty: random weights.
    volumes, slices: K and P, of a step. Neither is printed; theirs is Yan et al.'s code.
    stacks: how the slices between a region's first and last are drawn: at equal steps from a random start (Yan et al.),
        or at random.
    iterations: steps in all, and how many of them make an epoch, the unit of records and checkpoints.
    """

    network: RegressorConfig = field(default_factory=RegressorConfig)
    imagenet: str = field(default="", metadata=WHEREABOUTS)
    weights: RegressorWeights = field(default_factory=RegressorWeights)
    optimiser: OptimiserRecipe = field(default_factory=lambda: OptimiserRecipe(betas=(0.9, 0.999), weight_decay=0.0))
    volumes: PositiveInt = 20
    slices: Annotated[int, Range(2)] = 8
    stacks: Literal["equal-steps", "random"] = "equal-steps"
    iterations: PositiveInt = 10_000
    epoch_iterations: PositiveInt = 100

    @property
    def epochs(self) -> int:
        """In all; the last one may be shorter."""
        return -(-self.iterations // self.epoch_iterations)

    def steps(self, epoch: int) -> int:
        """Of an epoch, counted from 1."""
        return min(self.epoch_iterations, self.iterations - (epoch - 1) * self.epoch_iterations)


@recipe
class Weights(CycleGANWeights):
    """CycleGAN's λ, and acl: of Eq. 5, each way; not printed."""

    acl: NonNegativeFloat = 1.0


@recipe
class TranslationRecipe:
    """The CycleGAN under anatomical constraint.

    selection: how slices of two patients are paired: by relative position (PBS), by an affine registration of the two,
        or by the regressor's scores.
    jitter: whether paired positions are moved by a few slices, as in PBS's code (Yang et al. 2018).
    cached_scores: whether a patient's slices are scored once; the paper's times suggest that they were every time.
    """

    cyclegan: CycleGANRecipe = field(default_factory=lambda: _cyclegan("paper"))
    selection: Literal["position", "registration", "score"] = "score"
    jitter: bool = True
    cached_scores: bool = True
    weights: Weights = field(default_factory=Weights)

    @property
    def regressed(self) -> bool:
        """Whether anything here looks at the regressor's scores."""
        return self.selection == "score" or self.weights.acl > 0


@recipe
class InferenceRecipe:
    """What is done to translated slices. binary_mask: background is put where the input has no body."""

    binary_mask: bool = True


@recipe
class SSBRCycleGANRecipe:
    """The whole method: the last row of Table 1."""

    regressor: RegressorRecipe = field(default_factory=RegressorRecipe)
    translation: TranslationRecipe = field(default_factory=TranslationRecipe)
    inference: InferenceRecipe = field(default_factory=InferenceRecipe)


_PLAIN: dict[str, Any] = {
    "translation.weights.acl": 0.0,
    "translation.cyclegan.input_addition": False,
    "inference.binary_mask": False,
}

TABLE_1: dict[str, dict[str, Any]] = {
    "PBS": {**_PLAIN, "translation.selection": "position"},
    "AFFINE REG.": {**_PLAIN, "translation.selection": "registration"},
    "SSBR selection": _PLAIN,
    "+L_ACL": {"translation.cyclegan.input_addition": False, "inference.binary_mask": False},
    "+ input addition": {"inference.binary_mask": False},
    "+ binary mask": {},
}
"""The rows of Table 1: what differs from the whole method."""


def make_recipe(scale: Scale) -> SSBRCycleGANRecipe:
    """The recipe at a scale (`tiny`, `small`, `paper`).

    Raises:
        BadInput: there is no such scale.
    """
    require_known("the SSBR CycleGAN", scale)
    sized = SSBRCycleGANRecipe(
        regressor=RegressorRecipe(network=RegressorConfig.at(scale)),
        translation=TranslationRecipe(cyclegan=_cyclegan(scale)),
    )
    return override(sized, _SIZES[scale])


def _cyclegan(scale: Scale) -> CycleGANRecipe:
    """As published, with the paper's mini-batch and input addition."""
    return replace(CycleGANRecipe.at(scale), batch=CT_BATCH[scale], input_addition=True)


_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {"regressor.iterations": 3_000},
    # An eighth of the paper's steps, so the steps are larger. On 20 computed bodies the scores of training cases are in
    # order after 300, those of unseen ones later (Spearman 0.98 after 1200); three times as many change nothing.
    "tiny": {
        "regressor.iterations": 1200, "regressor.epoch_iterations": 100, "regressor.volumes": 6,
        "regressor.optimiser.lr": 1e-3,
    },
}  # fmt: skip

_REGRESSOR: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 32, "units": (2, 2, 2, 2)},
    # With width 16, slices of unseen bodies that are paired by score lie 40-46 mm apart, with 32 25-28 mm (two seeds).
    "tiny": {"width": 32, "units": (1, 1, 1, 1)},
}
