"""Where and how a network that sees slices is scored: a recipe, without what it takes to do it."""

from dataclasses import field
from typing import Literal

from medsearch.core.recipes import recipe
from medsearch.data.patches import SliceRule
from medsearch.data.views import Domain, whole


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
