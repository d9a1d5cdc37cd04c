"""Recipes that the trainings of several methods share, CycleGAN's among them; importable without torch."""

from dataclasses import field
from typing import Any

from medsearch.core.ranges import FractionBelowOne, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import PatchDiscriminatorConfig, ResNetGeneratorConfig, Scale


@recipe
class OptimiserRecipe:
    """AMSGrad's settings (thesis, section 5.5.1; weight decay as released, the paper does not mention it)."""

    lr: PositiveFloat = 1e-4
    betas: tuple[FractionBelowOne, FractionBelowOne] = (0.5, 0.999)
    weight_decay: NonNegativeFloat = 1e-4


@recipe
class CycleGANRecipe:
    """Networks and their training; the weights of the terms are the stage's.

    input_addition: a generator finds what to add to its input; the sum is cut to [-1, 1].
    pool: generated images of each domain that discriminators are shown from; 0: only those of the step.
    epochs, decay_epochs: at the full learning rate, and after them with a rate that falls to 0.
    batch: images of each domain a step.
    """

    generator: ResNetGeneratorConfig = field(default_factory=ResNetGeneratorConfig)
    discriminator: PatchDiscriminatorConfig = field(default_factory=PatchDiscriminatorConfig)
    input_addition: bool = False
    optimiser: OptimiserRecipe = field(default_factory=lambda: OptimiserRecipe(lr=2e-4, weight_decay=0.0))
    pool: NonNegativeInt = 50
    epochs: PositiveInt = 100
    decay_epochs: NonNegativeInt = 100
    batch: PositiveInt = 1

    @classmethod
    def at(cls, scale: Scale) -> "CycleGANRecipe":
        """CycleGAN's networks and epochs in the sizes of a scale: tiny, small, or the paper's own."""
        sized = cls(generator=ResNetGeneratorConfig.at(scale), discriminator=PatchDiscriminatorConfig.at(scale))
        return override(sized, _SIZES[scale])

    @property
    def all_epochs(self) -> int:
        """Epochs at the full rate and at a falling one together."""
        return self.epochs + self.decay_epochs

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1."""
        return self.optimiser.lr * linear_decay(epoch, constant=self.epochs, decay=self.decay_epochs)


@recipe
class CycleGANWeights:
    """λ of CycleGAN's terms beside the adversarial one, which weighs 1. A term of weight 0 is not computed.

    cyc: of the cycle, each way. idt: of the identity, as a share of `cyc`.
    """

    cyc: NonNegativeFloat = 10.0
    idt: NonNegativeFloat = 0.5


def linear_decay(epoch: int, *, constant: int, decay: int) -> float:
    """The factor on the learning rate in an epoch counted from 1: 1 for `constant` epochs, then falling over `decay`.

    The last epoch runs at 1 / (decay + 1), as in CycleGAN's code until 2020, which lowers the rate at the end of an
    epoch; since then it does so at the beginning, one epoch earlier, and trains the last one at 0.
    """
    return min(1.0, (constant + decay + 1 - epoch) / (decay + 1))


_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {"epochs": 30, "decay_epochs": 30},
    # A thirtieth of the paper's steps, so the steps are larger.
    "tiny": {"epochs": 20, "decay_epochs": 20, "optimiser.lr": 1e-3},
}

CT_BATCH: dict[Scale, int] = {"paper": 8, "small": 8, "tiny": 4}
"""Slices of each domain a step, as the paper of the SSBR CycleGAN has them (Zhu et al. have 1).

On tiny phantoms 30 epochs of 8 slices took 170 s and came to SSIM 0.77; 60 of 4 took 200 s, and came to 0.82.
"""
