"""AttENT's stages, and what they read; the training itself is imported when it starts.

translation ──> segmentation ──> test
           └─────────────────────┘
"""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.core.files import digest, require_content
from medsearch.data.patches import SliceRule
from medsearch.methods.baselines.attent.recipe import AttENTRecipe, SegmentationRecipe, TranslationRecipe
from medsearch.methods.baselines.reads import adapting, unannotated
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.method import SELECTING, Selection
from medsearch.stages.pipelines import Node, Pipeline
from medsearch.stages.stage import Stage, Training

KNOB, WEIGHTS = "segmentation.deeplab", "weights of DeepLab-v2 or of an ImageNet ResNet-101"


@dataclass(frozen=True, kw_only=True)
class Translation(Stage):
    """A CycleGAN with gated skips between diseased slices of both contrasts."""

    name: ClassVar[str] = "attent_translation"
    version: ClassVar[int] = 1
    recipe: TranslationRecipe
    slices: SliceRule

    @property
    def batch(self) -> int:
        """Slices of each contrast a step."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """No mask; the weak labels of slices tell which are diseased."""
        parts = (*unannotated("source", "train"), *unannotated("target", "train"))
        return frozenset((*parts, *unannotated("source", "validation")))

    def train(self, context: StageContext) -> Training:
        """Hinge and cycle."""
        from medsearch.methods.baselines.attent.translation import train

        return train(self.recipe, self.slices, context)


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Segmentation in the source domain."""

    name: ClassVar[str] = "attent_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    translation: TranslationRecipe
    selection: Selection
    deeplab: str = ""
    """Digest of the weights that the backbone starts from; empty: random."""

    @property
    def batch(self) -> int:
        """Slices of each contrast a step."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Both domains' training parts; target masks are those of the labelled fraction."""
        return adapting(SELECTING[self.selection])

    def train(self, context: StageContext) -> Training:
        """Cross-entropy and adversarial entropy minimisation."""
        from medsearch.methods.baselines.attent.segmentation import train

        require_content(self.recipe.deeplab, self.deeplab, knob=KNOB, wanted=WEIGHTS)
        return train(self.recipe, translation=self.translation, selection=self.selection, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(Stage):
    """Scores on test cases, and pictures; the only stage that reads them."""

    name: ClassVar[str] = "attent_test"
    version: ClassVar[int] = 1
    recipe: EvaluationRecipe
    segmentation: SegmentationRecipe
    translation: TranslationRecipe

    def reads(self) -> frozenset[str]:
        """The test cases of one domain."""
        return self.recipe.reads()

    def train(self, context: StageContext) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.methods.baselines.attent.segmentation import test

        return test(self.recipe, self.segmentation, translation=self.translation, context=context)


def pipeline(recipe: AttENTRecipe, *, selection: Selection, test: bool) -> Pipeline:
    """Translation, segmentation, and maybe the test.

    Raises:
        BadInput: the recipe names a file of weights that is not there.
    """
    translation, segmentation = recipe.translation, recipe.segmentation
    weights = digest(segmentation.deeplab, knob=KNOB, wanted=WEIGHTS)
    stage = Segmentation(recipe=segmentation, translation=translation, selection=selection, deeplab=weights)
    nodes = [
        Node("translation", Translation(recipe=translation, slices=segmentation.slices)),
        Node("segmentation", stage, {"translation": "translation"}),
    ]
    if test:
        last = Test(recipe=recipe.evaluation, segmentation=segmentation, translation=translation)
        nodes.append(Node("test", last, {"segmentor": "segmentation", "translation": "translation"}))
    return Pipeline(tuple(nodes))
