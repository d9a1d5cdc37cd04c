"""CycleGAN (Zhu et al. 2017) between two contrasts of CT: no slice is paired with another, and nothing is constrained.

    Networks, losses, image pool, decay     networks.cyclegan, training.cyclegan, training.recipes
    Stages                                  translation ──> test; the batches of the translation: cyclegan.training

What other methods add to a CycleGAN is measured against it. Sizes are those of the SSBR CycleGAN's, and so is the
mini-batch, so that the two see as many slices. An epoch has as many iterations as the larger domain has patients, and
a batch's slices are drawn from all patients of a domain. Forward passes are in bf16 on GPUs that have it, unless a
study is run with --precision fp32.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.views import SynthesisView
from medsearch.core.recipes import recipe
from medsearch.networks.config import Scale
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection, require_known
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Training
from medsearch.stages.synthesis import CycleGANStage, SynthesisTest
from medsearch.training.recipes import CT_BATCH, CycleGANRecipe, CycleGANWeights

if TYPE_CHECKING:
    from medsearch.training.inference import SliceTranslator


@recipe
class TranslationRecipe:
    """Networks and their training, and the weights of its terms."""

    cyclegan: CycleGANRecipe = field(default_factory=CycleGANRecipe)
    weights: CycleGANWeights = field(default_factory=CycleGANWeights)


@recipe
class PlainCycleGANRecipe:
    """The knobs of the translation; the test has none of its own."""

    translation: TranslationRecipe = field(default_factory=TranslationRecipe)


def make_recipe(scale: Scale) -> PlainCycleGANRecipe:
    """The recipe at a scale.

    Raises:
        BadInput: there is no such scale.
    """
    require_known("CycleGAN", scale)
    sized = replace(CycleGANRecipe.at(scale), batch=CT_BATCH[scale])
    return PlainCycleGANRecipe(translation=TranslationRecipe(cyclegan=sized))


@dataclass(frozen=True, kw_only=True)
class Translation(CycleGANStage):
    """A CycleGAN whose slices are drawn independently."""

    name: ClassVar[str] = "cyclegan_translation"
    version: ClassVar[int] = 1
    recipe: TranslationRecipe

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """CycleGAN's losses, to the last epoch."""
        from medsearch.methods.cyclegan.training import train

        return train(self.recipe.cyclegan, self.recipe.weights, context)


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
    """The translation, and the test of its translators."""
    yield Node("translation", Translation(recipe=recipe.translation, selection=selection))
    yield Node("test", Test(recipe=recipe.translation.cyclegan), {"translation": "translation"})


CYCLEGAN = Method(
    name="cyclegan", title="CycleGAN", make_recipe=make_recipe, make_nodes=nodes, rules=("none", "oracle")
)
"""Nothing is looked at to pick an epoch; with "oracle" some pairs score what is searched."""
