"""The numbers of every stage, held: one step (or one pass) from given weights on given crops.

When they move, results in users' stores are no longer what the code would train: raise the stage's `version`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medsearch.core.records import write_json
from medsearch.methods import modatts
from medsearch.methods.modatts.segmentation import SegmentationTraining
from medsearch.methods.modatts.segmentor import Segmentor
from medsearch.methods.modatts.supervision import supervision
from medsearch.methods.modatts.translation import TranslationTraining
from medsearch.methods.modatts.translator import Translator
from medsearch.stages.context import Artifact
from medsearch.stages.manifest import Manifest
from medsearch.stages.stage import Stage
from medsearch.training.checkpoints import save_modules
from tests.golden import Numbers, compare, two_steps
from tests.micro import Micro, drained, flat

SELF = {"segmentation.variant": "self-supervised", "segmentation.network.unique_fraction": 0.0}

GOLDEN: dict[str, Numbers] = {
    "translation": {
        "d_s": 0.12757,
        "d_t": 0.17565,
        "seg": -0.0051635,
        "adv": 0.01046,
        "cyc": 0.50207,
        "then d_s": 0.13022,
        "then d_t": 0.1731,
        "then seg": -0.0043565,
        "then adv": 0.0093851,
        "then cyc": 0.46628,
        "validation/loss": -0.039832,
        "validation/dice": 0.019231,
        "validation/dice_translated": 0.020901,
    },
    "synthesis": {"mean": 0.023392, "size": 0.023392, "one": 0.13159},
    "semi": {
        "d_a": 0.063717,
        "d_p": 0.061668,
        "adv": 0.0038118,
        "lat": 0.093822,
        "rec": 0.1874,
        "seg": -0.056157,
        "st": -0.0484,
        "then d_a": 0.062002,
        "then d_p": 0.062395,
        "then adv": 0.0067021,
        "then lat": 0.046293,
        "then rec": 0.17002,
        "then seg": -0.10275,
        "validation/dice": 0.084855,
    },
    "self": {"seg": -0.083988, "st": -0.076573, "then seg": -0.12643, "validation/dice": 0.045918},
    "flat": {
        "d_a": 0.088847,
        "d_p": 0.066318,
        "adv": -0.04493,
        "lat": 0.064572,
        "rec": 0.21542,
        "seg": -0.13625,
        "st": -0.028025,
        "then d_a": 0.093784,
        "then d_p": 0.06712,
        "then adv": -0.048692,
        "then lat": 0.057126,
        "then rec": 0.2724,
        "then seg": -0.13315,
        "then st": -0.038558,
        "validation/dice": 0.10438,
    },
    "self_training": {
        "then train/d_a": 0.061809,
        "then train/d_p": 0.063613,
        "then train/adv": 0.0057735,
        "then train/lat": 0.081535,
        "then train/rec": 0.18088,
        "then train/seg": -0.081334,
        "then train/st": -0.36283,
        "then validation/dice": 0.10188,
    },
    "test": {"test/dice": 0.18038, "test/assd": 30.074, "test/dice_volume": 0.095689, "test/dice_micro": 0.18119},
}


WHERE = "methods/modatts/__init__.py"
CASES = {"segmentation": ("semi", "self", "flat")}
"""Of the stages that are held in more than one form."""


def test_every_stage_is_held() -> None:
    of = [stage for stage in vars(modatts).values() if isinstance(stage, type) and issubclass(stage, Stage)]
    own = [stage for stage in of if stage.__module__ == modatts.__name__]
    named = {case for stage in own for case in CASES.get(stage.name, (stage.name,))}
    assert named == set(GOLDEN)


def test_numbers_that_move_ask_for_a_new_version() -> None:
    with pytest.raises(AssertionError, match=r"stage 'synthesis' moved .* raise its `version`"):
        held("synthesis", "synthesis", {**GOLDEN["synthesis"], "mean": 0.024})


def held(stage: str, case: str, found: Numbers) -> None:
    """Compare with what is written above."""
    compare(GOLDEN.get(case, {}), found, stage=stage, case=case, where=WHERE)


@pytest.fixture
def artifacts(micro: Micro, tmp_path: Path) -> dict[str, Artifact]:
    """What stages take, without training: seeded weights, and target images in the place of pseudo-target ones."""
    run = micro.runs()["synthesis"]
    translation, synthesis = tmp_path / "translation", tmp_path / "synthesis"
    for folder in (translation, synthesis):
        folder.mkdir()
    torch.manual_seed(0)
    save_modules(translation / "weights.safetensors", {"translator": Translator(run.stage.translation)})
    volumes = np.stack([micro.prepared.image("t2")[index] for index in range(len(micro.prepared.subjects))])
    np.save(synthesis / "pseudo_target.npy", volumes)
    write_json(synthesis / "subjects.json", micro.prepared.subjects)
    return {
        "translation": Artifact("t", translation, Manifest(metrics={})),
        "synthesis": Artifact("s", synthesis, Manifest(metrics={})),
    }


def test_translation(micro: Micro, tmp_path: Path) -> None:
    run = micro.runs({"translation.network.dropout": 0.0})["translation"]
    training = TranslationTraining(run.stage.recipe, micro.context(run, tmp_path))
    scores = training.validate()
    held("translation", "translation", {**two_steps(training.steps(1)), **scores})


def test_synthesis(micro: Micro, tmp_path: Path, artifacts: dict[str, Artifact]) -> None:
    run = micro.runs()["synthesis"]
    drained(run.stage.train(micro.context(run, tmp_path, upstream=artifacts)))
    volumes = np.load(tmp_path / "pseudo_target.npy").astype(np.float64)
    held(
        "synthesis", "synthesis", {"mean": volumes.mean(), "size": np.abs(volumes).mean(), "one": volumes[1, 8, 12, 9]}
    )


@pytest.mark.parametrize(("case", "knobs"), [("semi", {}), ("self", SELF), ("flat", flat())])
def test_segmentation(
    micro: Micro, tmp_path: Path, artifacts: dict[str, Artifact], case: str, knobs: dict[str, Any]
) -> None:
    task = {"target_labels": 0.5}
    run = micro.runs({**knobs, "segmentation.batch": 1}, task=task)["segmentation"]
    context, recipe = micro.context(run, tmp_path, upstream=artifacts), run.stage.recipe
    training = SegmentationTraining(recipe, context, supervision(recipe, "oracle", context))
    scores = training.validate()
    held("segmentation", case, {**two_steps(training.steps(1)), **scores})


def test_self_training(micro: Micro, tmp_path: Path, artifacts: dict[str, Artifact]) -> None:
    knobs = {"segmentation.batch": 1, "self_training.threshold": 0.45, "self_training.epochs": 1}
    run = micro.runs(knobs)["self_training_1"]
    context, recipe = micro.context(run, tmp_path, upstream=artifacts), run.stage.segmentation
    training = SegmentationTraining(recipe, context, supervision(recipe, "oracle", context))
    save_modules(tmp_path / "weights.safetensors", training.modules)
    context = replace(context, upstream={**artifacts, "teacher": Artifact("teacher", tmp_path, Manifest(metrics={}))})
    (epoch,), _ = drained(run.stage.train(context))
    held("self_training", "self_training", {f"then {name}": value for name, value in epoch.metrics.items()})


def test_test(micro: Micro, tmp_path: Path, artifacts: dict[str, Artifact]) -> None:
    run = micro.runs(test=True)["test"]
    torch.manual_seed(0)
    save_modules(tmp_path / "weights.safetensors", {"segmentor": Segmentor(run.stage.recipe)})
    upstream = {**artifacts, "segmentor": Artifact("g", tmp_path, Manifest(metrics={}))}
    _, outcome = drained(run.stage.train(micro.context(run, tmp_path, upstream=upstream)))
    held("test", "test", dict(outcome.metrics))
