"""MoDATTS at a size that trains in seconds: two rows that share their translation, real checkpoints, real resuming."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from medsearch.cli import run
from medsearch.data.tasks import CrossModalityTask
from medsearch.methods.modatts.pipeline import pipeline
from medsearch.methods.modatts.recipe import MoDATTSRecipe
from medsearch.stages.method import BY_MASKS, Selection
from medsearch.stages.pipelines import Pipeline
from medsearch.study import Ablation, Variant
from tests.micro import RECIPE


@dataclass(frozen=True, kw_only=True)
class Micro:
    """The method."""

    scale: str = "tiny"
    rules: ClassVar[tuple[Selection, ...]] = BY_MASKS

    @property
    def name(self) -> str:
        return "modatts"

    @property
    def recipe(self) -> MoDATTSRecipe:
        return RECIPE

    @property
    def task_knobs(self) -> dict[str, Any]:
        return {}

    def at(self, scale: str) -> "Micro":
        return replace(self, scale=scale)

    def pipeline(self, recipe: MoDATTSRecipe, *, selection: Selection, test: bool = False) -> Pipeline:
        return pipeline(recipe, selection=selection, test=test)

    def reported(self) -> dict[str, Any]:
        return {}


STUDY = Ablation(
    name="micro_modatts",
    question="Does self-training contribute to next to nothing?",
    method=Micro(),
    tasks={"t1 to t2": CrossModalityTask(source="t1", target="t2")},
    fixed={
        "task.geometry.slice_size": 32,
        "task.geometry.depth": (4, 12),
        "task.geometry.crop": (8, 16, 8),
        "translation.epochs": 6,
        "segmentation.epochs": 6,
    },
    variants=(
        Variant("as proposed"),
        Variant("w/o ST", {"self_training.rounds": 0}, against="as proposed"),
    ),
    selection="oracle",
    seeds=(0, 1),
)

if __name__ == "__main__":
    run(STUDY)
