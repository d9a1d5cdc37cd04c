"""A folder of one CT series as a volume: its order, its units, its place; and what is refused, with no word quoted."""

import logging
import re
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.cohorts.cohort import Case, Cohort, fingerprint
from medsearch.cohorts.inspection import inspect_cases
from medsearch.imaging.dicom import read_series
from medsearch.imaging.dicom_slices import TAGS, read_slices
from medsearch.imaging.image_files import UnreadableVolume
from medsearch.imaging.volumes import read_volume, stored_volume
from tests.cohorts import planted

AFFINE = np.array([[-2.0, 0, 0, 11], [0, -2.5, 0, 9], [0, 0, 5.0, -300], [0, 0, 0, 1]])


def series(tmp_path: Path, **header: object) -> Path:
    return planted.write(tmp_path / "series", **header)


def test_a_series_is_a_volume_in_hu(tmp_path: Path) -> None:
    folder = series(tmp_path)
    stored, read = stored_volume(folder), read_volume(folder)
    assert (stored.array.dtype, read.array.dtype) == (np.int16, np.float32)
    np.testing.assert_array_equal(stored.array, planted.volume())
    np.testing.assert_array_equal(read.array, planted.volume())
    np.testing.assert_allclose(read.affine, AFFINE)
    assert read.spacing == pytest.approx(planted.SPACING)
    assert read.path == folder


def test_it_lies_where_simple_itk_sees_it(tmp_path: Path) -> None:
    """An oracle that shares no line with the reader: each voxel's place in LPS, and its value."""
    for lying in ("HFS", "HFP"):
        folder = planted.write(tmp_path / lying, lying=lying)
        image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
        ours = read_series(folder)
        for index in ((0, 0, 0), (3, 4, 5), (11, 9, 7)):
            there = ours.affine @ [*index, 1]
            at = image.TransformPhysicalPointToIndex([-there[0], -there[1], there[2]])
            assert image[at] == ours.array[index]


def test_a_patient_on_the_front_is_stored_the_other_way_round(tmp_path: Path) -> None:
    volume = read_series(series(tmp_path, lying="HFP"))
    np.testing.assert_array_equal(volume.array[::-1, ::-1], planted.volume())
    assert np.sign(np.diag(volume.affine)[:3]).tolist() == [1, 1, 1]
    np.testing.assert_allclose(volume.affine @ [11, 9, 0, 1], AFFINE[:, 3])


