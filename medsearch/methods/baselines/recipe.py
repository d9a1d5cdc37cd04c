"""Knobs that all baselines have."""

from medsearch.core.ranges import FractionBelowOne, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from medsearch.core.recipes import recipe
from medsearch.networks.config import refuse
from medsearch.training.recipes import linear_decay

PRESETS = ("compared", "official")


@recipe
class AdamRecipe:
    """Adam's settings, as released with M-GenSeg; `decay_epochs` and `least` are those of official code.

    weight_decay: coupled, an L2 penalty.
    decay_epochs: the last so many epochs, over which the rate falls linearly to `least`; 0: it stays.
    """

    lr: PositiveFloat = 1e-4
    betas: tuple[FractionBelowOne, FractionBelowOne] = (0.5, 0.999)
    weight_decay: NonNegativeFloat = 1e-4
    amsgrad: bool = True
    decay_epochs: NonNegativeInt = 0
    least: NonNegativeFloat = 0.0

    def check(self) -> None:
        """Refuse a rate that would rise.

        Raises:
            BadInput: `least` is above `lr`.

        """
        refuse(
            (self.decay_epochs and self.least > self.lr, f"least {self.least:g} must be at most lr {self.lr:g}"),
        )

    def rate(self, epoch: int, epochs: int) -> float:
        """The learning rate of an epoch, counted from 1, of so many."""
        share = linear_decay(epoch, constant=epochs - self.decay_epochs, decay=self.decay_epochs)
        return share * self.lr + (1 - share) * self.least


class TrainedByAdam:
    """What recipes have in common whose training of so many `epochs` has an `optimiser`."""

    optimiser: AdamRecipe
    epochs: PositiveInt

    def check(self) -> None:
        """Refuse a decay that is longer than the training: its rate would begin below `lr`.

        Raises:
            BadInput: it is.

        """
        refuse_longer("optimiser.decay_epochs", self.optimiser.decay_epochs, self.epochs)

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1."""
        return self.optimiser.rate(epoch, self.epochs)


def refuse_longer(knob: str, part: int, epochs: int) -> None:
    """Refuse a part of the training, `part` epochs set by `knob`, that is longer than all of it.

    Raises:
        BadInput: it is.

    """
    refuse((part > epochs, f"{knob} {part} must be at most epochs {epochs}"))


PLAIN = AdamRecipe(amsgrad=False)
"""Adam without AMSGrad, with the weight decay of all released trainings."""
