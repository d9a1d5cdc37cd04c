"""UAGAN (Yuan et al. 2019), as the thesis's code compares with it, and as its authors released it.

    networks    uagan.networks
    losses      uagan.training; medsearch.losses.dice, reconstruction
    total       uagan.training.SegmentationTraining.d_terms, g_terms
    stages      segmentation -> test

One generator for both contrasts: one stream segments, the other translates to the contrast that is asked for. It is
the fully supervised reference of Fig. 4.3, trained with all masks of both domains. Where the task shows fewer, slices
without a mask are translated like the others and take no part in the segmentation terms; with target_labels = 0 these
know source labels alone. Selection: `oracle` takes Dice over the validation masks of the domains that showed masks to
train with, both together as released; `source` and `pseudo-target` take the source's, and read no other.

Preset `compared` (default): three levels, hinge without gradient penalty, Dice twice (of an image and of its
translation), weights 20 / 1 / 1 / 10 for seg / rec / adv / cls, divided by 32, one slice of each contrast a step, over
which the hinge is a sum and all other terms are means; translated images are bounded by a tanh.
Preset `official`: four levels, WGAN with a gradient penalty of 10, cross-entropy with class weights 0.02 and 0.98
(weight 100, of the translation's growing over 60 epochs), 10 / 1 / 1 for rec / adv / cls, four slices of each contrast,
images that nothing bounds, Adam with betas (0, 0.999) whose rate falls over the last 40 of 100 epochs.

Both ask for the contrast of a random slice of the batch, which may be a slice's own; where slices are only segmented,
for their own.

Parameters at the paper's sizes, as compared: generator 14.952 M, discriminator 44.731 M, as measured of the released
module. Its mask has one logit where the official one has two, 65 parameters fewer, with the same losses.

Choice where the facts are silent: as compared, the betas are the other methods'. Departs from the official code: slices
are hemispheres, drawn and augmented as all other methods' are, in batches that hold as many of either contrast.
"""

from medsearch.methods.baselines.uagan.recipe import make_recipe
from medsearch.methods.baselines.uagan.stages import nodes
from medsearch.stages.method import Method

UAGAN = Method(
    name="uagan",
    title="UAGAN",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "compared", "scale": "paper"},
)
"""In one of its presets, `compared` or `official`."""
