"""CycleGAN under anatomical constraint, on slices paired by a self-supervised body regressor (SSBR; La Barbera et al.).

    Eq. 1-4           losses: order, norm, anat, total        regression: the stage that trains it
    Eq. 5             losses.acl, translation.constraint      translation: the CycleGAN's stage
    Steps 1-5         selection.patients, selection.ByScore   and PBS, registering: the two it is compared with
    Input addition    networks.cyclegan: Translator           binary mask: translation.within_body
    Region, body      imaging.abdomen                         Table 1: recipe.TABLE_1, reported

CycleGAN itself lies below the methods: networks.cyclegan, training.cyclegan; so do a stage that trains one, inference,
and the pictures of Figs. 2 and 3: stages.synthesis, translating, pairs.

Departures and what the paper leaves open: λ_acl is not printed and is 1; HU from -1000 to 1000 become [-1, 1]; the
regressor's K, P and iterations are those of Yan et al.'s code, its optimiser that of DKFZ's body part regression;
identity has CycleGAN's default weight; with input addition the sum is cut to [-1, 1]; jitter of positions is as in
PBS's code; patients whose scores do not overlap are paired by position; a patient's scores are computed once
(`cached_scores` = False: every time, as the paper's times suggest). An epoch has as many iterations as the larger
domain has patients: of the source everyone comes, of the target they are drawn (CycleGAN's way). Forward passes are in
bf16 on GPUs that have it, unless a study is run with --precision fp32.

Stages: body regressor, where anything looks at its scores; CycleGAN under its constraint; test.
"""

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
    make_recipe,
)
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection
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
        from medsearch.methods.ssbr_cyclegan.translation import PairedTranslation

        return PairedTranslation(self.recipe, self.regressor, context).translating.train()


@dataclass(frozen=True, kw_only=True)
class Test(SynthesisTest):
    """The test of the trained translators."""

    name: ClassVar[str] = "ssbr_test"
    version: ClassVar[int] = 2
    recipe: InferenceRecipe
    translation: TranslationRecipe

    def translator(self, context: StageContext[SynthesisView]) -> "SliceTranslator":
        """With the binary mask, if the recipe has it."""
        from medsearch.methods.ssbr_cyclegan.translation import within_body
        from medsearch.stages.translating import trained_translator
        from medsearch.training.inference import as_it_is

        finish = within_body if self.recipe.binary_mask else as_it_is
        return trained_translator(self.translation.cyclegan, context, finish)


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


SSBR_CYCLEGAN = Method(
    name="ssbr_cyclegan",
    title="SSBRCycleGAN",
    make_recipe=make_recipe,
    make_nodes=nodes,
    rules=("none", "oracle"),
)
"""The paper looks at nothing to pick an epoch; with "oracle" some pairs score what is searched."""
