"""M-GenSeg: image-level supervision for cross-modality tumour segmentation in 2D (the thesis, chapter 4).

    Eq. 4.1, 4.2      training.generative: from_presence, from_both
    Eq. 4.3           losses.segmentation              Eq. 4.4    losses.reconstruction.reconstruction
    L_lat, L_adv      losses.codes.latent              losses.adversarial
    Eq. 4.5           training.MGenSegTraining.g_terms
    Fig. 4.1          networks                         Fig. 4.2   pictures
    Table 4.1         knobs of `recipe`: all three weights.gen = 0; translate_modality = "diseased";
                      translate = "presence-to-absence"; latent = "separate"
    Weights (4.3.2)   validation: what each group of weights is tuned for

GenSeg itself (one modality with image-level labels, some of it annotated) is `GENSEG`, a configuration: no modality
translation, sizes and weights of M-GenSeg.

Departures from the paper, all as the released code does: 480 channels at the bottleneck, of which 128 are the unique
code, instead of GenSeg's 512; gates are doubled and share their batch norms between residual and segmentation; coupled
weight decay 1e-4 and spectral norm; D's loss is scaled by the same weight as G's; Dice is batch-wise and negative; L1
norms are means per pixel; the sampled unique code is spatial; slices are used if more than a quarter of them is brain;
λ_seg is 20. Departures from the released code towards the paper: patients are disjoint, contrasts are normalised one
by one, a slice is diseased from 1 % of its brain area on (in the preset `released` from 4 % on, where the code itself
asks for more than that), the seed is set before the networks are built.

Ours: forward passes are in bf16 on GPUs that have it, unless a study is run with --precision fp32 as the released code
is; the warp of slices holds their edges (`imaging.augmentation.slices`); images that take the same network go through
it together, and spectra are estimated once a step, so batch norms see diseased and healthy images at once; without
absence to presence translation no healthy image is reconstructed either; the released code's passes that feed no loss
(4 encoder and 4 decoder passes of self-translation, 2 residuals of pseudo-images) are not run; codes are drawn from the
run's own seed.

λ_seg is the same whatever fraction is annotated, as released: section 4.3.3 says that the best one varies and prints
none. The preset `scheduled` lowers it by the factors of section 5.5.1, so that 0.0039 and 0.0004 of all weights are
left at 10 and 1 %; its gradient on the norms and heads that only it trains is then 1.4 and 0.14 of weight decay's
(fresh networks of the paper's sizes, noise for images). Measured with studies/lambda_seg_schedule.py, T1 → T2 on
phantoms at tiny scale with 240 steps of two slices, test Dice over three seeds:

    annotated    constant         lowered
    1 %          0.220 ± 0.122    0.152 ± 0.105
    10 %         0.279 ± 0.274    0.345 ± 0.119
    40 %         0.345 ± 0.312    0.542 ± 0.123

Over the three fractions, lowered differs from constant by +0.065, with a 95 % interval of [-0.345, +0.476]: it holds 0,
hence the released constant.

Stages: segmentation, trained end to end, then its test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.views import whole
from medsearch.core.errors import BadInput
from medsearch.methods.mgenseg.recipe import MGenSegRecipe, SegmentationRecipe, make_genseg_recipe, make_recipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import OWN, SELECTING, Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import EvaluationRecipe, SegmentationTest
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.stages.testing import Predictor


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """M-GenSeg's one training, end to end (section 4.3)."""

    name: ClassVar[str] = "mgenseg_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    selection: Selection

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
        """Minimise Eq. 4.5 in all networks but the discriminators."""
        from medsearch.methods.mgenseg.training import train

        return train(self.recipe, self.selection, context)


@dataclass(frozen=True, kw_only=True)
class Test(SegmentationTest):
    """Scores of the networks of one modality on its test cases; the only stage that reads them."""

    name: ClassVar[str] = "mgenseg_test"
    version: ClassVar[int] = 1
    recipe: SegmentationRecipe
    evaluation: EvaluationRecipe

    @property
    def evaluated(self) -> EvaluationRecipe:
        """Which slices of which domain are scored, and how."""
        return self.evaluation

    def predictor(self, context: StageContext) -> "Predictor":
        """The trained networks of the modality that is scored, with their pictures."""
        from medsearch.methods.mgenseg.pictures import predictor

        return predictor(self.recipe, self.evaluation, context)


def nodes(recipe: MGenSegRecipe, selection: Selection) -> Iterator[Node]:
    """The training and its test. GenSeg alone is selected by its own labels, whatever the study's rule.

    Raises:
        BadInput: the modality that is to be tested was not trained.

    """
    modalities, tested = recipe.segmentation.modalities, recipe.evaluation.domain
    if tested not in recipe.segmentation.domains:
        msg = f"knob 'evaluation.domain' is {tested!r}, but segmentation.modalities={modalities!r} trains no {tested}"
        raise BadInput(msg)
    yield Node("segmentation", Segmentation(recipe=recipe.segmentation, selection=OWN.get(modalities, selection)))
    test = Test(recipe=recipe.segmentation, evaluation=recipe.evaluation)
    yield Node("test", test, {"segmentation": "segmentation"})


MGENSEG = Method(
    name="mgenseg",
    title="MGenSeg",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "paper", "scale": "paper"},
    wants={"released": {"normalisation": "joint"}},
)
"""In one of its presets, `paper`, `released` or `scheduled`; the released code normalises all contrasts together."""

GENSEG = Method(
    name="mgenseg",
    title="GenSeg",
    make_recipe=make_genseg_recipe,
    make_nodes=nodes,
    settings={"modality": "target", "scale": "paper"},
)
"""GenSeg on one modality: all of it labelled diseased or healthy by slice, as much annotated as the task says."""
