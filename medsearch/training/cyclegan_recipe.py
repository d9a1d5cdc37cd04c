"""CycleGAN's knobs (Zhu et al. 2017), for every method that trains one; importable without torch."""

from dataclasses import field
from typing import Any

from medsearch.core.ranges import NonNegativeInt, PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale
from medsearch.networks.cyclegan_config import PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.training.decay import linear_decay
from medsearch.training.recipes import OptimiserRecipe


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
        """The sizes for one scale."""
        sized = cls(generator=ResNetGeneratorConfig.at(scale), discriminator=PatchDiscriminatorConfig.at(scale))
        return override(sized, _SIZES[scale])

    @property
    def all_epochs(self) -> int:
        """In all."""
        return self.epochs + self.decay_epochs

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1."""
        return self.optimiser.lr * linear_decay(epoch, constant=self.epochs, decay=self.decay_epochs)


_SIZES: dict[Scale, dict[str, Any]] = {
    "paper": {},
    "small": {"epochs": 30, "decay_epochs": 30},
    # A thirtieth of the paper's steps, so the steps are larger.
    "tiny": {"epochs": 20, "decay_epochs": 20, "optimiser.lr": 1e-3},
}
