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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.patches import SliceRule
from medsearch.core.files import digest, require_content
from medsearch.methods.baselines.attent.recipe import AttENTRecipe, SegmentationRecipe, TranslationRecipe, make_recipe
from medsearch.methods.baselines.recipe import adapting
from medsearch.stages.context import STATES, StageContext
from medsearch.stages.method import SELECTING, Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import SliceTest
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.training.inference import Segment

KNOB, WANTED = "segmentation.deeplab", "weights of DeepLab-v2 or of an ImageNet ResNet-101"


@dataclass(frozen=True, kw_only=True)
class Translation(Stage):
    """A CycleGAN with gated skips between diseased slices of both contrasts."""

    name: ClassVar[str] = "attent_translation"
    version: ClassVar[int] = 1
    recipe: TranslationRecipe
    slices: SliceRule

    def reads(self) -> frozenset[str]:
        """No mask; the weak labels of slices tell which are diseased."""
        parts = ("source.train", "target.train", "source.validation")
        return frozenset(f"{part}.{kind}" for part in parts for kind in ("images", "presence"))

    def train(self, context: StageContext) -> Training:
        """The hinge between images, and the cycle."""
        from medsearch.methods.baselines.attent.translation import train

        return train(self.recipe, self.slices, context)


@dataclass(frozen=True, kw_only=True)
class Segmentation(Stage):
    """Segmentation in the source domain, to which target slices are translated."""

    name: ClassVar[str] = "attent_segmentation"
    version: ClassVar[int] = 2
    recipe: SegmentationRecipe
    translation: TranslationRecipe
    selection: Selection
    deeplab: str = ""
    """Digest of the weights that the backbone starts from; empty: random."""

    def reads(self) -> frozenset[str]:
        """Both domains' training parts; target masks are those of the labelled fraction."""
        return adapting(SELECTING[self.selection])

    def train(self, context: StageContext) -> Training:
        """Cross-entropy where there are masks, and adversarial entropy minimisation."""
        from medsearch.methods.baselines.attent.segmentation import SegmentationTraining

        require_content(self.recipe.deeplab, self.deeplab, knob=KNOB, wanted=WANTED)
        return SegmentationTraining.train(
            self.recipe, translation=self.translation, selection=self.selection, context=context
        )


@dataclass(frozen=True, kw_only=True)
class Test(SliceTest):
    """The test of a trained segmentor, behind the translation that it was trained with."""

    name: ClassVar[str] = "attent_test"
    version: ClassVar[int] = 1
    segmentation: SegmentationRecipe
    translation: TranslationRecipe

    def segment(self, context: StageContext) -> "Segment":
        """Source slices as they are, target slices translated."""
        from medsearch.methods.baselines.attent.networks import DeepLab, Translator

        network = context.trained("segmentor", DeepLab(self.segmentation.network), "network")
        file = STATES[self.segmentation.translator]
        translator = context.trained("translation", Translator(self.translation), "translator", file=file)
        source = self.recipe.domain == "source"
        return lambda x: network.segment(x if source else translator.as_source(x))


def nodes(recipe: AttENTRecipe, selection: Selection) -> Iterator[Node]:
    """Translation, segmentation, and the test.

    Raises:
        BadInput: the recipe names a file of weights that is not there.
    """
    translation, segmentation = recipe.translation, recipe.segmentation
    weights = digest(segmentation.deeplab, knob=KNOB, wanted=WANTED)
    stage = Segmentation(recipe=segmentation, translation=translation, selection=selection, deeplab=weights)
    test = Test(recipe=recipe.evaluation, segmentation=segmentation, translation=translation)
    yield Node("translation", Translation(recipe=translation, slices=segmentation.slices))
    yield Node("segmentation", stage, {"translation": "translation"})
    yield Node("test", test, {"segmentor": "segmentation", "translation": "translation"})


ATTENT = Method(
    name="attent",
    title="AttENT",
    make_recipe=make_recipe,
    make_nodes=nodes,
    settings={"preset": "compared", "scale": "paper"},
)
"""With the settings of the code that the thesis compares by; there is no other preset."""
