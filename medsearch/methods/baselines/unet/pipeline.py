"""The supervised U-Net's stages, and what they read; the training itself is imported when it starts.

segmentation ──> test
"""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.data.views import whole
from medsearch.methods.baselines.reads import sides, validation
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe, SupervisedUNetRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node, Pipeline
from medsearch.stages.stage import Stage, Training


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Supervised by one domain's masks, or both."""

    name: ClassVar[str] = "supervised_unet_segmentation"
    version: ClassVar[int] = 1
    recipe: SegmentationRecipe

    @property
    def batch(self) -> int:
        """Slices a step."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Training and validation parts of the domains that supervise."""
        supervision = self.recipe.supervision
        parts = (part for domain in sides(supervision) for part in whole(domain, "train"))
        return frozenset((*parts, *validation(supervision)))

    def train(self, context: StageContext) -> Training:
        """Eq. 4.3."""
        from medsearch.methods.baselines.unet.training import train

        return train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class Test(Stage):
    """Scores on test cases, and pictures; the only stage that reads them."""

    name: ClassVar[str] = "supervised_unet_test"
    version: ClassVar[int] = 1
    recipe: EvaluationRecipe
    segmentation: SegmentationRecipe

    def reads(self) -> frozenset[str]:
        """The test cases of one domain."""
        return self.recipe.reads()

    def train(self, context: StageContext) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.methods.baselines.unet.training import test

        return test(self.recipe, self.segmentation, context)


def pipeline(recipe: SupervisedUNetRecipe, *, selection: Selection, test: bool) -> Pipeline:  # noqa: ARG001
    """One training; `selection` plays no part, for the model is selected on the labels that it trains with."""
    nodes = [Node("segmentation", Segmentation(recipe=recipe.segmentation))]
    if test:
        stage = Test(recipe=recipe.evaluation, segmentation=recipe.segmentation)
        nodes.append(Node("test", stage, {"segmentor": "segmentation"}))
    return Pipeline(tuple(nodes))
