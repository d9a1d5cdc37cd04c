from dataclasses import replace

import numpy as np
import pytest

from medsearch.cohorts.patches import SliceRule, hemispheres
from medsearch.core.errors import BadInput
from medsearch.imaging.geometry import Geometry
from medsearch.metrics.overlap import MicroDice
from medsearch.metrics.scoring import Row, Scores, add_crops, diseased_part, means, score_halves
from medsearch.metrics.scoring import TestCase as Case

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


def count(micro: MicroDice, one: Case) -> None:
    add_crops(micro, one, one.truth, geometry=GEOMETRY)


def halves_row(one: Case) -> Row:
    return score_halves(one, one.truth, GEOMETRY, spacing=SPACING)


def test_diseased_halves_are_scored_whole_and_healthy_ones_apart() -> None:
    one = case(truth=[(1, 3, 3), (1, 3, 4), (3, 3, 3)], found=[(1, 3, 4), (1, 2, 4), (1, 3, 6)])
    row = halves_row(one)
    assert row["dice"] == pytest.approx(2 * 1 / (3 + 2))  # the voxel at x 6 lies in the healthy half
    assert row["dice_volume"] == pytest.approx(2 * 1 / (3 + 3))
    assert (row["tumour_voxels"], row["outside_crops"]) == (3, 1)
    # mm, pooled over five surface voxels; the highest is two slices and one column from what was found
    assert row["assd"] == pytest.approx((2 + 0 + (4**2 + 2**2) ** 0.5 + 0 + 2) / 5)


def test_micro_dice_is_over_diseased_crops() -> None:
    micro = MicroDice()
    count(micro, case(truth=[(1, 3, 3), (1, 3, 4), (3, 3, 3)], found=[(1, 3, 4), (1, 2, 4), (1, 3, 6)]))
    assert (micro.units, micro.both, micro.sizes) == (1, 1, 4)  # what lies outside the crop is not counted
    count(micro, case(truth=[(1, 3, 6)], found=[(1, 3, 6)]))
    assert micro.value == pytest.approx((2 * 2 + 1) / (6 + 1))


def test_nothing_found_has_no_surface_distance() -> None:
    row = halves_row(case(truth=[(1, 3, 3)], found=[]))
    assert (row["dice"], row["assd"]) == (0.0, None)


def test_a_subject_without_a_tumour_has_no_score_but_that_of_the_volume() -> None:
    row = halves_row(case(truth=[], found=[]))
    assert (row["dice"], row["assd"], row["dice_volume"]) == (None, None, 1.0)


def whole(*cases: Case) -> Scores:
    scores = Scores("whole volume", GEOMETRY, SPACING)
    for one in cases:
        scores.add(one)
    return scores


def test_whole_volumes_are_scored_as_crossmoda_did() -> None:
    one = case(truth=[(1, 3, 3), (1, 3, 4)], found=[(1, 3, 4), (1, 3, 6)])  # the latter in the healthy half
    scores = whole(one, case(truth=[(1, 3, 3)], found=[]))
    first, second = scores.rows
    assert first["dice"] == pytest.approx(2 * 1 / (2 + 2))
    assert first["assd"] == pytest.approx(((0 + 4) / 2 + (0 + 2) / 2) / 2)  # of two directed means, mm
    assert (second["dice"], second["assd"]) == (0.0, 350.0)
    expected = {"test/dice": 0.25, "test/assd": (1.5 + 350) / 2, "test/dice_micro": (2 * 1 + 1) / (5 + 1)}
    assert scores.metrics == pytest.approx(expected)
    assert "medpy 0.4" in scores.notes["assd"]


def test_a_case_without_a_mask_is_counted_and_has_no_score() -> None:
    unknown = replace(case(truth=[], found=[(1, 3, 3)]), truth=None, diseased=None)
    scores = whole(unknown, case(truth=[(1, 3, 3)], found=[(1, 3, 3)]))
    assert [row["dice"] for row in scores.rows] == [1.0]
    assert scores.notes["unscored"] == 1
    assert whole(unknown).metrics == {}


def test_means_are_over_what_is_defined() -> None:
    rows = [{"dice": 0.5, "assd": 2.0, "dice_volume": 0.2}, {"dice": 0.0, "assd": None, "dice_volume": 0.4}]
    assert means(rows) == pytest.approx({"test/dice": 0.25, "test/assd": 2.0, "test/dice_volume": 0.3})
    assert "test/assd" not in means(rows[1:])


def test_halves_meet_at_the_middle() -> None:
    assert diseased_part((True, False), (1, 1, 5)).ravel().tolist() == [1, 1, 0, 0, 0]
    assert diseased_part((False, True), (1, 1, 5)).ravel().tolist() == [0, 0, 1, 1, 1]


def test_no_diseased_crop_is_no_score() -> None:
    micro = MicroDice()
    count(micro, case(truth=[], found=[(1, 3, 3)]))
    with pytest.raises(BadInput, match="no unit was scored"):
        _ = micro.value


def test_diseased_slices_alone_are_scored() -> None:
    """Halves of 4 x 8 x 5 voxels; a slice is 40 voxels of brain, so two of tumour are 5 %."""
    rule = SliceRule(diseased_share=0.05)
    brain = np.ones((4, 8, 10), np.float32)
    one = replace(
        case(truth=[(1, 3, 3), (1, 4, 3), (2, 3, 3)], found=[(1, 3, 3), (2, 5, 3), (3, 0, 0), (0, 0, 9)]), image=brain
    )
    scores = Scores("diseased slices", hemispheres(GEOMETRY, (4, 8, 10)), SPACING, rule)
    scores.add(one)
    (row,) = scores.rows
    assert row["dice"] == pytest.approx(2 / 3)  # slice 1: one of two found; slice 2 has too little tumour
    assert row["dice_halves"] == pytest.approx(2 / 6)
    assert scores.metrics["test/dice_micro"] == pytest.approx((2 + 1) / (3 + 1))
    scores.add(replace(case(truth=[(2, 3, 3)], found=[]), image=brain))
    assert scores.rows[1]["dice"] is None  # none of its slices counts
    assert scores.metrics["test/dice"] == pytest.approx(2 / 3)


def test_a_row_says_whose_it_is_where_one_patient_has_several() -> None:
    scores = Scores("diseased halves", GEOMETRY, SPACING)
    one = case(truth=[(1, 3, 3)], found=[(1, 3, 3)])
    scores.add(one)
    scores.add(replace(one, patient="p"))
    scores.add(replace(one, truth=None, patient="p"))
    assert [row.get("patient") for row in scores.rows] == [None, "p"]
    assert scores.unscored == 1
