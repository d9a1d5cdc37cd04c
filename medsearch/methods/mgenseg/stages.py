"""M-GenSeg as stages: segmentation, trained end to end, then its test; torch is imported when they start."""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.methods.mgenseg.recipe import Modalities, SegmentationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.evaluation import EvaluationRecipe
from medsearch.stages.method import Selection
from medsearch.stages.stage import Stage, Training

TRAINING: dict[Modalities, tuple[str, ...]] = {
    "source and target": ("source", "target"),
    "source": ("source",),
    "target": ("target",),
}
VALIDATION_READS = {
    "source": ("source.validation.images", "source.validation.masks", "source.validation.presence"),
    "pseudo-target": ("source.validation.images", "source.validation.masks", "source.validation.presence"),
    "oracle": ("target.validation.images", "target.validation.masks", "target.validation.presence"),
}
"""What the choice of the best epoch may see: source slices as they are or translated, or target slices."""


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """The training of section 4.3."""

    name: ClassVar[str] = "mgenseg_segmentation"
    version: ClassVar[int] = 1
    recipe: SegmentationRecipe
    selection: Selection

    @property
    def batch(self) -> int:
        """Slices of each kind a step: diseased and healthy ones of every modality."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Images, known masks and all image-level labels; source images beside target ones, if the rule allows it."""
        kinds = ("images", "masks", "presence")
        training = {f"{domain}.train.{kind}" for domain in TRAINING[self.recipe.modalities] for kind in kinds}
        both = self.recipe.modalities == "source and target"
        pairs = {"source.validation.images"} if both and self.selection == "oracle" else set()
        return frozenset({*training, *VALIDATION_READS[self.selection], *pairs})

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
