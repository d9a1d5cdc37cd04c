"""CycleGAN (Zhu et al. 2017) between two contrasts of CT: no slice is paired with another, and nothing is constrained.

    Networks, losses, image pool, decay     networks.cyclegan, training.cyclegan, training.recipes
    Stages                                  cyclegan.stages: a translation and its test

What other methods add to a CycleGAN is measured against it. Sizes are those of the SSBR CycleGAN's, and so is the
mini-batch, so that the two see as many slices. An epoch has as many iterations as the larger domain has patients, and
a batch's slices are drawn from all patients of a domain. Forward passes are in bf16 on GPUs that have it, unless a
study is run with --precision fp32.
"""

from medsearch.methods.cyclegan.recipe import make_recipe
from medsearch.methods.cyclegan.stages import nodes
from medsearch.stages.method import Method

CYCLEGAN = Method(
    name="cyclegan", title="CycleGAN", make_recipe=make_recipe, make_nodes=nodes, rules=("none", "oracle")
)
"""Nothing is looked at to pick an epoch; with "oracle" some pairs score what is searched."""
