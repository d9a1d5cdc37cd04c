"""Supervised U-Net with M-GenSeg's backbone: the bars "Sup" and "no adaptation" of Fig. 4.3, Table 4.2's reference.

    network   GenSeg's encoder and residual/segmentation decoder, of which only the segmentation is trained
    loss      soft Dice (Eq. 4.3) over the diseased slices of a batch
    stages    segmentation -> test

The released code has no such model; encoder plus decoder are its closest, 6.437 M parameters. Weights, optimiser,
batch and epochs are M-GenSeg's. Whatever a study's selection rule, it is selected on the labels that it trains with: it
has no others. An epoch counts all diseased slices of the domains that it trains on, annotated or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.views import whole
from medsearch.methods.baselines.recipe import sides
from medsearch.methods.baselines.unet.recipe import SegmentationRecipe, SupervisedUNetRecipe, make_recipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import SliceTest
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.training.inference import Segment


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Supervised by one domain's masks, or both."""

    name: ClassVar[str] = "supervised_unet_segmentation"
    version: ClassVar[int] = 1
    recipe: SegmentationRecipe

    def reads(self) -> frozenset[str]:
        """Training and validation parts of the domains that supervise."""
        domains = sides(self.recipe.supervision)
        return frozenset(part for domain in domains for part in (*whole(domain, "train"), *whole(domain, "validation")))

    def train(self, context: StageContext) -> Training:
        """Soft Dice (Eq. 4.3) over annotated slices."""
        from medsearch.methods.baselines.unet.training import SegmentationTraining

        return SegmentationTraining.train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class Test(SliceTest):
    """The test of a trained segmentor."""

    name: ClassVar[str] = "supervised_unet_test"
    version: ClassVar[int] = 1
    segmentation: SegmentationRecipe

    def segment(self, context: StageContext) -> "Segment":
        """The network segments slices of either domain alike."""
        from medsearch.methods.baselines.unet.training import UNet

        return context.trained("segmentor", UNet(self.segmentation.network), "network")


def nodes(recipe: SupervisedUNetRecipe, selection: Selection) -> Iterator[Node]:  # noqa: ARG001
    """One training and its test; whatever the rule, the model is selected on the labels that it trains with."""
    yield Node("segmentation", Segmentation(recipe=recipe.segmentation))
    yield Node("test", Test(recipe=recipe.evaluation, segmentation=recipe.segmentation), {"segmentor": "segmentation"})


SUPERVISED_UNET = Method(
    name="supervised_unet",
    title="SupervisedUNet",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "compared", "scale": "paper"},
)
"""Its knob `segmentation.supervision` says whose masks it learns from."""
