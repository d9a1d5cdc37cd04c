"""M-GenSeg as stages: segmentation, trained end to end, then its test; torch is imported when they start."""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.data.views import whole
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.method import SELECTING, Selection
from medsearch.stages.stage import Stage, Training


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """The training of section 4.3."""

    name: ClassVar[str] = "mgenseg_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    selection: Selection

    @property
    def batch(self) -> int:
        """Slices of each kind a step: diseased and healthy ones of every modality."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Images, known masks and all image-level labels; source images beside target ones, if the rule allows it."""
        training = (part for domain in self.recipe.domains for part in whole(domain, "train"))
        selecting = whole(SELECTING[self.selection], "validation")
        besides: tuple[str, ...] = ()
        if self.selection == "oracle" and "source" in self.recipe.domains:
            both = self.recipe.selected_on == "both"
            besides = whole("source", "validation") if both else ("source.validation.images",)  # beside translations
        return frozenset((*training, *selecting, *besides))

    def train(self, context: StageContext) -> Training:
        """Eqs. 4.1-4.5."""
        from medsearch.methods.mgenseg.training import train

        return train(self.recipe, self.selection, context)


@dataclass(frozen=True, kw_only=True)
class Test(Stage):
    """Scores on test cases of one modality, and pictures; the only stage that reads them."""

    name: ClassVar[str] = "mgenseg_test"
    version: ClassVar[int] = 1
    recipe: SegmentationRecipe
    evaluation: EvaluationRecipe

    def reads(self) -> frozenset[str]:
        """Test images and masks of the modality."""
        return self.evaluation.reads()

    def train(self, context: StageContext) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.methods.mgenseg.evaluation import evaluate

        return evaluate(self.recipe, self.evaluation, context)
