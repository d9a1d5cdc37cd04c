"""UAGAN's stages, and what they read; the training itself is imported when it starts.

segmentation ──> test
"""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.methods.baselines.reads import SelectedOn, adapting
from medsearch.methods.baselines.uagan.recipe import SegmentationRecipe, UAGANRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline
from medsearch.stages.stage import Stage, Training


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Segmentation and translation by one generator."""

    name: ClassVar[str] = "uagan_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    selected_on: SelectedOn

    @property
    def batch(self) -> int:
        """Slices of each contrast a step."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Both domains' training parts; of validation, what it may be selected on."""
        return adapting(self.selected_on)

    def train(self, context: StageContext) -> Training:
        """Every term with its weight."""
        from medsearch.methods.baselines.uagan.training import train

        return train(self.recipe, of=self.selected_on, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(Stage):
    """Scores on test cases, and pictures; the only stage that reads them."""

    name: ClassVar[str] = "uagan_test"
    version: ClassVar[int] = 1
    recipe: EvaluationRecipe
    segmentation: SegmentationRecipe

    def reads(self) -> frozenset[str]:
        """The test cases of one domain."""
        return self.recipe.reads()

    def train(self, context: StageContext) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.methods.baselines.uagan.training import test

        return test(self.recipe, self.segmentation, context)


def pipeline(recipe: UAGANRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """One training, selected on both domains' masks (`oracle`), or else on the source's."""
    selected_on: SelectedOn = "both" if selection == "oracle" else "source"
    nodes = [Node("segmentation", Segmentation(recipe=recipe.segmentation, selected_on=selected_on))]
    if test:
        stage = Test(recipe=recipe.evaluation, segmentation=recipe.segmentation)
        nodes.append(Node("test", stage, {"segmentor": "segmentation"}))
    return Pipeline(tuple(nodes))
