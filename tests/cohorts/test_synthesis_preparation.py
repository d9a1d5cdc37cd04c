"""From files to stacks: upright, superior first, averaged by area; made once."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsearch.cohorts import preparation
from medsearch.cohorts.cohort import Cohort
from medsearch.cohorts.preparation import AIR, axial, prepare, resized
from medsearch.core.errors import BadInput
from medsearch.core.recipes import override
from medsearch.imaging.image_files import Volume
from medsearch.imaging.volumes import read_volume, write_volume
from tests.micro_bodies import AFFINE, TASK, body, prepared_bodies, write_bodies


def volume(array: np.ndarray, affine: np.ndarray = AFFINE) -> Volume:
    return Volume(array, affine, Path("volume.nii"))


def stack(of: Volume, size: int) -> tuple[np.ndarray, tuple[float, ...]]:
    hu, (deep, *edges) = axial(of)
    return np.rint(resized(hu, size)).astype(np.int16), (deep, *(edge * hu.shape[1] / size for edge in edges))


def test_slices_come_superior_first_and_upright() -> None:
    hu = np.zeros((4, 4, 3), np.int16)
    hu[0, 0, 2] = 100  # of x to the left, y to the back, z up: the patient's right, front, top
    found, spacing = stack(volume(hu), 4)
    assert found.shape == (3, 4, 4)
    assert found[0, 0, 0] == 100
    assert np.count_nonzero(found) == 1
    assert spacing == (14.0, 8.0, 8.0)


@pytest.mark.parametrize("orientation", ["RAS", "LPI", "SAL", "PIR"])
def test_how_the_file_lies_does_not_matter(orientation: str) -> None:
    hu = body(3, agent=True)
    image = nibabel.Nifti1Image(hu.astype(np.float32), AFFINE)
    codes = nibabel.orientations.axcodes2ornt(orientation)
    turned = image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(AFFINE), codes))
    expected, spacing = stack(volume(hu), 24)
    found, other = stack(volume(np.asarray(turned.dataobj), turned.affine), 24)
    assert np.array_equal(found, expected)
    assert other == pytest.approx(spacing)


def test_pixels_are_means_over_their_area() -> None:
    hu = np.arange(16 * 2, dtype=np.int16).reshape(4, 4, 2) * 10
    found, spacing = stack(volume(hu), 2)
    expected = hu[..., 1].reshape(2, 2, 2, 2).mean((1, 3)).T  # rows are y
    assert np.array_equal(found[0], np.rint(expected))
    assert spacing == (14.0, 16.0, 16.0)


@pytest.mark.parametrize("side", [127, 128, 129, 257])
def test_slices_are_as_large_as_the_task_wants_them(side: int) -> None:
    assert resized(np.ones((1, side, side), np.float32), 128).shape == (1, 128, 128)
    assert resized(np.ones((1, side, side), np.float32), 128) == pytest.approx(1)


def test_what_no_scanner_measures_does_not_become_air(tmp_path: Path) -> None:
    cohort = write_bodies(tmp_path / "bodies", unpaired=1, pairs=0)
    hu = body(0, agent=False).astype(np.float32)
    hu[24, 24, 8] = 40_000
    write_volume(tmp_path / "bodies" / "ct-0" / "CT.nii.gz", hu, AFFINE)
    task = override(TASK, {"geometry.slice_size": 48})
    assert prepare(cohort, "f", task=task, folder=tmp_path).stack("ct-0", "CT").max() == 32_767


def test_an_image_that_is_not_square_gets_air_beside_it() -> None:
    found, _ = stack(volume(np.full((6, 2, 1), 50, np.int16)), 6)
    assert (found[0, 2:4] == 50).all()
    assert (found[0, [0, 1, 4, 5]] == AIR).all()


def test_values_that_are_not_finite_are_refused_by_name() -> None:
    hu = body(0, agent=False).astype(np.float32)
    hu[0, 0, 0] = np.nan
    with pytest.raises(BadInput, match=r"^volume.nii: holds values that are not finite; export it again"):
        stack(volume(hu), 24)


def test_stacks_hold_what_the_files_hold(tmp_path: Path) -> None:
    prepared = prepared_bodies(tmp_path)
    for subject, contrast in (("ct-0", "CT"), ("ce-1", "ceCT"), ("pair-0", "CT"), ("pair-0", "ceCT")):
        hu, spacing = stack(read_volume(tmp_path / "bodies" / subject / f"{contrast}.nii.gz"), 24)
        assert np.array_equal(prepared.stack(subject, contrast), hu)
        mask, known = prepared.body(subject, contrast), prepared.measured(subject, contrast)
        assert set(np.unique(mask)) == {0, 1}
        assert 0.25 < mask.mean() < 0.6, "an ellipse of a third of the square, with its air"
        assert known["slices"] == len(hu)
        assert known["spacing"] == list(spacing)
        first, last = known["region"]
        assert 0 <= first < last < len(hu)
        assert known["found"]
    assert prepared.roster.contrasts["pair-0"] == ("CT", "ceCT")
    assert prepared.roster.assigned == {f"pair-{number}": "test" for number in range(4)}


def test_they_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = write_bodies(tmp_path / "bodies", unpaired=1, pairs=0)
    prepare(cohort, "f", task=TASK, folder=tmp_path)
    monkeypatch.setattr(preparation, "read_volume", None)
    prepare(cohort, "f", task=replace(TASK, direction="backward", source="ceCT", target="CT"), folder=tmp_path)


@pytest.mark.parametrize("knob", ["geometry.slice_size", "body.above"])
def test_sizes_and_rules_have_folders_of_their_own(knob: str, tmp_path: Path) -> None:
    other = override(TASK, {knob: 32 if knob.endswith("size") else -400.0})
    assert other.folder_name("f") != TASK.folder_name("f")


def test_a_cohort_without_cases_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^cohort empty in .* has no usable case; run `medsearch check` on it$"):
        prepare(Cohort("empty", tmp_path, "abdominal_ct", ("CT",), ()), "f", task=TASK, folder=tmp_path)


def test_a_case_without_the_contrast_is_named(tmp_path: Path) -> None:
    prepared = prepared_bodies(tmp_path)
    with pytest.raises(BadInput, match=r"^case ct-0 has no ceCT image; exclude it or add the file$"):
        prepared.stack("ct-0", "ceCT")
    with pytest.raises(BadInput, match=r"^no subject 'nobody' in stacks-micro"):
        prepared.body("nobody", "CT")


@pytest.mark.parametrize("padding", [-1025, -2000, -3024, -33792])
def test_padding_of_any_depth_counts_as_air(padding: int, tmp_path: Path) -> None:
    """A body that reaches the circle of reconstruction: what is padded beyond it must not be averaged into its rim."""
    cohort, task = write_bodies(tmp_path / "bodies", unpaired=1, pairs=0), override(TASK, {"geometry.slice_size": 16})
    hu = body(0, agent=False).astype(np.float32)
    x, y = np.indices(hu.shape[:2])
    beyond = np.hypot(x - hu.shape[0] / 2, y - hu.shape[1] / 2) > 0.3 * hu.shape[0]
    stacks = {}
    for depth in (AIR, padding):
        write_volume(tmp_path / "bodies" / "ct-0" / "CT.nii.gz", np.where(beyond[..., None], depth, hu), AFFINE)
        prepared = prepare(cohort, f"f{depth}", task=task, folder=tmp_path)
        stacks[depth] = prepared.stack("ct-0", "CT"), prepared.body("ct-0", "CT"), prepared.measured("ct-0", "CT")
    assert (hu[beyond] > 0).any(), "the body reaches the circle"
    assert np.array_equal(stacks[AIR][0], stacks[padding][0])
    assert np.array_equal(stacks[AIR][1], stacks[padding][1])
    assert stacks[AIR][2] == stacks[padding][2]


def test_air_itself_is_not_touched() -> None:
    hu = np.random.default_rng(0).integers(AIR, 2000, (6, 6, 2)).astype(np.int16)
    assert np.array_equal(stack(volume(hu), 6)[0][0], hu[..., 1].T)