@settings(max_examples=20)
@given(order=st.permutations(range(planted.SHAPE[2])))
def test_names_and_numbers_of_files_do_not_matter(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    folder = planted.write(tmp_path_factory.mktemp("dicom") / "series")
    for new, path in zip(order, sorted(folder.iterdir()), strict=True):
        planted.edit(path, lambda dataset, new=new: setattr(dataset, "InstanceNumber", new))
        path.rename(folder / f"IM{new:04d}")
    volume = read_series(folder)
    np.testing.assert_array_equal(volume.array, planted.volume())
    np.testing.assert_allclose(volume.affine, AFFINE)


@settings(max_examples=30)
@given(
    slope=st.sampled_from([1, 2, 0.5, 0.25, 4]),
    intercept=st.sampled_from([0, -1024, -1000, 10, -0.5]),
    signed=st.booleans(),
)
def test_slope_and_intercept_make_hu(
    tmp_path_factory: pytest.TempPathFactory, slope: float, intercept: float, signed: bool
) -> None:
    folder = planted.write(tmp_path_factory.mktemp("dicom") / "series", intercept=0 if signed else -1024)
    stored = planted.volume() + (0 if signed else 1024)

    def scaled(dataset: pydicom.Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept

    planted.every(scaled)(folder)
    volume = read_series(folder)
    np.testing.assert_array_equal(volume.array, stored * slope + intercept)
    assert volume.array.dtype == (
        np.int16 if float(slope).is_integer() and float(intercept).is_integer() else np.float32
    )


def test_positions_that_are_rounded_are_even(tmp_path: Path) -> None:
    folder = series(tmp_path)

    def rounded(dataset: pydicom.Dataset) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, f"{-300 + round((float(z) + 300) / 5 * 0.75, 1):.1f}"]

    planted.every(rounded)(folder)
    assert read_series(folder).spacing[2] == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("syntax", planted.SYNTAXES)
def test_compressed_images_are_unpacked(tmp_path: Path, syntax: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One file packed without loss, the rest as they were."""
    folder = series(tmp_path)
    planted.pack(folder / "1-003.dcm", syntax)
    assert pydicom.dcmread(folder / "1-003.dcm").file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_series(folder).array, planted.volume())
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("fault", planted.BROKEN)
def test_what_is_no_series_is_refused_in_one_line(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, case = series(tmp_path), planted.BROKEN[fault]
    case.breaks(folder)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(UnreadableVolume) as caught:
            read_volume(folder)
    line = str(caught.value)
    assert re.search(case.problem, line), line
    assert case.remedy in line
    assert line.startswith(f"{folder}: ")
    assert "\n" not in line
    told = [line, caplog.text, *capfd.readouterr(), *(str(one.message) for one in warned), str(caught.value.__cause__)]
    assert planted.PLANTED not in "".join(told)


def test_a_sound_series_is_read_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = series(tmp_path)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        volume = read_volume(folder)
    assert planted.PLANTED not in "".join([caplog.text, *capfd.readouterr(), repr(vars(volume))])
    assert not warned


def test_letters_that_nobody_knows_are_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = series(tmp_path)
    for path in folder.iterdir():
        planted.edit(path, lambda dataset: setattr(dataset, "SpecificCharacterSet", "ISO_IR 100"))
        content = path.read_bytes()
        assert b"ISO_IR 100" in content
        path.write_bytes(content.replace(b"ISO_IR 100", f"{planted.PLANTED}_IR".encode()))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert read_volume(folder).array.shape == planted.SHAPE
    assert planted.PLANTED not in "".join([caplog.text, *capfd.readouterr(), *(str(one.message) for one in warned)])


def test_headers_are_held_without_names(tmp_path: Path) -> None:
    assert planted.PLANTED not in repr(read_slices(series(tmp_path) / "1-001.dcm"))
    naming = re.compile("Name|PatientID|Birth|Address|Institution|Physician|Date|Comment|Description|Accession|Age|Sex")
    assert [tag for tag in TAGS if naming.search(tag)] == []
    assert all(pydicom.datadict.tag_for_keyword(tag) for tag in TAGS)


def test_a_series_is_inspected_and_fingerprinted_as_a_file_is(tmp_path: Path) -> None:
    folder, cache = series(tmp_path), tmp_path / "cache"
    facts = inspect_cases([{"CT": folder}], cache)[0].files["CT"]
    assert facts.problem is None
    assert (facts.shape, facts.low, facts.high) == (planted.SHAPE, planted.volume().min(), planted.volume().max())
    cohort = Cohort("c", tmp_path, "l", ("CT",), (Case("a", {"CT": folder}, None),))
    before = fingerprint(cohort, cache / "digests.json")
    for path in sorted(folder.iterdir()):
        path.rename(folder / f"IM-{path.name}")
    assert fingerprint(cohort, cache / "digests.json") == before
    planted.edit(folder / "IM-1-003.dcm", lambda dataset: setattr(dataset, "RescaleIntercept", -1000))
    assert fingerprint(cohort, cache / "digests.json") != before
    written = "".join(path.read_text() for path in cache.iterdir())
    assert planted.PLANTED not in written


@pytest.mark.parametrize("fault", planted.BROKEN)
def test_inspection_says_what_the_reader_says(tmp_path: Path, fault: str) -> None:
    folder, case = series(tmp_path), planted.BROKEN[fault]
    case.breaks(folder)
    facts = inspect_cases([{"CT": folder}], tmp_path / "cache")[0].files["CT"]
    assert re.search(case.problem, facts.problem or "")
    assert case.remedy in (facts.remedy or "")
    assert planted.PLANTED not in "".join(path.read_text() for path in (tmp_path / "cache").iterdir())


def test_a_missing_folder_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVolume, match="does not exist"):
        read_volume(tmp_path / "nowhere")
