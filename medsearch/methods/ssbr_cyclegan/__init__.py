"""CycleGAN under anatomical constraint, on slices paired by a self-supervised body regressor (SSBR; La Barbera et al.).

    Eq. 1-4           losses: order, norm, anat, total        regressor, regression: the stage that trains it
    Eq. 5             losses.acl, constraint                  translation: the CycleGAN's stage
    Steps 1-5         selection.patients, selection.ByScore   and PBS, registering: the two it is compared with
    Input addition    networks.cyclegan.Translator            binary mask: masking, at inference
    Region, body      data.abdomen                            Table 1: recipe.TABLE_1, reported

CycleGAN itself lies below the methods: networks.cyclegan, training.cyclegan; so do a stage that trains one, inference,
and the pictures of Figs. 2 and 3: stages.synthesis.

Departures and what the paper leaves open: λ_acl is not printed and is 1; HU from -1000 to 1000 become [-1, 1]; the
regressor's K, P and iterations are those of Yan et al.'s code, its optimiser that of DKFZ's body part regression;
identity has CycleGAN's default weight; with input addition the sum is cut to [-1, 1]; jitter of positions is as in
PBS's code; patients whose scores do not overlap are paired by position; a patient's scores are computed once
(`cached_scores` = False: every time, as the paper's times suggest). An epoch has as many iterations as the larger
domain has patients: of the source everyone comes, of the target they are drawn (CycleGAN's way). Forward passes are in
bf16 on GPUs that have it, unless a study is run with --precision fp32.
"""

from dataclasses import dataclass, replace
from typing import Any

from medsearch.methods.ssbr_cyclegan.pipeline import pipeline
from medsearch.methods.ssbr_cyclegan.recipe import SSBRCycleGANRecipe, preset
from medsearch.networks.config import Scale
from medsearch.stages.method import Selection
from medsearch.stages.pipelines import Pipeline

__all__ = ["SSBRCycleGAN"]


@dataclass(frozen=True, kw_only=True)
class SSBRCycleGAN:
    """The method at a scale; knobs are those of `recipe`."""

    scale: Scale = "paper"

    @property
    def name(self) -> str:
        """The package's name."""
        return "ssbr_cyclegan"

    @property
    def recipe(self) -> SSBRCycleGANRecipe:
        """The paper's values at this scale."""
        return preset(self.scale)

    @property
    def task_knobs(self) -> dict[str, Any]:
        """Nothing of the task."""
        return {}

    @property
    def rules(self) -> tuple[Selection, ...]:
        """The paper looks at nothing; with "oracle" some pairs score what is searched."""
        return ("none", "oracle")

    def at(self, scale: Scale) -> "SSBRCycleGAN":
        """The same method in another set of sizes."""
        return replace(self, scale=scale)

    def pipeline(self, recipe: SSBRCycleGANRecipe, *, selection: Selection, test: bool = False) -> Pipeline:
        """The stages that `recipe` means."""
        return pipeline(recipe, selection=selection, test=test)
