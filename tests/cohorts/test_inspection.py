from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts import inspection
from medsearch.cohorts.inspection import CaseFacts, FileFacts, inspect_cases, misfit, on_image_grid
from medsearch.imaging.image_files import UnreadableVolume, Volume
from medsearch.imaging.volumes import stored_volume, write_volume
from tests.cohorts import abdomens

AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])


def saved(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    write_volume(path, array, affine)
    return path


def facts_of(tmp_path: Path, array: np.ndarray, kind: str = "t1") -> FileFacts:
    return inspect_cases([{kind: saved(tmp_path / "a.nii.gz", array)}], None)[0].files[kind]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_facts_are_those_of_the_array(tmp_path: Path, dtype: str) -> None:
    array = np.zeros((3, 4, 5), dtype)
    array[1, 1, :2] = (7, 9)
    facts = facts_of(tmp_path, array)
    assert (facts.shape, facts.low, facts.high, facts.not_finite) == ((3, 4, 5), 0, 9, 0)
    assert facts.zeros == pytest.approx(58 / 60)
    np.testing.assert_array_equal(np.reshape(facts.affine, (4, 4)), AFFINE)
    assert facts_of(tmp_path, array, "mask").values == (7, 9)


def test_bounds_leave_out_what_is_not_finite(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, np.array([[[1.0, np.nan, -np.inf, 3.0]]]))
    assert (facts.low, facts.high, facts.not_finite) == (1, 3, 2)
    assert facts_of(tmp_path, np.full((1, 1, 2), np.nan)).not_finite == 2


def test_the_content_is_that_of_the_voxels_not_of_the_file(tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    content = {facts_of(tmp_path, array.astype(dtype)).content for dtype in ("uint8", "int16", "float32")}
    assert len(content) == 1
    assert facts_of(tmp_path, array.reshape(4, 3, 2).astype(np.int16)).content not in content
    assert facts_of(tmp_path, array[::-1].astype(np.int16)).content not in content


def test_an_interrupted_inspection_keeps_what_it_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [{"t1": saved(tmp_path / f"{n}.nii.gz", np.full((2, 2, 2), n, np.int16))} for n in range(30)]
    inspect, read = inspection._inspect, []

    def failing(files: dict[str, Path], *contents: object) -> CaseFacts:
        read.append(files["t1"])
        if len(read) == 10:
            raise KeyboardInterrupt
        return inspect(files, *contents)

    monkeypatch.setattr(inspection, "_inspect", failing)
    with pytest.raises(KeyboardInterrupt):
        inspect_cases(cases, tmp_path / "cache")
    begun = len(read)
    facts = inspect_cases(cases, tmp_path / "cache")
    assert [found.files["t1"].low for found in facts] == list(range(30))
    assert len(read) - begun == 30 - (begun - 1)  # all that was begun is kept, but for what was interrupted


PLACE = Path("outline.nii.gz")
RNG = np.random.default_rng(0)
LPS = RNG.integers(0, 2, (4, 5, 6)).astype(np.uint8)
"""Voxels to the left, to the back and up."""
HEADER = np.array([[-2.0, 0, 0, 7], [0, 3.0, 0, 90], [0, 0, 4.0, 0], [0, 0, 0, 1]])
"""What the file says instead: to the front."""


def affine_of(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    """RAS directions of axes along x, y, z of LPS in this order, some backwards."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1.0, -1.0, 1.0])[:, order] * np.array(signs) * (2.0, 3.0, 4.0)
    return affine


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("signs", [*product((1, -1), repeat=3)])
def test_released_voxels_fall_where_they_belong(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    """However the CT is stored, the same voxel of the body is marked."""
    expected = np.flip(LPS.transpose(order), tuple(axis for axis in range(3) if signs[axis] < 0))
    image = Volume(np.zeros(expected.shape), affine_of(order, signs), Path("ct"))
    laid = on_image_grid(Volume(LPS, HEADER, PLACE), image)
    np.testing.assert_array_equal(laid.array, expected)
    np.testing.assert_array_equal(laid.affine, image.affine)


def test_against_a_converted_ct_it_is_flipped_along_y() -> None:
    converted = Volume(np.zeros(LPS.shape), affine_of((0, 1, 2), (1, -1, 1)), Path("ct.nii.gz"))
    np.testing.assert_array_equal(on_image_grid(Volume(LPS, np.eye(4), PLACE), converted).array, LPS[:, ::-1])


def test_a_header_that_agrees_is_trusted() -> None:
    image = Volume(np.zeros(LPS.shape), affine_of((0, 1, 2), (1, -1, 1)), Path("ct.nii.gz"))
    near = image.affine + 0.01
    np.testing.assert_array_equal(on_image_grid(Volume(LPS, near, PLACE), image).array, LPS)


def test_another_size_is_refused() -> None:
    image = Volume(np.zeros((4, 5, 7)), affine_of((0, 1, 2), (1, 1, 1)), Path("ct"))
    with pytest.raises(UnreadableVolume, match=r"outline\.nii\.gz: has 4x5x6 voxels, its CT 4x5x7; give the label"):
        on_image_grid(Volume(LPS, np.eye(4), PLACE), image)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return abdomens.written(tmp_path_factory.mktemp("outlines") / "cohort")


@pytest.mark.parametrize("number", range(abdomens.SPEC.cases))
@pytest.mark.parametrize("converted", [False, True])
def test_the_phantom_s_labels_are_the_pancreas(root: Path, tmp_path: Path, number: int, converted: bool) -> None:
    """Read as DICOM, and as a converter stores it, with rows from back to front."""
    name = f"PANCREAS_{number + 1:04d}"
    image = stored_volume(next((root / "Pancreas-CT" / name).rglob("*.dcm")).parent)
    known = abdomens.scan("pancreas", number).pancreas
    if converted:
        turned = np.diag([1.0, -1.0, 1.0, 1.0])
        turned[1, 3] = image.array.shape[1] - 1
        write_volume(tmp_path / "ct.nii.gz", image.array[:, ::-1], image.affine @ turned)
        image, known = stored_volume(tmp_path / "ct.nii.gz"), known[:, ::-1]
    outline = on_image_grid(stored_volume(root / "TCIA_pancreas_labels-02-05-2017" / f"label{name[-4:]}.nii.gz"), image)
    np.testing.assert_array_equal(outline.array, known)
    assert 0 <= misfit(outline, image) < 0.05


def test_the_header_alone_would_lay_it_upside_down(root: Path) -> None:
    image = stored_volume(next((root / "Pancreas-CT" / "PANCREAS_0002").rglob("*.dcm")).parent)
    outline = on_image_grid(stored_volume(root / "TCIA_pancreas_labels-02-05-2017" / "label0002.nii.gz"), image)
    flipped = Volume(outline.array[:, ::-1], outline.affine, outline.path)
    assert misfit(flipped, image) > 0.5


def test_an_empty_outline_has_no_misfit() -> None:
    image = Volume(np.zeros((2, 2, 2)), np.eye(4), Path("ct"))
    assert misfit(Volume(np.zeros((2, 2, 2), np.uint8), np.eye(4), PLACE), image) == -1
