"""UAGAN's stages, and what they read; the training itself is imported when it starts.

segmentation ──> test
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from medsearch.methods.baselines.recipe import SelectedOn, adapting
from medsearch.methods.baselines.uagan.recipe import SegmentationRecipe, UAGANRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import SliceTest
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.training.inference import Segment


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Segmentation and translation by one generator."""

    name: ClassVar[str] = "uagan_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    selected_on: SelectedOn

    def reads(self) -> frozenset[str]:
        """Both domains' training parts; of validation, what it may be selected on."""
        return adapting(self.selected_on)

    def train(self, context: StageContext) -> Training:
        """Segmentation, translation and the discriminator, trained together."""
        from medsearch.methods.baselines.uagan.training import SegmentationTraining

        return SegmentationTraining.train(self.recipe, selected_on=self.selected_on, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(SliceTest):
    """The test of a trained generator's segmentation."""

    name: ClassVar[str] = "uagan_test"
    version: ClassVar[int] = 1
    segmentation: SegmentationRecipe

    def segment(self, context: StageContext) -> "Segment":
        """Slices of the domain that is scored, as ones of its contrast."""
        from medsearch.methods.baselines.slices import load_segmentor
        from medsearch.methods.baselines.uagan.networks import Generator

        generator = load_segmentor(Generator(self.segmentation.network), context, name="generator")
        return partial(generator.segment, domain=self.recipe.domain)


def nodes(recipe: UAGANRecipe, selection: Selection) -> Iterator[Node]:
    """One training, selected on both domains' masks (`oracle`), or else on the source's; its test."""
    selected_on: SelectedOn = "both" if selection == "oracle" else "source"
    yield Node("segmentation", Segmentation(recipe=recipe.segmentation, selected_on=selected_on))
    yield Node("test", Test(recipe=recipe.evaluation, segmentation=recipe.segmentation), {"segmentor": "segmentation"})
