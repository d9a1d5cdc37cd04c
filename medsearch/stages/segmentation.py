"""The test of a method that segments tumours, without what it takes to run it: where it is scored, and the stage."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from medsearch.cohorts.patches import SliceRule
from medsearch.cohorts.views import Domain, whole
from medsearch.core.recipes import recipe
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.stages.testing import Predictor
    from medsearch.training.inference import Segment


@recipe
class EvaluationRecipe:
    """Where and how a network that sees slices is scored; by no knob of its training, so that rows are scored alike.

    scored: "slices", the diseased ones of every case (the thesis, 4.4.1), or "halves", the diseased ones whole, as
        volumetric methods are. domain: whose test cases. slices: which of them are diseased.
    """

    scored: Literal["slices", "halves"] = "slices"
    domain: Domain = "target"
    slices: SliceRule = field(default_factory=SliceRule)

    def reads(self) -> frozenset[str]:
        """Images and masks of the domain's test cases."""
        return frozenset(whole(self.domain, "test"))


@dataclass(frozen=True, kw_only=True)
class SegmentationTest(Stage):
    """Scores on test cases, and pictures; the only stage that reads them. Nothing is trained."""

    @property
    def batch(self) -> None:
        """There is no step, whatever the recipe says of the training's."""

    @property
    def evaluated(self) -> EvaluationRecipe | None:
        """Where slices are scored; None: on halves of the target, cut as the task says."""
        return None

    def reads(self) -> frozenset[str]:
        """The test cases of one domain."""
        return (self.evaluated or EvaluationRecipe()).reads()

    @abstractmethod
    def predictor(self, context: StageContext) -> "Predictor":
        """What predicts tumours by the weights that were trained upstream, in eval mode."""

    def train(self, context: StageContext) -> Training:
        """One pass over the test cases."""
        from medsearch.stages.testing import scored

        if (evaluated := self.evaluated) is None:
            return scored(self.predictor(context), context)
        slices = evaluated.slices if evaluated.scored == "slices" else None
        return scored(self.predictor(context), context, domain=evaluated.domain, hemispheres=True, slices=slices)


@dataclass(frozen=True, kw_only=True)
class SliceTest(SegmentationTest):
    """The test of a network that sees axial slices of whole hemispheres; a method says what segments them."""

    recipe: EvaluationRecipe

    @property
    def evaluated(self) -> EvaluationRecipe:
        """Where slices are scored: as the recipe says."""
        return self.recipe

    @abstractmethod
    def segment(self, context: StageContext) -> "Segment":
        """What segments slices of the domain that is scored, in eval mode."""

    def predictor(self, context: StageContext) -> "Predictor":
        """What segments halves, slice by slice."""
        from medsearch.stages.testing import Predictor
        from medsearch.training.inference import slicewise

        return Predictor(slicewise(self.segment(context), context.runtime))
