"""AccSegNet's stages, and what they read; the training itself is imported when it starts.

segmentation ──> test
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.methods.baselines.accsegnet.recipe import AccSegNetRecipe, SegmentationRecipe
from medsearch.methods.baselines.recipe import SelectedOn, adapting
from medsearch.stages.context import StageContext
from medsearch.stages.method import SELECTING, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import SliceTest
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.training.inference import Segment


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Translation to the target contrast and segmentation in it, trained together."""

    name: ClassVar[str] = "accsegnet_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    selected_on: SelectedOn

    def reads(self) -> frozenset[str]:
        """Both domains' training parts; target masks are those of the labelled fraction."""
        return adapting(self.selected_on)

    def train(self, context: StageContext) -> Training:
        """Generators, segmentor and discriminators, trained together."""
        from medsearch.methods.baselines.accsegnet.training import SegmentationTraining

        return SegmentationTraining.train(self.recipe, selected_on=self.selected_on, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(SliceTest):
    """The test of a trained segmentor."""

    name: ClassVar[str] = "accsegnet_test"
    version: ClassVar[int] = 1
    segmentation: SegmentationRecipe

    def segment(self, context: StageContext) -> "Segment":
        """Target slices as they are, source slices translated."""
        from medsearch.methods.baselines.accsegnet.networks import AccSegNet
        from medsearch.methods.baselines.slices import load_segmentor

        network = load_segmentor(AccSegNet(self.segmentation), context)
        return network.segmentor if self.recipe.domain == "target" else network.segment_source


def nodes(recipe: AccSegNetRecipe, selection: Selection) -> Iterator[Node]:
    """One training, selected on target masks (`oracle`), or else on source masks by way of translation; its test."""
    yield Node("segmentation", Segmentation(recipe=recipe.segmentation, selected_on=SELECTING[selection]))
    yield Node("test", Test(recipe=recipe.evaluation, segmentation=recipe.segmentation), {"segmentor": "segmentation"})
