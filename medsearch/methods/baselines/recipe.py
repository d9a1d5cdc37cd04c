"""What the baselines' recipes and stages share: Adam's knobs, and which parts of a task are read. No torch here."""

from dataclasses import dataclass
from typing import Literal

from medsearch.cohorts.views import Domain, whole
from medsearch.core.ranges import FractionBelowOne, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from medsearch.core.recipes import recipe
from medsearch.networks.config import refuse
from medsearch.stages.stage import Stage
from medsearch.training.recipes import linear_decay

PRESETS = ("compared", "official")

SelectedOn = Literal["source", "target", "both"]
"""Whose validation masks pick the best epoch."""

Supervision = SelectedOn
"""Whose masks teach a reference, which is selected on what it trains with."""


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


PLAIN = AdamRecipe(amsgrad=False)
"""Adam without AMSGrad, with the weight decay of all released trainings."""


class TrainedByAdam:
    """What recipes have in common whose training of so many `epochs` has an `optimiser`."""

    optimiser: AdamRecipe
    epochs: PositiveInt

    def check(self) -> None:
        """Refuse a decay that is longer than the training: its rate would begin below `lr`.

        Raises:
            BadInput: it is.

        """
        decay = self.optimiser.decay_epochs
        refuse((decay > self.epochs, f"optimiser.decay_epochs {decay} must be at most epochs {self.epochs}"))

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1."""
        adam = self.optimiser
        share = linear_decay(epoch, constant=self.epochs - adam.decay_epochs, decay=adam.decay_epochs)
        return share * adam.lr + (1 - share) * adam.least


def sides(domains: SelectedOn) -> tuple[Domain, ...]:
    """One domain, or both, the source first."""
    return ("source", "target") if domains == "both" else (domains,)


def adapting(selected_on: SelectedOn) -> frozenset[str]:
    """The parts that adaptation reads: both domains' training parts, and validation of those it is selected on.

    Of the target's training masks a task shows those of its labelled fraction.
    """
    validation = (part for domain in sides(selected_on) for part in whole(domain, "validation"))
    return frozenset((*whole("source", "train"), *whole("target", "train"), *validation))


@dataclass(frozen=True, kw_only=True)
class Adaptation(Stage):
    """Translation between both contrasts and segmentation, trained together; the best epoch is picked by masks."""

    selected_on: SelectedOn

    def reads(self) -> frozenset[str]:
        """Both domains' training parts, and validation parts of those that the training is selected on."""
        return adapting(self.selected_on)
