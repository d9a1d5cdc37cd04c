"""The numbers of every stage of every baseline, held: two steps from seeded weights, and a test of such weights."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from medsearch.methods.baselines.accsegnet.networks import AccSegNet
from medsearch.methods.baselines.attent.networks import DeepLab
from medsearch.methods.baselines.slices import diseased
from medsearch.methods.baselines.uagan.networks import Generator
from medsearch.methods.baselines.unet.training import UNet
from medsearch.stages.context import Artifact
from medsearch.stages.manifest import Manifest
from medsearch.training.checkpoints import save_modules
from tests.golden import Numbers, compare, two_steps
from tests.methods.baselines.micro_baselines import of
from tests.methods.baselines.trainings import begun, translation_artifact, unlike
from tests.micro import Micro, drained

GOLDEN: dict[str, Numbers] = {
    "supervised_unet segmentation": {"seg": -0.086772, "then seg": -0.090881, "validation/dice": 0.080078},
    "accsegnet segmentation": {
        "d_t": 2.0,
        "d_s": 2.0,
        "adv": -0.001387,
        "idt": 0.064641,
        "cyc": 0.12559,
        "ana": 1.9998,
        "seg": -0.070847,
        "then d_t": 1.9997,
        "then d_s": 1.9994,
        "then adv": -0.0011987,
        "then idt": 0.062261,
        "then cyc": 0.11217,
        "then ana": 1.9336,
        "then seg": -0.083721,
        "validation/dice": 0.055699,
    },
    "accsegnet_official segmentation": {
        "d_t": 0.49996,
        "adv": 0.99959,
        "ana": 0.99982,
        "nce": 6.7461,
        "mind": 0.017753,
        "seg": -0.12973,
        "then d_t": 0.4997,
        "then adv": 0.99916,
        "then ana": 0.94243,
        "then nce": 2.8139,
        "then mind": 0.019592,
        "then seg": -0.15098,
        "validation/dice": 0.13342,
    },
    "attent translation": {
        "d_s": 0.40031,
        "d_t": 0.38469,
        "adv": -0.020822,
        "cyc": 0.45496,
        "then d_s": 0.39427,
        "then d_t": 0.38339,
        "then adv": -0.01706,
        "then cyc": 0.45229,
        "validation/loss": 0.24875,
    },
    "attent segmentation": {
        "d_main": 0.99987,
        "d_aux": 0.99998,
        "main": 0.69507,
        "aux": 0.062385,
        "adv_main": 1.1806e-05,
        "adv_aux": -2.0552e-06,
        "then d_main": 0.99995,
        "then d_aux": 1.0001,
        "then main": 0.54585,
        "then aux": 0.0574,
        "then adv_main": 9.9385e-06,
        "then adv_aux": -1.6577e-06,
        "validation/dice": 0.10313,
    },
    "uagan segmentation": {
        "d": 0.12499,
        "d_cls": 0.2168,
        "adv": 0.0003597,
        "cls": 0.21632,
        "rec": 0.013294,
        "seg": -0.045856,
        "shape": -0.0532,
        "then d": 0.12489,
        "then d_cls": 0.21668,
        "then adv": 0.00040285,
        "then cls": 0.21672,
        "then rec": 0.013985,
        "then seg": -0.0279,
        "then shape": -0.03308,
        "validation/dice": 0.056173,
    },
    "uagan_official segmentation": {
        "d": -0.00038144,
        "d_cls": 0.69377,
        "d_gp": 9.5845,
        "adv": 0.0059148,
        "cls": 0.69113,
        "rec": 4.8688,
        "seg": 110.46,
        "shape": 24.195,
        "then d": -0.0018073,
        "then d_cls": 0.69369,
        "then d_gp": 9.5314,
        "then adv": 0.0069945,
        "then cls": 0.69305,
        "then rec": 5.0243,
        "then seg": 108.38,
        "then shape": 47.845,
        "validation/dice": 0.056173,
    },
    "supervised_unet test": {
        "test/dice": 0.13235,
        "test/assd": 65.061,
        "test/dice_halves": 0.040184,
        "test/dice_volume": 0.023593,
        "test/dice_micro": 0.13341,
    },
    "accsegnet test": {
        "test/dice": 0.18873,
        "test/assd": 64.662,
        "test/dice_halves": 0.072759,
        "test/dice_volume": 0.035867,
        "test/dice_micro": 0.18972,
    },
    "attent test": {
        "test/dice": 0.22776,
        "test/assd": 61.498,
        "test/dice_halves": 0.084814,
        "test/dice_volume": 0.043469,
        "test/dice_micro": 0.22867,
    },
    "uagan test": {
        "test/dice": 0.073529,
        "test/assd": 60.21,
        "test/dice_halves": 0.029838,
        "test/dice_volume": 0.015649,
        "test/dice_micro": 0.074663,
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


def held(case: str, found: Numbers) -> None:
    method, node = case.split()
    folder = {"supervised_unet": "unet"}.get(method, method.removesuffix("_official"))
    where = f"methods/baselines/{folder}/__init__.py"
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
    context = micro.context(
        run, tmp_path, upstream={**upstream, "segmentor": Artifact("g", tmp_path, Manifest(metrics={}))}
    )
    unlike(networks, method, diseased(context.task, "target", "test", run.stage.segmentation.slices))
    save_modules(tmp_path / "weights.safetensors", networks)
    _, outcome = drained(run.stage.train(context))
    held(f"{method} test", dict(outcome.metrics))
