from pathlib import Path

import numpy as np
import pytest
from micro import TASK, Micro, flat

from medsearch.core.errors import BadInput
from medsearch.data.geometry import Geometry
from medsearch.methods.modatts.evaluation import TestCase as Case
from medsearch.methods.modatts.evaluation import add_crops, diseased_part, means, score
from medsearch.metrics.overlap import MicroDice

GEOMETRY = Geometry(spacing=(2.0, 2.0, 2.0), slice_size=16, depth=(1, 3), crop=(2, 4, 3))
BOX = ((0, 4), (0, 8), (0, 10))
SPACING = (2.0, 2.0, 2.0)


def case(truth: list[tuple[int, int, int]], found: list[tuple[int, int, int]]) -> Case:
    """Voxels (z, y, x) of a 4 x 8 x 10 volume; crops hold z 1-2, y 2-5, x 2-4 and 5-7."""
    masks = np.zeros((2, 4, 8, 10), np.uint8)
    for mask, voxels in zip(masks, (truth, found), strict=True):
        for voxel in voxels:
            mask[voxel] = 1
    present = (masks[0][..., :5].any(), masks[0][..., 5:].any())
    return Case("a", np.zeros((4, 8, 10), np.float32), *masks, (bool(present[0]), bool(present[1])), BOX)


def test_diseased_halves_are_scored_whole_and_healthy_ones_apart() -> None:
    one = case(truth=[(1, 3, 3), (1, 3, 4), (3, 3, 3)], found=[(1, 3, 4), (1, 2, 4), (1, 3, 6)])
    row = score(one, GEOMETRY, spacing=SPACING)
    assert row["dice"] == pytest.approx(2 * 1 / (3 + 2))  # the voxel at x 6 lies in the healthy half
    assert row["dice_volume"] == pytest.approx(2 * 1 / (3 + 3))
    assert (row["tumour_voxels"], row["outside_crops"]) == (3, 1)
    # mm, pooled over five surface voxels; the highest is two slices and one column from what was found
    assert row["assd"] == pytest.approx((2 + 0 + (4**2 + 2**2) ** 0.5 + 0 + 2) / 5)


def test_micro_dice_is_over_diseased_crops() -> None:
    micro = MicroDice()
    add_crops(
        micro, case(truth=[(1, 3, 3), (1, 3, 4), (3, 3, 3)], found=[(1, 3, 4), (1, 2, 4), (1, 3, 6)]), geometry=GEOMETRY
    )
    assert (micro.units, micro.both, micro.sizes) == (1, 1, 4)  # what lies outside the crop is not counted
    add_crops(micro, case(truth=[(1, 3, 6)], found=[(1, 3, 6)]), geometry=GEOMETRY)
    assert micro.value == pytest.approx((2 * 2 + 1) / (6 + 1))


def test_nothing_found_has_no_surface_distance() -> None:
    row = score(case(truth=[(1, 3, 3)], found=[]), GEOMETRY, spacing=SPACING)
    assert (row["dice"], row["assd"]) == (0.0, None)


def test_a_subject_without_a_tumour_has_no_score_but_that_of_the_volume() -> None:
    row = score(case(truth=[], found=[]), GEOMETRY, spacing=SPACING)
    assert (row["dice"], row["assd"], row["dice_volume"]) == (None, None, 1.0)


def test_means_are_over_what_is_defined() -> None:
    rows = [{"dice": 0.5, "assd": 2.0, "dice_volume": 0.2}, {"dice": 0.0, "assd": None, "dice_volume": 0.4}]
    assert means(rows) == pytest.approx({"test/dice": 0.25, "test/assd": 2.0, "test/dice_volume": 0.3})
    assert "test/assd" not in means(rows[1:])


def test_halves_meet_at_the_middle() -> None:
    assert diseased_part((True, False), (1, 1, 5)).ravel().tolist() == [1, 1, 0, 0, 0]
    assert diseased_part((False, True), (1, 1, 5)).ravel().tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("knobs", [{}, flat()], ids=["solid", "flat"])
def test_the_test_stage_scores_every_case_and_draws(micro: Micro, knobs: dict[str, object]) -> None:
    artifact = micro.finished("test", knobs, test=True)
    assert {"test/dice", "test/dice_micro", "test/dice_volume"} <= set(artifact.metrics)
    rows = artifact.manifest["notes"]["cases"]
    assert len(rows) == 1
    assert artifact.metrics["test/dice"] == rows[0]["dice"]
    pictures = sorted(path.name for path in (artifact.directory / "pictures").iterdir())
    assert pictures == ["predictions.png", "residuals.png", "translations.png"]


@pytest.mark.parametrize("reference", ["source", "target"])
def test_a_reference_is_tested_on_the_same_cases(micro: Micro, reference: str) -> None:
    knobs = {"segmentation.supervision": reference}
    artifact = micro.finished("test", knobs, test=True, task={"target_labels": 1.0})
    adapted = micro.finished("test", test=True)
    subjects = [[row["subject"] for row in one.manifest["notes"]["cases"]] for one in (artifact, adapted)]
    assert subjects[0] == subjects[1]
    assert [path.name for path in (artifact.directory / "pictures").iterdir()] == ["predictions.png"]


def test_no_diseased_crop_is_no_score(tmp_path: Path) -> None:
    micro = MicroDice()
    add_crops(micro, case(truth=[], found=[(1, 3, 3)]), geometry=GEOMETRY)
    with pytest.raises(BadInput, match="no unit was scored"):
        _ = micro.value
    assert TASK.geometry.crop[0] == 8
