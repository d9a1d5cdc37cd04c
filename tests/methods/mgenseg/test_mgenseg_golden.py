"""The numbers of M-GenSeg's stages, held: two steps from seeded weights, and a test of such weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

from medsearch.methods.mgenseg.networks import MGenSegNet
from medsearch.methods.mgenseg.training import MGenSegTraining
from medsearch.stages.context import Artifact
from medsearch.stages.manifest import Manifest
from medsearch.training.checkpoints import save_modules
from tests.golden import Numbers, compare, two_steps
from tests.micro import Micro, drained

GOLDEN: dict[str, Numbers] = {
    "shared": {
        "d.gen.adv": 0.68402,
        "d.mod.adv": 0.3543,
        "seg": -0.072807,
        "mod.adv": -0.045744,
        "mod.cyc": 0.41615,
        "gen.adv": -0.022742,
        "gen.rec": 0.23206,
        "gen.lat": 0.10565,
        "then d.gen.adv": 0.67551,
        "then d.mod.adv": 0.35175,
        "then seg": -0.10722,
        "then mod.adv": -0.043029,
        "then mod.cyc": 0.36085,
        "then gen.adv": -0.019346,
        "then gen.rec": 0.20649,
        "then gen.lat": 0.10297,
        "validation/dice": 0.12017,
    },
    "separate": {
        "d.gen.adv": 0.34074,
        "d.mod.adv": 0.33042,
        "seg": -0.073431,
        "mod.adv": 0.048897,
        "mod.cyc": 0.41253,
        "gen.adv": -0.023226,
        "gen.rec": 0.1297,
        "gen.lat": 0.045222,
        "then d.gen.adv": 0.34603,
        "then d.mod.adv": 0.32955,
        "then seg": -0.11049,
        "then mod.adv": 0.050473,
        "then mod.cyc": 0.37551,
        "then gen.adv": -0.031225,
        "then gen.rec": 0.11642,
        "then gen.lat": 0.04436,
        "validation/dice": 0.12017,
    },
    "test": {
        "test/dice": 0.21747,
        "test/assd": 42.603,
        "test/dice_halves": 0.12597,
        "test/dice_volume": 0.078408,
        "test/dice_micro": 0.21886,
    },
}
CASES: dict[str, dict[str, Any]] = {
    "shared": {},
    "separate": {"segmentation.latent": "separate", "segmentation.translate": "presence-to-absence"},
}
WHERE = "methods/mgenseg/__init__.py"


@pytest.mark.parametrize("case", CASES)
def test_two_steps(heads: Micro, tmp_path: Path, case: str) -> None:
    run = heads.runs(CASES[case], task={"target_labels": 0.5})["segmentation"]
    training = MGenSegTraining(run.stage.recipe, run.stage.selection, heads.context(run, tmp_path))
    scores = training.validate()
    torch.manual_seed(0)
    found = {**two_steps(training.steps(1)), **scores}
    compare(GOLDEN.get(case, {}), found, stage="segmentation", case=case, where=WHERE)


def test_a_test(heads: Micro, tmp_path: Path) -> None:
    run = heads.runs(test=True)["test"]
    torch.manual_seed(2)
    net = MGenSegNet(run.stage.recipe)
    for weight in net.parameters():
        weight.data += 0.2 * torch.randn_like(weight)  # so that not every pixel is alike
    save_modules(tmp_path / "weights.safetensors", {"net": net})
    weights = dict.fromkeys(("seg", "gen.adv", "gen.rec", "gen.lat", "mod.adv", "mod.cyc"), 1.0)
    upstream = {"segmentation": Artifact("g", tmp_path, Manifest(metrics={}, notes={"weights": weights}))}
    _, outcome = drained(run.stage.train(heads.context(run, tmp_path, upstream=upstream)))
    compare(GOLDEN.get("test", {}), dict(outcome.metrics), stage="test", case="test", where=WHERE)
