"""AttENT (Li et al. 2021) as the thesis's code compares with it: translation with attention, then adversarial entropy.

    translation     attent.translation, networks; medsearch.networks.cyclegan (gated skips)
    segmentation    attent.segmentation, networks; medsearch.losses.adversarial
    test            target cases are translated to the source contrast, then segmented

Parameters at the paper's sizes: a generator 11.170 M, a discriminator of images 2.763 M, DeepLab 42.505 M trained of
42.611 M, a discriminator of maps 2.764 M, all as measured of the released modules.

DeepLab starts from weights that the user provides by path (`segmentation.deeplab`), or from random ones, which its
manifest and log then say; the released code cannot be built without a checkpoint. The convolution that makes three
channels of one is in no checkpoint; its weights begin at 0.01 (SD) as released, at tiny scale as torch has them.

Selection: `source` segments source slices as they are, `oracle` target slices translated, and `pseudo-target` source
slices translated to the target contrast and back, which is how target slices come to the segmentor. (The released code
takes Dice over both domains' masks together.)

The discriminators of maps are trained by a hinge, of which they take half, as released; ADVENT has a cross-entropy.

Choices where the facts are silent: the four dilated convolutions of an output are summed; diseased slices are drawn in
the second stage as in the first. Annotated target slices, where the task shows any, enter the cross-entropy after
translation, in one mean with those of the source, as released. Departs from the released code: slices are augmented,
then translated as they are drawn, by generators in eval mode, instead of written translated once for all.
"""

from medsearch.methods.baselines.attent.recipe import make_recipe
from medsearch.methods.baselines.attent.stages import nodes
from medsearch.stages.method import Method

ATTENT = Method(
    name="attent",
    title="AttENT",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "compared", "scale": "paper"},
)
"""With the settings of the code that the thesis compares by; there is no other preset."""
