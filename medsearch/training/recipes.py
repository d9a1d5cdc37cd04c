"""Recipes that every method's training shares; importable without torch."""

from medsearch.core.ranges import FractionBelowOne, NonNegativeFloat, PositiveFloat
from medsearch.core.recipes import recipe


@recipe
class OptimiserRecipe:
    """AMSGrad's settings (thesis, section 5.5.1; weight decay as released, the paper does not mention it)."""

    lr: PositiveFloat = 1e-4
    betas: tuple[FractionBelowOne, FractionBelowOne] = (0.5, 0.999)
    weight_decay: NonNegativeFloat = 1e-4
