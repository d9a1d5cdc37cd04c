"""CycleGAN (Zhu et al. 2017) between two contrasts of CT: no slice is paired with another, and nothing is constrained.

    Networks, losses, image pool, decay     networks.cyclegan, training.cyclegan
    Stages                                  stages.synthesis.cyclegan: a translation and its test

What other methods add to a CycleGAN is measured against it. Sizes are those of the SSBR CycleGAN's, and so is the
mini-batch, so that the two see as many slices. An epoch has as many iterations as the larger domain has patients, and
a batch's slices are drawn from all patients of a domain. Forward passes are in bf16 on GPUs that have it, unless a
study is run with --precision fp32.
"""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from medsearch.core.recipes import recipe
from medsearch.networks.config import Scale
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline
from medsearch.stages.synthesis.cyclegan import BATCH, CycleGANTest, CycleGANTranslation, CycleGANTranslationRecipe
from medsearch.training.cyclegan_recipe import CycleGANRecipe

__all__ = ["CycleGAN", "Recipe"]


@recipe
class Recipe:
    """The whole method."""

    translation: CycleGANTranslationRecipe = field(default_factory=CycleGANTranslationRecipe)


@cache
def preset(scale: Scale) -> Recipe:
    """The recipe at a scale (`tiny`, `small`, `paper`)."""
    sized = replace(CycleGANRecipe.at(scale), batch=BATCH[scale])
    return Recipe(translation=CycleGANTranslationRecipe(cyclegan=sized))


@dataclass(frozen=True, kw_only=True)
class CycleGAN:
    """The method at a scale; knobs are those of `Recipe`."""

    scale: Scale = "paper"

    @property
    def name(self) -> str:
        """The package's name."""
        return "cyclegan"

    @property
    def recipe(self) -> Recipe:
        """Published values at this scale."""
        return preset(self.scale)

    @property
    def task_knobs(self) -> dict[str, Any]:
        """Nothing of the task."""
        return {}

    @property
    def rules(self) -> tuple[Selection, ...]:
        """Nothing is looked at; with "oracle" some pairs score what is searched."""
        return ("none", "oracle")

    def at(self, scale: Scale) -> "CycleGAN":
        """The same method in another set of sizes."""
        return replace(self, scale=scale)

    def pipeline(self, recipe: Recipe, *, selection: Selection, test: bool = False) -> Pipeline:
        """The translation and, if asked for, its test."""
        return pipeline(recipe, selection=selection, test=test)


def pipeline(recipe: Recipe, *, selection: Selection, test: bool) -> Pipeline:
    """The translation and, if asked for, its test."""
    nodes = [Node("translation", CycleGANTranslation(recipe=recipe.translation, selection=selection))]
    if test:
        nodes.append(Node("test", CycleGANTest(recipe=recipe.translation.cyclegan), {"translation": "translation"}))
    return Pipeline(tuple(nodes))
