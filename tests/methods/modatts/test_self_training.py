from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medsearch.methods.modatts.recipe import SelfTrainingRecipe
from medsearch.methods.modatts.segmentation import SegmentationTraining, pseudo_labelled, pseudo_mask
from medsearch.methods.modatts.segmentor import predict
from medsearch.methods.modatts.supervision import supervision
from medsearch.training.checkpoints import load_modules, load_tensors
from medsearch.training.crops import IGNORED
from medsearch.training.runtime import Runtime
from tests.micro import Micro, drained, flat

PROBABILITIES = torch.tensor([0.0, 0.39, 0.41, 0.59, 0.61, 1.0])


@pytest.mark.parametrize(
    ("knobs", "mask"),
    [
        ({}, [0, 0, 0, 0, 1, 1]),
        ({"uncertain": "ignore"}, [0, 0, IGNORED, IGNORED, 1, 1]),
        ({"threshold": 0.4}, [0, 0, 1, 1, 1, 1]),
        ({"threshold": 0.4, "uncertain": "ignore"}, [0, 0, 1, 1, 1, 1]),
    ],
)
def test_pseudo_masks(knobs: dict[str, Any], mask: list[int]) -> None:
    found = pseudo_mask(PROBABILITIES, SelfTrainingRecipe(**knobs))
    assert found.tolist() == mask
    assert found.dtype == np.uint8


def student(micro: Micro, folder: Path, knobs: dict[str, Any], task: dict[str, Any]) -> SegmentationTraining:
    """The training of round 1 as it begins, with the teacher's weights."""
    teacher = micro.finished("segmentation", knobs, task=task)
    run = micro.runs(knobs, task=task)["self_training_1"]
    context, recipe = micro.context(run, folder), run.stage.segmentation
    held = SegmentationTraining(recipe, context, supervision(recipe, "oracle", context))
    load_modules(teacher.file("weights.safetensors"), held.modules)
    return held


@pytest.mark.parametrize("knobs", [{}, flat()], ids=["solid", "flat"])
def test_the_teacher_labels_what_nobody_has_labelled(micro: Micro, tmp_path: Path, knobs: dict[str, Any]) -> None:
    held = student(micro, tmp_path, knobs, {"target_labels": 0.5})
    recipe = SelfTrainingRecipe(threshold=0.45)
    crops = pseudo_labelled(held, recipe)
    known = held.given.diseased.annotated
    assert 0 < len(known) < len(crops)
    assert crops.annotated == set(range(len(crops)))
    for index, unit in enumerate(crops.halves.units):
        image, mask = crops.halves[index]
        y_hat = predict(held.segmentor, torch.from_numpy(image)[None, None], Runtime())[0, 0]
        if index in known:
            assert crops.pseudo(unit) is None
        else:
            np.testing.assert_array_equal(crops.pseudo(unit), (y_hat > 0.45).numpy())
            mask = crops.pseudo(unit)
        np.testing.assert_array_equal(crops.load([index], None).y[0, 0], mask)


def test_a_round_adds_a_term_for_the_pseudo_labels(micro: Micro) -> None:
    teacher, round_1 = (micro.finished(node) for node in ("segmentation", "self_training_1"))
    before, after = (micro.store.journal(artifact.key)[0]["metrics"] for artifact in (teacher, round_1))
    assert set(after) - set(before) == {"train/st"}


def test_a_round_begins_at_its_teacher(micro: Micro, tmp_path: Path) -> None:
    """With a learning rate of nothing the round hands on its teacher, discriminators and all."""
    teacher = micro.finished("segmentation")
    run = micro.runs({"segmentation.optimiser.lr": 1e-45})["self_training_1"]
    upstream = {"teacher": teacher, "synthesis": micro.finished("synthesis")}
    drained(run.stage.train(micro.context(run, tmp_path, upstream=upstream)))
    one, two = (load_tensors(folder / "weights.safetensors")[0] for folder in (teacher.directory, tmp_path))
    assert set(one) == set(two)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert {name.split("/")[0] for name in one} == {"segmentor", "d_p", "d_a"}


def test_rounds_draw_their_crops_in_orders_of_their_own(micro: Micro) -> None:
    runs = {"self_training.rounds": 2, "segmentation.optimiser.lr": 1e-45}
    artifacts = [micro.finished(f"self_training_{number}", runs) for number in (1, 2)]
    losses = [micro.store.journal(artifact.key)[0]["metrics"]["train/rec"] for artifact in artifacts]
    assert losses[0] != losses[1]
    assert artifacts[1].manifest.upstream["teacher"] == artifacts[0].key


def test_what_is_uncertain_can_be_left_out(micro: Micro) -> None:
    metrics = [
        micro.store.journal(micro.finished("self_training_1", {"self_training.uncertain": way}).key)[0]["metrics"]
        for way in ("background", "ignore")
    ]
    assert metrics[0]["train/st"] != metrics[1]["train/st"]


def test_all_target_labels_leave_nothing_to_label(micro: Micro, tmp_path: Path) -> None:
    held = student(micro, tmp_path, {}, {"target_labels": 1.0})
    crops = pseudo_labelled(held, SelfTrainingRecipe())
    assert all(crops.pseudo(unit) is None for unit in crops.halves.units)
