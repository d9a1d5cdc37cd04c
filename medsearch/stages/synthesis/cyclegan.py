"""A plain CycleGAN (Zhu et al. 2017) as a stage: slices of two contrasts that have nothing to do with each other.

Methods that pair slices, or add terms, declare stages of their own on `translating`; this one is what they add to.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from medsearch.core.ranges import NonNegativeFloat
from medsearch.core.recipes import recipe
from medsearch.data.views import SynthesisView
from medsearch.networks.config import Scale
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.stage import Stage, Training
from medsearch.training.cyclegan_recipe import CycleGANRecipe

UNPAIRED = frozenset({"source.train.images", "target.train.images"})
UNSEEN = frozenset({"source.validation.images", "target.validation.images"})
"""Unpaired cases that nothing is trained on."""
TESTED = UNSEEN | {"paired.test.images"}
"""Pairs, and unpaired cases to look at."""


BATCH: dict[Scale, int] = {"paper": 8, "small": 8, "tiny": 4}
"""Slices of each domain a step, as paper 000 has them (Zhu et al. have 1). On tiny phantoms 30 epochs of 8 slices took
170 s and came to SSIM 0.77; 60 of 4 took 200 s, and came to 0.82."""


@recipe
class CycleGANWeights:
    """λ of CycleGAN's terms beside the adversarial one, which weighs 1. A term of weight 0 is not computed.

    cyc: of the cycle, each way. idt: of the identity, as a share of `cyc`.
    """

    cyc: NonNegativeFloat = 10.0
    idt: NonNegativeFloat = 0.5


@recipe
class CycleGANTranslationRecipe:
    """Networks, training and weights."""

    cyclegan: CycleGANRecipe = field(default_factory=CycleGANRecipe)
    weights: CycleGANWeights = field(default_factory=CycleGANWeights)


@dataclass(frozen=True, kw_only=True)
class TranslationStage(Stage):
    """Any CycleGAN between both domains; its recipe holds a `CycleGANRecipe` as `cyclegan`."""

    selection: Selection

    @property
    def batch(self) -> int:
        """Slices of each domain a step."""
        batch: int = self.recipe.cyclegan.batch
        return batch

    @property
    def epochs(self) -> int:
        """Those at the full rate and those at a falling one."""
        epochs: int = self.recipe.cyclegan.all_epochs
        return epochs

    def reads(self) -> frozenset[str]:
        """Unpaired images; under "oracle" also pairs, which score the last epoch and pick none."""
        shown = {"paired.validation.images"} if self.selection == "oracle" else frozenset[str]()
        return UNPAIRED | shown


@dataclass(frozen=True, kw_only=True)
class CycleGANTranslation(TranslationStage):
    """A CycleGAN whose slices are drawn independently."""

    name: ClassVar[str] = "cyclegan_translation"
    version: ClassVar[int] = 1
    recipe: CycleGANTranslationRecipe

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """CycleGAN's losses."""
        from medsearch.stages.synthesis.unpaired import train

        return train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class CycleGANTest(Stage):
    """Scores on pairs, and pictures; the only stage that reads test pairs. recipe: of the translators."""

    name: ClassVar[str] = "cyclegan_test"
    version: ClassVar[int] = 1
    recipe: CycleGANRecipe

    def reads(self) -> frozenset[str]:
        """As `TESTED`."""
        return TESTED

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.stages.synthesis.testing import tested, translator_of
        from medsearch.training.synthesising import Synthesising

        return tested(Synthesising(translator_of(self.recipe, context), context.runtime), context)
