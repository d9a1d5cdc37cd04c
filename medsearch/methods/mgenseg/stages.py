"""M-GenSeg as stages: segmentation, trained end to end, then its test; torch is imported when they start."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.views import whole
from medsearch.core.errors import BadInput
from medsearch.methods.mgenseg.recipe import MGenSegRecipe, SegmentationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import SELECTING, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.segmentation import EvaluationRecipe, SegmentationTest
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.stages.testing import Predictor

OWN: dict[str, Selection] = {"source": "source", "target": "oracle"}
"""The rule of GenSeg alone, by its modality: it has no other labels than those that it trains with."""


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
