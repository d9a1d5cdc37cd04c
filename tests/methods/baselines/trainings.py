"""Trainings of the baselines as a stage would begin them, with given weights upstream."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from medsearch.methods.baselines.accsegnet.training import SegmentationTraining as AccSegNetTraining
from medsearch.methods.baselines.attent.segmentation import SegmentationTraining as AttENTTraining
from medsearch.methods.baselines.attent.translation import TranslationTraining
from medsearch.methods.baselines.attent.translator import Translator
from medsearch.methods.baselines.uagan.training import SegmentationTraining as UAGANTraining
from medsearch.methods.baselines.unet.training import SegmentationTraining as UNetTraining
from medsearch.stages.context import Artifact
from medsearch.stages.pipelines import StageRun
from medsearch.training.checkpoints import save_modules
from tests.methods.baselines.micro_baselines import of
from tests.micro import Micro


def translation_artifact(stage: Any, folder: Path) -> dict[str, Artifact]:
    """AttENT's generators, seeded and not trained."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    save_modules(folder / "weights.safetensors", {"translator": Translator(stage.translation)})
    return {"translation": Artifact("t", folder, {})}


def begun(
    micro: Micro, method: str, folder: Path, *, node: str = "segmentation", knobs: Mapping[str, Any] | None = None,
    runtime: Mapping[str, Any] | None = None, **kwargs: Any,
) -> Any:  # fmt: skip
    """The training of a stage; other arguments as for `Micro.runs`."""
    run: StageRun = of(micro, method).runs(knobs, **kwargs)[node]
    stage: Any = run.stage
    attent = method == "attent" and node == "segmentation"
    upstream = translation_artifact(stage, folder / "translation") if attent else {}
    context = micro.context(run, folder, upstream=upstream, **(runtime or {}))
    if node == "translation":
        return TranslationTraining(stage.recipe, stage.slices, context)
    if attent:
        return AttENTTraining(stage.recipe, translation=stage.translation, selection=stage.selection, context=context)
    if method.startswith("accsegnet"):
        return AccSegNetTraining(stage.recipe, of=stage.selected_on, context=context)
    if method.startswith("uagan"):
        return UAGANTraining(stage.recipe, of=stage.selected_on, context=context)
    return UNetTraining(stage.recipe, context)
