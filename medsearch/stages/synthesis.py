"""Stages between the two contrasts of a synthesis task, without what it takes to run them: a CycleGAN and its test."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medsearch.cohorts.views import SynthesisView
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Stage, Training

if TYPE_CHECKING:
    from medsearch.training.inference import SliceTranslator

UNPAIRED = frozenset({"source.train.images", "target.train.images"})
UNSEEN = frozenset({"source.validation.images", "target.validation.images"})
"""Unpaired cases that nothing is trained on."""
TESTED = UNSEEN | {"paired.test.images"}
"""Pairs, and unpaired cases to look at."""


@dataclass(frozen=True, kw_only=True)
class CycleGANStage(Stage):
    """Any CycleGAN between both domains; its recipe holds a `CycleGANRecipe` as `cyclegan`."""

    selection: Selection

    @property
    def batch(self) -> int:
        """Slices of each domain a step."""
        batch: int = self.recipe.cyclegan.batch
        return batch

    @property
    def epochs(self) -> int:
        """Epochs at the full learning rate and those at a falling one."""
        epochs: int = self.recipe.cyclegan.all_epochs
        return epochs

    def reads(self) -> frozenset[str]:
        """Unpaired images; under "oracle" also pairs, which score the last epoch and pick none."""
        shown = {"paired.validation.images"} if self.selection == "oracle" else frozenset[str]()
        return UNPAIRED | shown


@dataclass(frozen=True, kw_only=True)
class SynthesisTest(Stage):
    """Scores on pairs, and pictures; the only stage that reads test pairs. Nothing is trained."""

    @property
    def batch(self) -> None:
        """There is no step, whatever the recipe says of the training's."""

    def reads(self) -> frozenset[str]:
        """Test pairs, and the validation images of both domains."""
        return TESTED

    @abstractmethod
    def translator(self, context: StageContext[SynthesisView]) -> "SliceTranslator":
        """What was trained upstream, in eval mode, in the task's direction."""

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """One pass over the test cases."""
        from medsearch.stages.pairs import scored_pairs

        return scored_pairs(self.translator(context), context)
