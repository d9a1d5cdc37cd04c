"""The stages of tumour segmentation that methods build on; torch is imported when one of them runs.

SegmentationTest     scores and pictures of test cases; a method's subclass says what predicts tumours in halves
SliceTest            the same of a network that sees axial slices; a subclass says what segments slices
EvaluationRecipe     which test cases and slices a `SliceTest` scores
SliceSegmentation    training and test of one network on annotated target slices: a whole method, of which a
                     subclass gives the network and its loss
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from medsearch.cohorts.patches import SliceRule
from medsearch.cohorts.views import Domain, whole
from medsearch.core.recipes import recipe
from medsearch.stages.context import StageContext
from medsearch.stages.pipelines import TEST, Node
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


@dataclass(frozen=True, kw_only=True)
class SliceSegmentation(Stage):
    """Training of one network on annotated axial slices of the target; a method says which network, and its loss.

    Its recipe has `optimiser` (an `OptimiserRecipe`), `batch`, `epochs` and `validate_every`. The epoch with the
    highest Dice on the target's validation masks is kept: the selection rule "oracle".
    """

    def reads(self) -> frozenset[str]:
        """Images, masks and weak labels of the target's training and validation cases."""
        return frozenset((*whole("target", "train"), *whole("target", "validation")))

    @abstractmethod
    def network(self) -> Any:
        """A new torch module, from images (b, 1, y, x) in [-1, 1] to probabilities of tumour of the same shape."""

    @abstractmethod
    def loss(self, y: Any, y_hat: Any) -> Mapping[str, Any]:
        """The terms to descend, weighted tensors by name; y: masks, y_hat: probabilities, (b, 1, y, x) each."""

    def train(self, context: StageContext) -> Training:
        """Train by `network` and `loss` to the last epoch, and write the weights of the best one."""
        from medsearch.training.fitting import SegmentorTraining

        return SegmentorTraining(self.recipe, context, build=self.network, loss=self.loss).train()

    def then_tested(self, evaluation: EvaluationRecipe) -> Iterator[Node]:
        """The stages of a method that has no other training: this one, "segmentation", and its test."""
        yield Node("segmentation", self)
        yield Node(TEST, SliceSegmentationTest(recipe=evaluation, segmentation=self), {"segmentor": "segmentation"})


@dataclass(frozen=True, kw_only=True)
class SliceSegmentationTest(SliceTest):
    """The test of what a `SliceSegmentation` trained."""

    name: ClassVar[str] = "slice_segmentation_test"
    version: ClassVar[int] = 1
    segmentation: SliceSegmentation

    def segment(self, context: StageContext) -> "Segment":
        """The network with the weights of the best epoch."""
        network: Segment = context.trained("segmentor", self.segmentation.network(), "network")
        return network
