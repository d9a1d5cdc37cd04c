"""MoDATTS as stages: what each reads and takes; the training itself is imported when it starts.

translation ──> synthesis ──> segmentation ──> self_training_1 ──> ... ──> test
"""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.core.files import require_content
from medsearch.methods.modatts.recipe import (
    SegmentationRecipe,
    SelfTrainingRecipe,
    SynthesisRecipe,
    TranslationRecipe,
)
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Stage, Training

VALIDATION_READS = {
    "source": ("source.validation.images", "source.validation.masks", "source.validation.presence"),
    "pseudo-target": ("source.validation.masks", "source.validation.presence"),
    "oracle": ("target.validation.images", "target.validation.masks", "target.validation.presence"),
}
"""What the choice of the best epoch, and with it of the best trial, may see."""

KNOB, WEIGHTS = "translation.imagenet", "R50+ViT-B_16.npz"
TARGET_TRAINING = ("target.train.images", "target.train.masks", "target.train.presence")
SOURCE_LABELS = ("source.train.masks", "source.train.presence")


@dataclass(frozen=True, kw_only=True)
class Translation(Stage):
    """Tumour-aware modality translation (section 5.4.1)."""

    name: ClassVar[str] = "translation"
    version: ClassVar[int] = 2
    recipe: TranslationRecipe
    imagenet: str = ""
    """Digest of the ImageNet weights that the encoders start from; empty: random."""

    @property
    def batch(self) -> int:
        """Slices a step."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Never a target mask, never a test case."""
        source = ("source.train.images", "source.train.masks", "source.validation.images", "source.validation.masks")
        return frozenset((*source, "target.train.images"))

    def train(self, context: StageContext) -> Training:
        """Eqs. 5.1-5.4."""
        from medsearch.methods.modatts.translation import train

        require_content(self.recipe.imagenet, self.imagenet, knob=KNOB, wanted=WEIGHTS)
        return train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class Synthesis(Stage):
    """Pseudo-target volumes of training and validation sources (section 5.5.1, Synthetic target data generation)."""

    name: ClassVar[str] = "synthesis"
    version: ClassVar[int] = 1
    recipe: SynthesisRecipe
    translation: TranslationRecipe

    def reads(self) -> frozenset[str]:
        """Source images only."""
        return frozenset(("source.train.images", "source.validation.images"))

    def train(self, context: StageContext) -> Training:
        """Translate slice by slice, then stack."""
        from medsearch.methods.modatts.synthesis import synthesise

        return synthesise(self.recipe, self.translation, context)


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Target-modality segmentation (section 5.4.2), or its references without adaptation and with target labels."""

    name: ClassVar[str] = "segmentation"
    version: ClassVar[int] = 4
    recipe: SegmentationRecipe
    selection: Selection

    @property
    def batch(self) -> int:
        """Crops (slices in 2D) a step."""
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        """Depends on what supervises: pseudo-target volumes come from upstream, with the source's masks."""
        parts = {
            "pseudo-target": (*SOURCE_LABELS, *TARGET_TRAINING),
            "source": (*SOURCE_LABELS, "source.train.images"),
            "target": TARGET_TRAINING,
        }[self.recipe.supervision]
        return frozenset((*parts, *VALIDATION_READS[self.selection]))

    def train(self, context: StageContext) -> Training:
        """Eqs. 5.5-5.12."""
        from medsearch.methods.modatts.segmentation import train

        return train(self.recipe, self.selection, context)


@dataclass(frozen=True, kw_only=True)
class SelfTraining(Stage):
    """One round of self-training: pseudo-labels from the teacher upstream, then training goes on from its weights."""

    name: ClassVar[str] = "self_training"
    version: ClassVar[int] = 4
    recipe: SelfTrainingRecipe
    segmentation: SegmentationRecipe
    selection: Selection

    @property
    def batch(self) -> int:
        """Crops (slices in 2D) a step."""
        return self.segmentation.batch

    def reads(self) -> frozenset[str]:
        """The same parts as the segmentation stage."""
        return frozenset((*SOURCE_LABELS, *TARGET_TRAINING, *VALIDATION_READS[self.selection]))

    def train(self, context: StageContext) -> Training:
        """Eq. 5.13."""
        from medsearch.methods.modatts.self_training import train

        return train(self.recipe, self.segmentation, selection=self.selection, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(Stage):
    """Scores on test cases, and pictures; the only stage that reads them. Finalists and references alone have it.

    Its segmentor upstream, or several that vote, segment under one recipe.
    """

    name: ClassVar[str] = "test"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    translation: TranslationRecipe | None
    synthesis: SynthesisRecipe

    def reads(self) -> frozenset[str]:
        """Test images and masks of the target; of the source too what a translation is pictured by.

        Where nobody's test images are of both contrasts, these are validation cases.
        """
        parts = {"target.test.images", "target.test.masks", "target.test.presence"}
        sources = {"source.test.images", "source.validation.images", "source.validation.masks"}
        return frozenset(parts | sources if self.translation else parts)

    def train(self, context: StageContext) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.methods.modatts.evaluation import evaluate

        return evaluate(self.recipe, context, translation=self.translation, synthesis=self.synthesis)
