"""Enhanced (multi-frame) CT, and files that lack what tells how their pixels are stored."""

import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from medsearch.cohorts.layouts.abdominal_ct import SeriesRule, chosen
from medsearch.imaging.dicom import first_slice, read_series
from medsearch.imaging.dicom_slices import FRAME_TAGS, read_slices
from medsearch.imaging.image_files import UnreadableVolume
from medsearch.imaging.volumes import read_volume
from tests.cohorts import planted
from tests.imaging import enhanced

COUNT = planted.SHAPE[2]
SCALES = [(1.0, -1024.0), (0.5, -1000.0), (1.0, -2000.0)]


@settings(max_examples=15)
@given(
    order=st.permutations(range(COUNT)),
    scales=st.none() | st.lists(st.sampled_from(SCALES), min_size=COUNT, max_size=COUNT),
    per_frame_plane=st.booleans(),
)  # fmt: skip
def test_frames_are_slices(
    tmp_path_factory: pytest.TempPathFactory,
    order: list[int], scales: list[tuple[float, float]] | None, per_frame_plane: bool,
) -> None:  # fmt: skip
    """In whatever order they are stored, and whether what is said of them is said once or of each."""
    path = tmp_path_factory.mktemp("enhanced") / "series" / "1.dcm"
    enhanced.write(path, order=order, scales=scales, per_frame_plane=per_frame_plane)
    volume = read_volume(path.parent)
    np.testing.assert_array_equal(volume.array, planted.volume())
    np.testing.assert_allclose(volume.affine, read_series(planted.write(path.parent.parent / "classic")).affine)


@pytest.mark.parametrize("syntax", planted.SYNTAXES)
def test_frames_may_be_compressed(tmp_path: Path, syntax: str) -> None:
    """Each frame with a scale of its own, which no decoder knows."""
    path = enhanced.write(tmp_path / "series" / "1.dcm", scales=[SCALES[at % 3] for at in range(COUNT)])
    planted.pack(path, syntax)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_volume(path.parent).array, planted.volume())


