"""What stages of all baselines have in common: which parts of a task they read to train, and their test."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from medsearch.data.views import Domain, SplitName, whole
from medsearch.stages.context import StageContext
from medsearch.stages.segmentation import EvaluationRecipe, SegmentationTest

if TYPE_CHECKING:
    from medsearch.stages.testing import Predictor
    from medsearch.training.inference import Segment

SelectedOn = Literal["source", "target", "both"]
"""Whose validation masks pick the best epoch."""

Supervision = SelectedOn
"""Whose masks teach a reference, which is selected on what it trains with."""


def unannotated(domain: Domain, split: SplitName) -> tuple[str, ...]:
    """Images and weak labels, which tell diseased slices from others."""
    return tuple(f"{domain}.{split}.{kind}" for kind in ("images", "presence"))


def sides(of: SelectedOn) -> tuple[Domain, ...]:
    """The domains that are meant."""
    return ("source", "target") if of == "both" else (of,)


def validation(of: SelectedOn) -> tuple[str, ...]:
    """What a choice of the best epoch sees."""
    return tuple(part for domain in sides(of) for part in whole(domain, "validation"))


def adapting(of: SelectedOn) -> frozenset[str]:
    """Both domains' training parts, of whose target masks those of the labelled fraction are shown; and validation."""
    return frozenset((*whole("source", "train"), *whole("target", "train"), *validation(of)))


@dataclass(frozen=True, kw_only=True)
class BaselineTest(SegmentationTest):
    """The test of a network that sees slices."""

    recipe: EvaluationRecipe

    @property
    def evaluated(self) -> EvaluationRecipe:
        """Where slices are scored."""
        return self.recipe

    @abstractmethod
    def segment(self, context: StageContext) -> "Segment":
        """What segments slices of the domain that is scored, in eval mode."""

    def predictor(self, context: StageContext) -> "Predictor":
        """The same, slice by slice."""
        from medsearch.stages.testing import Predictor
        from medsearch.training.inference import slicewise

        return Predictor(slicewise(self.segment(context), context.runtime))
