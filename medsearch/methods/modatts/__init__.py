"""MoDATTS: modality-agnostic domain adaptation for tumour segmentation (the thesis, chapter 5).

    Eq. 5.1        losses.adversarial_d, adversarial_g            the d_terms and g_terms of both trainings
    Eq. 5.2-5.3    losses.cycle, tumour_aware                     translator.Translator
    Eq. 5.4        translation.TranslationTraining.g_terms
    Eq. 5.5        losses.dice                                    segmentation.SegmentationTraining.supervised_terms
    Eq. 5.6-5.10   training.generative: from_presence, from_both
    Eq. 5.11       losses.reconstruction; L_lat: losses.latent
    Eq. 5.12       segmentation.SegmentationTraining.g_terms      losses.weights
    Eq. 5.13       segmentation.train with a student (λ_st = λ_pT)
    Table 5.1      medsearch.networks.discriminator     Table 5.2    networks.medformer
    5 folds        nodes, pictures.voted          Figures 5.4-5.6, 5.9, 5.10    pictures, attention

Departures from the paper, all as the released code does (which is the side to take where the paper's table and the
trained sizes disagree): discriminators have four strided convolutions of kernel 3; slices are padded to 256 x 256;
Medformer merges patches instead of resampling, its first attention level has four heads, and its channel columns are
those of Table 5.2 exchanged; coupled weight decay 1e-4; D's loss is scaled by the same weight as G's; Dice is
batch-wise and negative; L1 norms are means per voxel; pseudo-labels are hard; and the hinge adds its two parts, where
Eq. 5.1 as printed subtracts the second, by which D would gain from taking generated images for real ones. Departures
from the released code, all towards the paper: patients are disjoint, test cases are never trained on, contrasts are
normalised one by one, residual and segmentation decoders share their weights, masks are not shifted by a slice, the
seed is set before the networks are built.

Ours: forward passes are in bf16 on GPUs that have it, unless a study is run with --precision fp32 as the released code
is; pseudo-target volumes are 0 where their source is background, whatever the translator makes there; the warp of
slices holds their edges (`imaging.augmentation.slices`).

Where both are silent: the 2D variant sees slices of the same crops, diseased if any voxel of the half's slice is, and
trains on those of which a quarter is brain, in batches of 15; λ_seg between the paper's fractions is interpolated.
Folds are cut at the segmentation stage behind one translator, begin from the same weights, and vote by the mean of
their probabilities; of the tumours, the smallest third and the more heterogeneous half of the largest third come twice.

Stages: what each reads, and takes from which.

    translation ─> synthesis ─┬─> segmentation ──────────> self_training_1 ────────────> ... ─┬─> test
                              or, with `ensemble.folds` k of 2 or more,                       │
                              ├─> segmentation_fold_1 ──> self_training_1_fold_1 ──> ... ─────┤
                              └─> segmentation_fold_k ──> self_training_1_fold_k ──> ... ─────┘

Folds cut the source side's training and validation cases, all of which synthesis translates; so one translator serves
all of them, and its own validation cases train some.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.views import whole
from medsearch.core.errors import BadInput
from medsearch.core.files import digest, require_content
from medsearch.methods.modatts.recipe import (
    CROSSMODA,
    MoDATTSRecipe,
    SegmentationRecipe,
    SelfTrainingRecipe,
    SynthesisRecipe,
    TranslationRecipe,
    make_recipe,
)
from medsearch.stages.context import StageContext
from medsearch.stages.method import OWN, Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import SegmentationTest
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.stages.testing import Predictor

__all__ = ["CROSSMODA", "MODATTS"]

VALIDATION_READS = {
    "source": whole("source", "validation"),
    "pseudo-target": ("source.validation.masks", "source.validation.presence"),
    "oracle": whole("target", "validation"),
}
"""What the choice of the best epoch, and with it of the best trial, may see."""

KNOB, WANTED = "translation.imagenet", "R50+ViT-B_16.npz"
TARGET_TRAINING = whole("target", "train")
SOURCE_LABELS = ("source.train.masks", "source.train.presence")


@dataclass(frozen=True, kw_only=True)
class Translation(Stage):
    """Tumour-aware translation between both contrasts (section 5.4.1)."""

    name: ClassVar[str] = "translation"
    version: ClassVar[int] = 2
    recipe: TranslationRecipe
    imagenet: str = ""
    """Digest of the ImageNet weights that the encoders start from; empty: random."""

    def reads(self) -> frozenset[str]:
        """Never a target mask, never a test case."""
        source = ("source.train.images", "source.train.masks", "source.validation.images", "source.validation.masks")
        return frozenset((*source, "target.train.images"))

    def train(self, context: StageContext) -> Training:
        """Eqs. 5.1-5.4, on slices of both contrasts."""
        from medsearch.methods.modatts.translation import train

        require_content(self.recipe.imagenet, self.imagenet, knob=KNOB, wanted=WANTED)
        return train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class Synthesis(Stage):
    """Pseudo-target volumes of training and validation sources (section 5.5.1, Synthetic target data generation)."""

    name: ClassVar[str] = "synthesis"
    version: ClassVar[int] = 1
    recipe: SynthesisRecipe
    translation: TranslationRecipe

    def reads(self) -> frozenset[str]:
        """Source images of training and validation, no mask."""
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

    def reads(self) -> frozenset[str]:
        """Depends on what supervises: pseudo-target volumes come from upstream, with the source's masks."""
        parts = {
            "pseudo-target": (*SOURCE_LABELS, *TARGET_TRAINING),
            "source": (*SOURCE_LABELS, "source.train.images"),
            "target": TARGET_TRAINING,
        }[self.recipe.supervision]
        return frozenset((*parts, *VALIDATION_READS[self.selection]))

    def train(self, context: StageContext) -> Training:
        """Eqs. 5.5-5.12, on crops of half-brains or slices of them."""
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
        """Eq. 5.13, from the weights of the teacher."""
        from medsearch.methods.modatts.segmentation import train

        return train(self.segmentation, self.selection, context, student=self.recipe)