def test_a_stack_may_come_in_several_files(tmp_path: Path) -> None:
    whole = planted.volume()
    enhanced.write(tmp_path / "series" / "1.dcm", whole[:, :, :5])

    def higher(dataset: Dataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            frame.PlanePositionSequence[0].ImagePositionPatient[2] += 5 * planted.SPACING[2]

    enhanced.write(tmp_path / "series" / "2.dcm", whole[:, :, 5:], change=higher)
    np.testing.assert_array_equal(read_series(tmp_path / "series").array, whole)


def test_it_counts_as_many_slices_as_it_has(tmp_path: Path) -> None:
    enhanced.write(tmp_path / "subject" / "whole" / "1.dcm")
    planted.write(tmp_path / "subject" / "classic", planted.volume()[:, :, :5])
    assert chosen(tmp_path / "subject", SeriesRule(fewest=6)).folder == tmp_path / "subject" / "whole"
    first = first_slice(tmp_path / "subject" / "whole")
    assert first is not None
    assert (first.frames, first.axial, first.original, first.lying) == (COUNT, True, True, "supine")


def test_nothing_that_names_anybody_is_kept_or_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = enhanced.write(tmp_path / "series" / "1.dcm")
    assert planted.PLANTED.encode() in path.read_bytes()
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        told = [repr(read_slices(path)), repr(vars(read_volume(path.parent)))]
    assert planted.PLANTED not in "".join(
        [*told, caplog.text, *capfd.readouterr(), *(str(one.message) for one in warned)]
    )
    naming = re.compile("Name|PatientID|Birth|Address|Institution|Physician|Date|Comment|Description|Accession|Age|Sex")
    tags = [tag for sequence, tags in FRAME_TAGS.items() for tag in (sequence, *tags)]
    assert not [tag for tag in tags if naming.search(tag)]
    assert all(pydicom.datadict.tag_for_keyword(tag) for tag in tags)


def _each(change: Callable[[Dataset, int], object]) -> Callable[[Dataset], object]:
    return lambda dataset: [change(one, at) for at, one in enumerate(dataset.PerFrameFunctionalGroupsSequence)]


def _position(index: int, z: float) -> Callable[[Dataset], object]:
    def change(dataset: Dataset) -> None:
        dataset.PerFrameFunctionalGroupsSequence[index].PlanePositionSequence[0].ImagePositionPatient[2] = z

    return change


def _without(*keywords: str, shared: bool = True) -> Callable[[Dataset], object]:
    def change(dataset: Dataset) -> None:
        groups = dataset.SharedFunctionalGroupsSequence if shared else dataset.PerFrameFunctionalGroupsSequence
        for one in groups:
            for keyword in keywords:
                delattr(one, keyword)

    return change


BROKEN: dict[str, tuple[Callable[[Dataset], object], str]] = {
    "another modality": (lambda dataset: setattr(dataset, "Modality", "MR"), "is not a CT image"),
    "frames without groups": (
        lambda dataset: [
            delattr(dataset, f"{which}FunctionalGroupsSequence") for which in ("Shared", "PerFrame")
        ],
        "is not one grey image",
    ),
    "a billion frames": (
        lambda dataset: [
            setattr(dataset, "NumberOfFrames", 10**9),
            delattr(dataset, "SharedFunctionalGroupsSequence"),
            delattr(dataset, "PerFrameFunctionalGroupsSequence"),
        ],
        "is not one grey image",
    ),
    "a billion frames and groups for all at once": (
        lambda dataset: [
            setattr(dataset, "NumberOfFrames", 10**9),
            delattr(dataset, "PerFrameFunctionalGroupsSequence"),
        ],
        "other numbers of frames",
    ),
    "a map of electron densities": (
        lambda dataset: setattr(
            dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0], "RescaleType", "ED"
        ),
        "another quantity than HU",
    ),
    "more frames than groups": (lambda dataset: setattr(dataset, "NumberOfFrames", 11), "other numbers of frames"),
    "fewer images than frames": (
        lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:-300]), "has no whole image",
    ),
    "no position": (_without("PlanePositionSequence", shared=False), "does not say where it lies"),
    "no orientation": (_without("PlaneOrientationSequence"), "does not say where it lies"),
    "no spacing": (_without("PixelMeasuresSequence"), "does not say where it lies"),
    "no scale": (_without("PixelValueTransformationSequence"), "lacks the slope and intercept"),
    "a frame missing": (_position(7, -300 + 5 * 8), "a slice is missing between positions"),
    "a frame twice": (_position(3, -300 + 5 * 4), "two slices at position"),
    "uneven frames": (_position(7, -300 + 5 * 7 + 2), "unevenly spaced"),
    "sheared": (
        _each(
            lambda one, at: one.PlanePositionSequence[0].ImagePositionPatient.__setitem__(1, planted.ORIGIN[1] + at)
        ),
        "tilted gantry",
    ),
    "a localizer": (
        lambda dataset: setattr(
            dataset.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence[0],
            "FrameType",
            ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"],
        ),
        "localizer",
    ),
    "colours": (lambda dataset: setattr(dataset, "SamplesPerPixel", 3), "is not one grey image"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_wrong_with_frames_is_one_line(fault: str, tmp_path: Path) -> None:
    change, problem = BROKEN[fault]
    path = enhanced.write(tmp_path / "series" / "1.dcm", change=change)
    with pytest.raises(UnreadableVolume, match=problem) as caught:
        read_series(path.parent)
    assert planted.PLANTED not in str(caught.value)
    assert "\n" not in str(caught.value)


def _stripped(folder: Path, change: Callable[[Dataset], object]) -> Path:
    planted.every(change)(folder)
    return folder


def _lose(*keywords: str) -> Callable[[Dataset], object]:
    return lambda dataset: [delattr(dataset, keyword) for keyword in keywords]


@pytest.mark.parametrize("keyword", ["PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation"])
def test_what_can_be_known_without_a_tag_is_read(keyword: str, tmp_path: Path) -> None:
    """Stored numbers of the planted series are 24 to 2524 with an intercept of -1024: no highest bit is set."""
    folder = _stripped(planted.write(tmp_path / "series"), _lose(keyword))
    np.testing.assert_array_equal(read_series(folder).array, planted.volume())


def test_a_sign_that_matters_and_is_not_told_is_refused(tmp_path: Path) -> None:
    folder = _stripped(planted.write(tmp_path / "series", intercept=0), _lose("PixelRepresentation"))
    with pytest.raises(UnreadableVolume, match=r"whether its numbers have a sign .*; export the orig"):
        read_series(folder)


@pytest.mark.parametrize("keyword", ["BitsAllocated", "BitsStored"])
def test_a_tag_without_which_nothing_can_be_read_is_named(keyword: str, tmp_path: Path) -> None:
    folder = _stripped(planted.write(tmp_path / "series"), _lose(keyword))
    with pytest.raises(UnreadableVolume, match=rf"1-00\d\.dcm lacks {keyword}, without which"):
        read_series(folder)


def test_a_file_without_preamble_that_tells_its_encoding_is_read(tmp_path: Path) -> None:
    folder = planted.write(tmp_path / "series")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    np.testing.assert_array_equal(read_series(folder).array, planted.volume())


@pytest.mark.parametrize("explicit", [True, False])
def test_a_file_without_preamble_and_encoding_is_explained(explicit: bool, tmp_path: Path) -> None:
    folder = planted.write(tmp_path / "series")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.save_as(path, implicit_vr=not explicit, little_endian=True, enforce_file_format=False)
        content = path.read_bytes()
        path.write_bytes(content[132:] if content[128:132] == b"DICM" else content)
    with pytest.raises(
        UnreadableVolume, match=r"1-001\.dcm is DICOM data without preamble .*; store it as a DICOM"
    ) as caught:
        read_series(folder)
    assert planted.PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\2\0", b"\x08\0\5\0", b"P5 12 10 255\n" + bytes(120), b"\x89PNG" + bytes(400)]
)
def test_what_is_no_dicom_is_not_taken_for_it(content: bytes, tmp_path: Path) -> None:
    folder = planted.write(tmp_path / "series")
    (folder / "1-009.dcm").write_bytes(content)
    with pytest.raises(UnreadableVolume, match=r"series: 1-009\.dcm is (not a DICOM file|empty)"):
        read_series(folder)
