"""AccSegNet (Zhou et al. 2021), as the thesis's code compares with it, and as its authors released it.

    networks    accsegnet.networks; medsearch.networks.cyclegan
    losses      accsegnet.losses; medsearch.losses.adversarial, dice
    total       accsegnet.training.SegmentationTraining.g_terms
    stages      segmentation (translation and segmentation at once) -> test

Preset `compared` (default) is what the comparison of chapters 4 and 5 trained: a CycleGAN with hinge losses (1), MSE
identity (1), MSE cycle (2), 1 - corr² in both directions (1), and one Dice over source slices translated to the target
and target slices, as far as annotated (1); MIND and PatchNCE have weight 0. All translated and all target slices of a
step pass by the segmentor's batch norms, annotated or not. Preset `official` is the authors' one-way CUT with LSGAN,
PatchNCE, MIND, 1 - corr² and a Dice with squares, Adam at 2e-4 decaying over the last 200 of 400 epochs; there batch
norms see translated slices alone, and target slices where a task has masks of them, which the authors' own have not.

Parameters at the paper's sizes: a generator 11.366 M, the segmentor 13.836 M, a discriminator 2.763 M, all as measured
of the released modules; MIND's 11 052 fixed numbers are not trained here.

Selection: a source image is segmented by way of its translation, the only contrast that the segmentor knows, so the
rules `source` and `pseudo-target` are one here (the released code takes Dice over both domains' masks together).

Choices where the facts are silent: both contrasts' diseased slices are drawn, as for AttENT; an epoch counts the longer
of the two lists. Departs from the official code: slices are augmented as all other methods' are, and the epoch
that validates best is kept, not the last.

At tiny scale, T1 to T2 on phantoms, both forms find the target contrast and lose it again, so that selection decides.
The comparison's had test Dice 0.20 and 0.44 with two seeds (validation Dice of the second: 0.49 after 4 of 10 epochs,
0.04 after 10). The official one had 0.08 with one seed, and validation Dice 0.02 after 2 epochs, 0.08 after 4; without
PatchNCE 0.29 and 0.03, and with PatchNCE that leaves out layer 0, the image itself, 0.58 and 0.00. So that layer may
resist the inversion of intensities that T1 to T2 is (background is 0 here, -1 in the authors' data), but what is found
without it is lost as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.methods.baselines.accsegnet.recipe import AccSegNetRecipe, SegmentationRecipe, make_recipe
from medsearch.methods.baselines.recipe import Adaptation
from medsearch.stages.context import StageContext
from medsearch.stages.method import SELECTING, Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import SliceTest
from medsearch.stages.stage import Training

if TYPE_CHECKING:
    from medsearch.training.inference import Segment


@dataclass(frozen=True, kw_only=True)
class Segmentation(Adaptation):
    """Translation to the target contrast and segmentation in it, trained together."""

    name: ClassVar[str] = "accsegnet_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe

    def train(self, context: StageContext) -> Training:
        """Generators, segmentor and discriminators, trained together."""
        from medsearch.methods.baselines.accsegnet.training import SegmentationTraining

        return SegmentationTraining.train(self.recipe, selected_on=self.selected_on, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(SliceTest):
    """The test of a trained segmentor."""

    name: ClassVar[str] = "accsegnet_test"
    version: ClassVar[int] = 1
    segmentation: SegmentationRecipe

    def segment(self, context: StageContext) -> "Segment":
        """Target slices as they are, source slices translated."""
        from medsearch.methods.baselines.accsegnet.networks import AccSegNet

        network = context.trained("segmentor", AccSegNet(self.segmentation), "network")
        return network.segmentor if self.recipe.domain == "target" else network.segment_source


def nodes(recipe: AccSegNetRecipe, selection: Selection) -> Iterator[Node]:
    """One training, selected on target masks (`oracle`), or else on source masks by way of translation; its test."""
    yield Node("segmentation", Segmentation(recipe=recipe.segmentation, selected_on=SELECTING[selection]))
    yield Node("test", Test(recipe=recipe.evaluation, segmentation=recipe.segmentation), {"segmentor": "segmentation"})


ACCSEGNET = Method(
    name="accsegnet",
    title="AccSegNet",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "compared", "scale": "paper"},
)
"""In one of its presets, `compared` or `official`."""
