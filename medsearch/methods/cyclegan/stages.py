"""A plain CycleGAN as stages: slices of two contrasts that have nothing to do with each other.

translation ──> test
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.views import SynthesisView
from medsearch.methods.cyclegan.recipe import PlainCycleGANRecipe, TranslationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Training
from medsearch.stages.synthesis import CycleGANStage, SynthesisTest
from medsearch.training.recipes import CycleGANRecipe

if TYPE_CHECKING:
    from medsearch.training.inference import SliceTranslator


@dataclass(frozen=True, kw_only=True)
class Translation(CycleGANStage):
    """A CycleGAN whose slices are drawn independently."""

    name: ClassVar[str] = "cyclegan_translation"
    version: ClassVar[int] = 1
    recipe: TranslationRecipe

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """CycleGAN's losses."""
        from medsearch.methods.cyclegan.training import train

        return train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class Test(SynthesisTest):
    """The test of the trained translators, of which `recipe` is."""

    name: ClassVar[str] = "cyclegan_test"
    version: ClassVar[int] = 1
    recipe: CycleGANRecipe

    def translator(self, context: StageContext[SynthesisView]) -> "SliceTranslator":
        """What it makes is left as it is."""
        from medsearch.stages.translating import trained_translator

        return trained_translator(self.recipe, context)


def nodes(recipe: PlainCycleGANRecipe, selection: Selection) -> Iterator[Node]:
    """The translation and its test."""
    yield Node("translation", Translation(recipe=recipe.translation, selection=selection))
    yield Node("test", Test(recipe=recipe.translation.cyclegan), {"translation": "translation"})
