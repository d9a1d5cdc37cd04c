"""The numbers of every stage of every baseline, held: two steps from seeded weights, and a test of such weights."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from medsearch.methods.baselines.accsegnet.networks import AccSegNet
from medsearch.methods.baselines.attent.deeplab import DeepLab
from medsearch.methods.baselines.drawing import diseased
from medsearch.methods.baselines.uagan.networks import Generator
from medsearch.methods.baselines.uagan.training import segmenting
from medsearch.methods.baselines.unet.network import UNet
from medsearch.stages.context import Artifact
from medsearch.training.checkpoints import save_modules
from medsearch.training.crops import Crops
from tests.golden import Numbers, compare, two_steps
from tests.methods.baselines.micro_baselines import of
from tests.methods.baselines.trainings import begun, translation_artifact
from tests.micro import Micro, drained

GOLDEN: dict[str, Numbers] = {
    "supervised_unet segmentation": {"seg": -0.086772, "then seg": -0.090881, "validation/dice": 0.068723},
    "accsegnet segmentation": {
        "d_t": 2.0,
        "d_s": 2.0,
        "adv": -0.0014003,
        "idt": 0.064641,
        "cyc": 0.12559,
        "ana": 1.9998,
        "seg": -0.066892,
        "seg_t": -0.08873,
        "then d_t": 1.9997,
        "then d_s": 1.9994,
        "then adv": -0.0010241,
        "then idt": 0.062591,
        "then cyc": 0.11167,
        "then ana": 1.9306,
        "then seg": -0.098077,
        "then seg_t": -0.065295,
        "validation/dice": 0.019231,
    },
    "accsegnet_official segmentation": {
        "d_t": 0.49994,
        "adv": 0.99959,
        "ana": 0.99982,
        "nce": 6.7461,
        "mind": 0.017753,
        "seg": -0.12187,
        "seg_t": -0.15309,
        "then d_t": 0.49968,
        "then adv": 0.99915,
        "then ana": 0.94243,
        "then nce": 2.8139,
        "then mind": 0.019592,
        "then seg": -0.17537,
        "then seg_t": -0.11209,
        "validation/dice": 0.019231,
    },
    "attent translation": {
        "d_s": 0.39824,
        "d_t": 0.40278,
        "adv": 0.008159,
        "cyc": 0.40901,
        "then d_s": 0.40078,
        "then d_t": 0.39581,
        "then adv": 0.011863,
        "then cyc": 0.30874,
        "validation/loss": 0.2055,
    },
    "attent segmentation": {
        "d_main": 0.69328,
        "d_aux": 0.69417,
        "main": 0.68948,
        "aux": 0.061972,
        "main_t": 0.69471,
        "aux_t": 0.063407,
        "adv_main": 0.00067816,
        "adv_aux": 0.00013134,
        "then d_main": 0.69322,
        "then d_aux": 0.69385,
        "then main": 0.50367,
        "then aux": 0.056984,
        "then main_t": 0.49828,
        "then aux_t": 0.056357,
        "then adv_main": 0.00067817,
        "then adv_aux": 0.00013254,
        "validation/dice": 0.019231,
    },
    "uagan segmentation": {
        "d": 0.062478,
        "d_cls": 0.2168,
        "adv": 0.0001948,
        "cls": 0.21702,
        "rec": 0.015182,
        "seg": -0.045224,
        "shape": -0.056046,
        "then d": 0.062419,
        "then d_cls": 0.21666,
        "then adv": 0.00022717,
        "then cls": 0.21696,
        "then rec": 0.015893,
        "then seg": -0.028026,
        "then shape": -0.034022,
        "validation/dice": 0.028846,
    },
    "uagan_official segmentation": {
        "d": -0.0004842,
        "d_cls": 0.69377,
        "d_gp": 9.5845,
        "adv": 0.0060743,
        "cls": 0.69113,
        "rec": 4.8688,
        "seg": 110.46,
        "shape": 24.195,
        "then d": -0.0019413,
        "then d_cls": 0.69369,
        "then d_gp": 9.5314,
        "then adv": 0.0071701,
        "then cls": 0.69305,
        "then rec": 5.0243,
        "then seg": 108.38,
        "then shape": 47.845,
        "validation/dice": 0.028846,
    },
    "supervised_unet test": {
        "test/dice": 0.10146,
        "test/assd": 69.605,
        "test/dice_halves": 0.036258,
        "test/dice_volume": 0.018278,
        "test/dice_micro": 0.10208,
    },
    "accsegnet test": {"test/dice": 0.0, "test/dice_halves": 0.0, "test/dice_volume": 0.0, "test/dice_micro": 0.010309},
    "attent test": {"test/dice": 0.0, "test/dice_halves": 0.0, "test/dice_volume": 0.0, "test/dice_micro": 0.010309},
    "uagan test": {
        "test/dice": 0.22864,
        "test/assd": 59.212,
        "test/dice_halves": 0.077851,
        "test/dice_volume": 0.039984,
        "test/dice_micro": 0.22961,
    },
}
TASK = {"target_labels": 0.5}
STEPS: dict[str, dict[str, Any]] = {
    "supervised_unet segmentation": {"segmentation.supervision": "both"},
    "accsegnet segmentation": {},
    "accsegnet_official segmentation": {},
    "attent translation": {},
    "attent segmentation": {},
    "uagan segmentation": {},
    "uagan_official segmentation": {},
}
NETWORKS = {
    "supervised_unet": lambda stage: {"network": UNet(stage.segmentation.network)},
    "accsegnet": lambda stage: {"network": AccSegNet(stage.segmentation)},
    "attent": lambda stage: {"network": DeepLab(stage.segmentation.network)},
    "uagan": lambda stage: {"generator": Generator(stage.segmentation.network)},
}


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
    "uagan": lambda network: segmenting(network, "target"),
}


@torch.no_grad()
def unlike(networks: dict[str, nn.Module], method: str, crops: Crops) -> None:
    """Weights by which not every pixel is alike, and a head's bias by which about a fifth of them are tumour."""
    (network,) = networks.values()
    network.eval()
    torch.manual_seed(2)
    for weight in network.parameters():
        weight += 0.2 * torch.randn_like(weight)
    segment, x = SEGMENTING[method](network), next(crops.each(100)).x
    HEADS[method](network).sub_(torch.logit(segment(x).double(), eps=1e-9).quantile(0.8).float())
    predicted = (segment(x) > 0.5).float().mean().item()
    assert 0.1 < predicted < 0.3, f"{predicted} of all pixels are predicted"


