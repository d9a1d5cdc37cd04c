"""The method as stages: body regressor, CycleGAN under its constraint, test; torch is imported when they start."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from medsearch.cohorts.views import SynthesisView
from medsearch.core.files import digest, require_content
from medsearch.methods.ssbr_cyclegan.recipe import (
    KNOB,
    WANTED,
    InferenceRecipe,
    RegressorConfig,
    RegressorRecipe,
    SSBRCycleGANRecipe,
    TranslationRecipe,
)
from medsearch.stages.context import StageContext
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Stage, Training
from medsearch.stages.synthesis import UNPAIRED, UNSEEN, CycleGANStage, SynthesisTest

if TYPE_CHECKING:
    from medsearch.training.inference import SliceTranslator


@dataclass(frozen=True, kw_only=True)
class BodyRegressor(Stage):
    """Training of the self-supervised body regressor, on abdomens of both domains (Eqs. 1-4)."""

    name: ClassVar[str] = "ssbr_regressor"
    version: ClassVar[int] = 1
    recipe: RegressorRecipe
    imagenet: str = ""
    """Digest of the weights that it starts from; empty: random."""

    @property
    def batch(self) -> int:
        """Stacks of slices in an optimiser step."""
        return self.recipe.volumes

    def reads(self) -> frozenset[str]:
        """Unpaired images of both domains; order is measured on those that nothing is trained on."""
        return UNPAIRED | UNSEEN

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """Minimise Eq. 4; the last epoch is kept."""
        from medsearch.methods.ssbr_cyclegan.regression import train

        require_content(self.recipe.imagenet, self.imagenet, knob=KNOB, wanted=WANTED)
        return train(self.recipe, context)


@dataclass(frozen=True, kw_only=True)
class Translation(CycleGANStage):
    """A CycleGAN between both domains, on slices that show the same anatomy."""

    name: ClassVar[str] = "ssbr_translation"
    version: ClassVar[int] = 1
    recipe: TranslationRecipe
    regressor: RegressorConfig | None

    def train(self, context: StageContext[SynthesisView]) -> Training:
        """Minimise CycleGAN's losses and Eq. 5; the last epoch is kept."""
        from medsearch.methods.ssbr_cyclegan.translation import train

        return train(self.recipe, self.regressor, context)


@dataclass(frozen=True, kw_only=True)
class Test(SynthesisTest):
    """The test of the trained translators."""

    name: ClassVar[str] = "ssbr_test"
    version: ClassVar[int] = 2
    recipe: InferenceRecipe
    translation: TranslationRecipe

    def translator(self, context: StageContext[SynthesisView]) -> "SliceTranslator":
        """With the binary mask, if the recipe has it."""
        from medsearch.methods.ssbr_cyclegan.translation import trained

        return trained(self.recipe, self.translation, context)


def nodes(recipe: SSBRCycleGANRecipe, selection: Selection) -> Iterator[Node]:
    """The regressor if anything looks at its scores, without which there is none; the translation, and its test.

    Raises:
        BadInput: the file that the regressor should start from is not there.

    """
    regressed = {"regressor": "regressor"} if recipe.translation.regressed else {}
    if regressed:
        weights = digest(recipe.regressor.imagenet, knob=KNOB, wanted=WANTED)
        yield Node("regressor", BodyRegressor(recipe=recipe.regressor, imagenet=weights))
    network = recipe.regressor.network if regressed else None
    translation = Translation(recipe=recipe.translation, regressor=network, selection=selection)
    yield Node("translation", translation, regressed)
    test = Test(recipe=recipe.inference, translation=recipe.translation)
    yield Node("test", test, {"translation": "translation", **regressed})
