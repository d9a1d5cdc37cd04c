from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsearch.core.errors import BadInput
from medsearch.core.records import read_json
from medsearch.data.geometry import Geometry
from medsearch.data.volumes import read_volume
from medsearch.methods.modatts.evaluation import load_segmentors
from medsearch.methods.modatts.evaluation import test_cases as found
from medsearch.methods.modatts.scoring import Row, Scores, add_crops, diseased_part, means, score_halves
from medsearch.methods.modatts.scoring import TestCase as Case
from medsearch.metrics.overlap import MicroDice, dice
from medsearch.stages.context import Artifact
from tests.micro import TASK, Micro, flat

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


@pytest.mark.parametrize("knobs", [{}, flat()], ids=["solid", "flat"])
def test_the_test_stage_scores_every_case_and_draws(micro: Micro, knobs: dict[str, object]) -> None:
    artifact = micro.finished("test", knobs, test=True)
    assert {"test/dice", "test/dice_micro", "test/dice_volume"} <= set(artifact.metrics)
    rows = artifact.manifest["notes"]["cases"]
    assert len(rows) == 1
    assert artifact.metrics["test/dice"] == rows[0]["dice"]
    pictures = sorted(path.name for path in (artifact.directory / "pictures").iterdir())
    assert pictures == [
        *("attention_segmentation.png", "attention_translation.png"),
        *("predictions.png", "residuals.png", "translations.png"),
    ]


def test_segmentors_of_all_folds_vote(micro: Micro, tmp_path: Path) -> None:
    """The mean of their probabilities: with one voice twice its own outcome, with two another one than either's."""
    folded = {"ensemble.folds": 2, "self_training.rounds": 0}
    voted = micro.finished("test", folded, test=True)
    runs = micro.runs(folded, test=True)
    first, second = (micro.store.artifact(runs[f"segmentation_fold_{number}"].key) for number in (1, 2))
    context = micro.context(runs["test"], tmp_path)

    def votes(*artifacts: Artifact) -> list[np.ndarray]:
        given = replace(context, upstream={f"segmentor_{place}": one for place, one in enumerate(artifacts, start=1)})
        return [case.prediction for case in found(load_segmentors(runs["test"].stage.recipe, given), given)]

    (alone,), (twice,), (other,), (both,) = votes(first), votes(first, first), votes(second), votes(first, second)
    np.testing.assert_array_equal(alone, twice)
    assert (both != alone).any()
    assert (both != other).any()
    assert ((both == alone) | (both == other)).all()
    (row,) = voted.manifest["notes"]["cases"]
    (truth,) = (case.truth for case in found(load_segmentors(runs["test"].stage.recipe, context), context))
    assert row["dice_volume"] == pytest.approx(dice(both, truth))


@pytest.mark.parametrize("reference", ["source", "target"])
def test_a_reference_is_tested_on_the_same_cases(micro: Micro, reference: str) -> None:
    knobs = {"segmentation.supervision": reference}
    artifact = micro.finished("test", knobs, test=True, task={"target_labels": 1.0})
    adapted = micro.finished("test", test=True)
    subjects = [[row["subject"] for row in one.manifest["notes"]["cases"]] for one in (artifact, adapted)]
    assert subjects[0] == subjects[1]
    pictures = sorted(path.name for path in (artifact.directory / "pictures").iterdir())
    assert pictures == ["attention_segmentation.png", "predictions.png"]


def test_test_cases_without_masks_are_predicted_not_scored(tmp_path: Path) -> None:
    """And nobody has both contrasts, so translations are those of annotated sources, validation cases."""
    micro = Micro.written(tmp_path, apart=True)
    artifact = micro.finished("test", test=True, selection="pseudo-target")
    assert artifact.metrics == {}
    assert (artifact.manifest["notes"]["unscored"], artifact.manifest["notes"]["cases"]) == (1, [])
    predicted = read_volume(artifact.file("predictions/case-5.nii.gz"))
    assert predicted.array.shape == (24, 24, 16)
    assert set(np.unique(predicted.array)) <= {0, 1}
    np.testing.assert_array_equal(predicted.affine, np.diag([-10, -10, 10, 1]))
    index = read_json(artifact.file("tiles/index.json"))
    whats = {kind: [tile["what"] for tile in index if tile["kind"] == kind] for kind in ("translations", "predictions")}
    assert whats == {"translations": ["source", "translated", "truth"], "predictions": ["image", "prediction"]}
    assert {tile["subject"] for tile in index if tile["kind"] == "translations"} <= {"case-0", "case-1", "case-2"}
    assert {tile["note"] for tile in index if tile["what"] == "prediction"} == {""}


def test_no_diseased_crop_is_no_score(tmp_path: Path) -> None:
    micro = MicroDice()
    count(micro, case(truth=[], found=[(1, 3, 3)]))
    with pytest.raises(BadInput, match="no unit was scored"):
        _ = micro.value
    assert TASK.geometry.crop[0] == 8
