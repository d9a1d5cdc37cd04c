"""AccSegNet's stages, and what they read; the training itself is imported when it starts.

segmentation ──> test
"""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.methods.baselines.accsegnet.recipe import AccSegNetRecipe, SegmentationRecipe
from medsearch.methods.baselines.reads import SelectedOn, adapting
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.method import SELECTING, Selection
from medsearch.stages.pipelines import Node, Pipeline
from medsearch.stages.stage import Stage, Training


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Translation and segmentation, trained together."""

    name: ClassVar[str] = "accsegnet_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    selected_on: SelectedOn

    @property
    def batch(self) -> int:
        """Slices of each contrast a step."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Both domains' training parts; target masks are those of the labelled fraction."""
        return adapting(self.selected_on)

    def train(self, context: StageContext) -> Training:
        """Every term with its weight."""
        from medsearch.methods.baselines.accsegnet.training import train

        return train(self.recipe, of=self.selected_on, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(Stage):
    """Scores on test cases, and pictures; the only stage that reads them."""

    name: ClassVar[str] = "accsegnet_test"
    version: ClassVar[int] = 1
    recipe: EvaluationRecipe
    segmentation: SegmentationRecipe

    def reads(self) -> frozenset[str]:
        """The test cases of one domain."""
        return self.recipe.reads()

    def train(self, context: StageContext) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.methods.baselines.accsegnet.training import test

        return test(self.recipe, self.segmentation, context)


def pipeline(recipe: AccSegNetRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """One training, selected on target masks (`oracle`), or else on source masks by way of translation."""
    stage = Segmentation(recipe=recipe.segmentation, selected_on=SELECTING[selection])
    nodes = [Node("segmentation", stage)]
    if test:
        last = Test(recipe=recipe.evaluation, segmentation=recipe.segmentation)
        nodes.append(Node("test", last, {"segmentor": "segmentation"}))
    return Pipeline(tuple(nodes))
