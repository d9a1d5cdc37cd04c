"""Supervised U-Net with M-GenSeg's backbone: the bars "Sup" and "no adaptation" of Fig. 4.3, Table 4.2's reference.

    network   GenSeg's encoder and residual/segmentation decoder, of which only the segmentation is trained
    loss      soft Dice (Eq. 4.3) over the diseased slices of a batch
    stages    segmentation -> test

The released code has no such model; encoder plus decoder are its closest, 6.437 M parameters. Weights, optimiser,
batch and epochs are M-GenSeg's. Whatever a study's selection rule, it is selected on the labels that it trains with: it
has no others. An epoch counts all diseased slices of the domains that it trains on, annotated or not.
"""

from medsearch.methods.baselines.unet.recipe import make_recipe
from medsearch.methods.baselines.unet.stages import nodes
from medsearch.stages.method import Method

SUPERVISED_UNET = Method(
    name="supervised_unet",
    title="SupervisedUNet",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "compared", "scale": "paper"},
)
"""Its knob `segmentation.supervision` says whose masks it learns from."""
