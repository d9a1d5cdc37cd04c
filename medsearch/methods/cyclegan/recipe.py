"""The knobs of a plain CycleGAN."""

from dataclasses import field, replace

from medsearch.core.recipes import recipe
from medsearch.networks.config import Scale
from medsearch.stages.method import require_known
from medsearch.training.recipes import CT_BATCH, CycleGANRecipe, CycleGANWeights


@recipe
class TranslationRecipe:
    """Networks, training and weights."""

    cyclegan: CycleGANRecipe = field(default_factory=CycleGANRecipe)
    weights: CycleGANWeights = field(default_factory=CycleGANWeights)


@recipe
class PlainCycleGANRecipe:
    """The whole method."""

    translation: TranslationRecipe = field(default_factory=TranslationRecipe)


def make_recipe(scale: Scale) -> PlainCycleGANRecipe:
    """The recipe at a scale.

    Raises:
        BadInput: there is no such scale.
    """
    require_known("CycleGAN", scale)
    sized = replace(CycleGANRecipe.at(scale), batch=CT_BATCH[scale])
    return PlainCycleGANRecipe(translation=TranslationRecipe(cyclegan=sized))
