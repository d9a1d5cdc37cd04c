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
    5 folds        stages, pictures.voted         Figures 5.4-5.6, 5.9, 5.10    pictures, attention

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
"""

from medsearch.methods.modatts.recipe import CROSSMODA, make_recipe
from medsearch.methods.modatts.stages import nodes
from medsearch.stages.method import Method

__all__ = ["CROSSMODA", "MODATTS"]

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