@dataclass(frozen=True, kw_only=True)
class Test(SegmentationTest):
    """The test of a segmentor, or of several that vote, under one recipe. Finalists and references alone have it."""

    name: ClassVar[str] = "test"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    translation: TranslationRecipe | None
    synthesis: SynthesisRecipe

    def reads(self) -> frozenset[str]:
        """Test images and masks of the target; of the source too what a translation is pictured by.

        Where nobody's test images are of both contrasts, these are validation cases.
        """
        sources = {"source.test.images", "source.validation.images", "source.validation.masks"}
        return super().reads() | (sources if self.translation else frozenset())

    def predictor(self, context: StageContext) -> "Predictor":
        """The segmentors, with the translator that they were trained behind."""
        from medsearch.methods.modatts.pictures import predictor

        return predictor(self.recipe, context, translation=self.translation, synthesis=self.synthesis)


def nodes(recipe: MoDATTSRecipe, selection: Selection) -> Iterator[Node]:
    """Translation, synthesis, segmentation and the rounds of self-training, or a reference's segmentation; the test.

    A reference is selected on the labels it trains with, whatever the study's rule: it has no others. The source is not
    cut into folds where there is one segmentor, or where it learns from target labels alone.

    Raises:
        BadInput: the recipe names a file of weights that is not there, or a number of folds that cannot be.
    """
    supervision, count = recipe.segmentation.supervision, recipe.ensemble.folds
    if count < 1:
        msg = f"knob 'ensemble.folds' is the number of segmentors that vote, 1 or more; got {count}"
        raise BadInput(msg)
    adapted, translation, synthesis = supervision == "pseudo-target", recipe.translation, recipe.synthesis
    upstream: dict[str, str] = {}
    if adapted:
        imagenet = digest(translation.imagenet, knob=KNOB, wanted=WANTED)
        yield Node("translation", Translation(recipe=translation, imagenet=imagenet))
        yield Node("synthesis", Synthesis(recipe=synthesis, translation=translation), {"translation": "translation"})
        upstream = {"synthesis": "synthesis"}
    segmentation = Segmentation(recipe=recipe.segmentation, selection=OWN.get(supervision, selection))
    one_round = dataclasses.replace(recipe.self_training, rounds=1)  # a round does not depend on how many follow
    student = SelfTraining(recipe=one_round, segmentation=recipe.segmentation, selection=selection)
    folds: list[tuple[str, dict[str, int]]] = [("", {})]
    if count > 1 and supervision != "target":
        folds = [(f"_fold_{number + 1}", {"folds": count, "fold": number}) for number in range(count)]
    segmentors = []
    for suffix, task in folds:
        name = f"segmentation{suffix}"
        yield Node(name, segmentation, upstream, task)
        for number in range(1, recipe.self_training.rounds + 1 if adapted else 1):
            teacher, name = name, f"self_training_{number}{suffix}"
            yield Node(name, student, {"teacher": teacher, **upstream}, task)
        segmentors.append(name)
    test = Test(recipe=recipe.segmentation, translation=translation if adapted else None, synthesis=synthesis)
    roles = ["segmentor"] if len(segmentors) == 1 else [f"segmentor_{place}" for place in range(1, len(segmentors) + 1)]
    voting = dict(zip(roles, segmentors, strict=True))
    yield Node("test", test, {**voting, "translation": "translation"} if adapted else voting)


MODATTS = Method(
    name="modatts",
    title="MoDATTS",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"variant": "semi-supervised", "preset": "paper", "scale": "paper", "dimensions": 3},
    wants={"released": {"normalisation": "joint"}},
)
"""In one of its variants, `self-supervised` or `semi-supervised`, and presets, `paper` or `released`.

With `dimensions` 2 the segmentation stage sees axial slices: the paper's comparison with 2D methods. The released code
normalises all contrasts together.
"""
