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

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from medsearch.methods.baselines.recipe import Adaptation, SelectedOn
from medsearch.methods.baselines.uagan.recipe import SegmentationRecipe, UAGANRecipe, make_recipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import SliceTest
from medsearch.stages.stage import Training

if TYPE_CHECKING:
    from medsearch.training.inference import Segment


@dataclass(frozen=True, kw_only=True)
class Segmentation(Adaptation):
    """Segmentation and translation by one generator."""

    name: ClassVar[str] = "uagan_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe

    def train(self, context: StageContext) -> Training:
        """Segmentation, translation and the discriminator, trained together."""
        from medsearch.methods.baselines.uagan.training import SegmentationTraining

        return SegmentationTraining.train(self.recipe, selected_on=self.selected_on, context=context)


@dataclass(frozen=True, kw_only=True)
class Test(SliceTest):
    """The test of a trained generator's segmentation."""

    name: ClassVar[str] = "uagan_test"
    version: ClassVar[int] = 1
    segmentation: SegmentationRecipe

    def segment(self, context: StageContext) -> "Segment":
        """Slices of the domain that is scored, as ones of its contrast."""
        from medsearch.methods.baselines.uagan.networks import Generator

        generator = context.trained("segmentor", Generator(self.segmentation.network), "generator")
        return partial(generator.segment, domain=self.recipe.domain)


def nodes(recipe: UAGANRecipe, selection: Selection) -> Iterator[Node]:
    """One training, selected on both domains' masks (`oracle`), or else on the source's; its test."""
    selected_on: SelectedOn = "both" if selection == "oracle" else "source"
    yield Node("segmentation", Segmentation(recipe=recipe.segmentation, selected_on=selected_on))
    yield Node("test", Test(recipe=recipe.evaluation, segmentation=recipe.segmentation), {"segmentor": "segmentation"})


UAGAN = Method(
    name="uagan",
    title="UAGAN",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "compared", "scale": "paper"},
)
"""In one of its presets, `compared` or `official`."""
