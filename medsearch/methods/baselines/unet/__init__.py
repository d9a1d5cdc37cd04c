"""Supervised U-Net with M-GenSeg's backbone: the bars "Sup" and "no adaptation" of Fig. 4.3, Table 4.2's reference.

    network   GenSeg's encoder and residual/segmentation decoder, of which only the segmentation is trained
    loss      soft Dice (Eq. 4.3) over the diseased slices of a batch
    stages    segmentation -> test

The released code has no such model; encoder plus decoder are its closest, 6.437 M parameters. Weights, optimiser,
batch and epochs are M-GenSeg's. Whatever a study's selection rule, it is selected on the labels that it trains with: it
has no others. An epoch counts all diseased slices of the domains that it trains on, annotated or not.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from medsearch.methods.baselines.unet.pipeline import pipeline
from medsearch.methods.baselines.unet.recipe import SupervisedUNetRecipe, preset
from medsearch.networks.config import Scale
from medsearch.stages.method import BY_MASKS, Selection
from medsearch.stages.pipelines import Pipeline


@dataclass(frozen=True, kw_only=True)
class SupervisedUNet:
    """The reference at a scale; its knob `segmentation.supervision` says whose masks it learns from."""

    preset: str = "compared"
    scale: Scale = "paper"
    rules: ClassVar[tuple[Selection, ...]] = BY_MASKS

    @property
    def name(self) -> str:
        """The method's."""
        return "supervised_unet"

    @property
    def recipe(self) -> SupervisedUNetRecipe:
        """The values at this scale."""
        return preset(self.preset, self.scale)

    @property
    def task_knobs(self) -> dict[str, str]:
        """Nothing is wanted of the task."""
        return {}

    def at(self, scale: Scale) -> "SupervisedUNet":
        """The same method in another set of sizes."""
        return replace(self, scale=scale)

    def pipeline(self, recipe: SupervisedUNetRecipe, *, selection: Selection, test: bool = False) -> Pipeline:
        """The stages that `recipe` means."""
        return pipeline(recipe, selection=selection, test=test)
