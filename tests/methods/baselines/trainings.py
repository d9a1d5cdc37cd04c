"""Trainings of the baselines as a stage would begin them, with given weights upstream."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medsearch.methods.baselines.accsegnet.training import SegmentationTraining as AccSegNetTraining
from medsearch.methods.baselines.attent.networks import Translator
from medsearch.methods.baselines.attent.segmentation import SegmentationTraining as AttENTTraining
from medsearch.methods.baselines.attent.translation import TranslationTraining
from medsearch.methods.baselines.uagan.training import SegmentationTraining as UAGANTraining
from medsearch.methods.baselines.unet.training import SegmentationTraining as UNetTraining
from medsearch.stages.context import Artifact
from medsearch.stages.manifest import Manifest
from medsearch.stages.pipelines import StageRun
from medsearch.training.checkpoints import save_modules
from medsearch.training.crops import Crops
from tests.methods.baselines.micro_baselines import of
from tests.micro import Micro


def translation_artifact(stage: Any, folder: Path) -> dict[str, Artifact]:
    """AttENT's generators, seeded and not trained."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    save_modules(folder / "weights.safetensors", {"translator": Translator(stage.translation)})
    return {"translation": Artifact("t", folder, Manifest(metrics={}))}


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
        return AccSegNetTraining(stage.recipe, selected_on=stage.selected_on, context=context)
    if method.startswith("uagan"):
        return UAGANTraining(stage.recipe, selected_on=stage.selected_on, context=context)
    return UNetTraining(stage.recipe, context)


HEADS: dict[str, Callable[[Any], torch.Tensor]] = {
    "supervised_unet": lambda network: network.decoder.classify.bias,
    "accsegnet": lambda network: network.segmentor.head.bias,
    "attent": lambda network: network.layer6.conv2d_list[0].bias,
    "uagan": lambda network: network.decode_mask.head.bias,
}
SEGMENTING: dict[str, Callable[[Any], Callable[[torch.Tensor], torch.Tensor]]] = {
    "supervised_unet": lambda network: network,
    "accsegnet": lambda network: network.segmentor,
    "attent": lambda network: lambda x: network(x)[0],
    "uagan": lambda network: lambda x: network.segment(x, "target"),
}


@torch.no_grad()
def unlike(networks: dict[str, nn.Module], method: str, crops: Crops) -> None:
    """Weights by which not every pixel is alike, and a head's bias by which half of them are tumour."""
    (network,) = networks.values()
    network.eval()
    torch.manual_seed(2)
    for weight in network.parameters():
        weight += 0.2 * torch.randn_like(weight)
    segment, x = SEGMENTING[method](network), next(crops.each(100)).x
    HEADS[method](network).sub_(torch.logit(segment(x).double(), eps=1e-9).quantile(0.5).float())
    predicted = (segment(x) > 0.5).float().mean().item()
    assert 0.3 < predicted < 0.7, f"{predicted} of all pixels are predicted"
