"""The method as stages: body regressor, CycleGAN under its constraint, test; torch is imported when they start."""

from dataclasses import dataclass
from typing import ClassVar

from medsearch.core.files import require_content
from medsearch.data.views import SynthesisView
from medsearch.methods.ssbr_cyclegan.config import RegressorConfig
from medsearch.methods.ssbr_cyclegan.recipe import KNOB, WANTED, InferenceRecipe, RegressorRecipe, TranslationRecipe
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Stage, Training
from medsearch.stages.synthesis.cyclegan import TESTED, UNPAIRED, UNSEEN, TranslationStage


@dataclass(frozen=True, kw_only=True)
class BodyRegressor(Stage):
    """The self-supervised body regressor."""

    name: ClassVar[str] = "ssbr_regressor"
    version: ClassVar[int] = 1
    recipe: RegressorRecipe
    imagenet: str = ""
    """Digest of the weights that it starts from; empty: random."""

    @property
    def batch(self) -> int:
        """Stacks a step."""
        return self.recipe.volumes

    def reads(self) -> frozenset[str]:
        """Unpaired images of both domains; order is measured on those that nothing is trained on."""
        return UNPAIRED | UNSEEN

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """Eqs. 1-4."""
        from medsearch.methods.ssbr_cyclegan.regression import train

        require_content(self.recipe.imagenet, self.imagenet, knob=KNOB, wanted=WANTED)
        return train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class Translation(TranslationStage):
    """A CycleGAN between both domains, on slices that show the same anatomy."""

    name: ClassVar[str] = "ssbr_translation"
    version: ClassVar[int] = 1
    recipe: TranslationRecipe
    regressor: RegressorConfig | None

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """CycleGAN's losses and Eq. 5."""
        from medsearch.methods.ssbr_cyclegan.translation import train

        return train(self.recipe, self.regressor, context)


@dataclass(frozen=True, kw_only=True)
class Test(Stage):
    """Scores on pairs, and pictures; the only stage that reads test pairs."""

    name: ClassVar[str] = "ssbr_test"
    version: ClassVar[int] = 2
    recipe: InferenceRecipe
    translation: TranslationRecipe

    def reads(self) -> frozenset[str]:
        """Those of a plain CycleGAN's test."""
        return TESTED

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """Nothing is trained: one pass over the test cases."""
        from medsearch.methods.ssbr_cyclegan.masking import synthesising
        from medsearch.stages.synthesis.testing import tested

        return tested(synthesising(self.recipe, self.translation.cyclegan, context), context)