def held(case: str, found: Numbers) -> None:
    method, node = case.split()
    folder = {"supervised_unet": "unet"}.get(method, method.removesuffix("_official"))
    where = f"methods/baselines/{folder}/pipeline.py"
    compare(GOLDEN.get(case, {}), found, stage=node, case=case, where=where)


@pytest.mark.parametrize("case", STEPS)
def test_two_steps(micro: Micro, tmp_path: Path, case: str) -> None:
    method, node = case.split()
    batch = {} if method.startswith("uagan") else {f"{node}.batch": 3}
    training = begun(micro, method, tmp_path, node=node, knobs={**STEPS[case], **batch}, task=TASK)
    scores = training.validate() if node == "translation" else validated(training, method.removesuffix("_official"))
    torch.manual_seed(0)
    held(case, {**two_steps(training.steps(1)), **scores})


def validated(training: Any, method: str) -> Numbers:
    """By weights that predict tumour in some pixels; the training then has its own again."""
    networks = {name: module for name, module in training.modules.items() if name in ("network", "generator")}
    kept = {name: deepcopy(module.state_dict()) for name, module in networks.items()}
    unlike(networks, method, training.validation["target"])
    scores: Numbers = training.validate()
    for name, module in networks.items():
        module.load_state_dict(kept[name])
    return scores


@pytest.mark.parametrize("method", NETWORKS)
def test_a_test(micro: Micro, tmp_path: Path, method: str) -> None:
    run = of(micro, method).runs(test=True)["test"]
    upstream = translation_artifact(run.stage, tmp_path / "translation") if method == "attent" else {}
    torch.manual_seed(2)
    networks = NETWORKS[method](run.stage)
    context = micro.context(run, tmp_path, upstream={**upstream, "segmentor": Artifact("g", tmp_path, {})})
    unlike(networks, method, diseased(context.task, "target", "test", run.stage.segmentation.slices))
    save_modules(tmp_path / "weights.safetensors", networks)
    _, outcome = drained(run.stage.train(context))
    held(f"{method} test", dict(outcome.metrics))
