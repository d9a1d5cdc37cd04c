"""Which series is the volume: scouts, prone scans, derived and partial reconstructions are not."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from medsearch.cohorts.layouts.abdominal_ct import ChosenSeries, SeriesRule, chosen
from medsearch.phantoms.abdomen.series import SeriesHeader, write_scout, write_series
from tests.cohorts import planted

SUPINE = SeriesRule(lying="supine")


def series(folder: Path, number: int, slices: int, **header: object) -> Path:
    hu = np.zeros((8, 8, slices), np.int16)
    said = SeriesHeader(subject="A", number=number, **header)
    write_series(folder, hu, said, spacing=(2.0, 2.0, 5.0), origin=(0.0, 0.0, 0.0))
    return folder


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    """A scout, supine and prone, and a reconstruction of every second slice."""
    study = tmp_path / "subject" / "study"
    header = SeriesHeader(subject="A", number=1, localizer=True)
    write_scout(study / "1", np.zeros((8, 30), np.int16), header, spacing=(2.0, 2.0, 5.0))
    series(study / "2", 2, 40, lying="HFP")
    series(study / "3", 3, 36)
    series(study / "4", 4, 20)
    return tmp_path / "subject"


def change(folder: Path, **tags: object) -> None:
    for path in folder.iterdir():
        planted.edit(path, lambda dataset: [setattr(dataset, keyword, value) for keyword, value in tags.items()])


def test_the_largest_of_those_on_the_back(subject: Path) -> None:
    assert chosen(subject, SUPINE) == ChosenSeries(subject / "study" / "3")
    assert chosen(subject, SeriesRule()) == ChosenSeries(subject / "study" / "2")


def test_equal_ones_are_told_apart_by_name(subject: Path) -> None:
    series(subject / "study" / "0", 5, 36)
    assert chosen(subject, SUPINE).folder == subject / "study" / "0"


def test_feet_first_is_on_the_back_too(subject: Path) -> None:
    change(subject / "study" / "3", PatientPosition="FFS")
    assert chosen(subject, SUPINE).folder == subject / "study" / "3"


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
        {"Modality": "SR"},
        {"PatientPosition": "HFDR"},
    ],
)
def test_what_is_no_axial_original_on_the_back_is_passed_over(subject: Path, tags: dict[str, object]) -> None:
    change(subject / "study" / "3", **tags)
    assert chosen(subject, SUPINE).folder == subject / "study" / "4"


def test_a_derived_series_is_taken_where_there_is_no_original(subject: Path) -> None:
    for number in ("3", "4"):
        change(subject / "study" / number, ImageType=["DERIVED", "SECONDARY"])
    others = [folder for folder in (subject / "study").iterdir() if folder.name not in ("3", "4")]
    for folder in others:
        change(folder, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert chosen(subject, SUPINE).folder == subject / "study" / "3"


def test_a_part_of_the_body_is_no_volume(subject: Path) -> None:
    for path in sorted((subject / "study" / "3").iterdir())[19:]:
        path.unlink()
    for path in sorted((subject / "study" / "4").iterdir())[1:]:
        path.unlink()
    choice = chosen(subject, SUPINE)
    assert (choice.folder, choice.problem) == (None, "has no whole supine series: none of enough slices")
    assert chosen(subject, SeriesRule(lying="supine", share=0.4)).folder == subject / "study" / "3"


def test_nobody_on_the_back_is_said(subject: Path) -> None:
    for number in (3, 4):
        change(subject / "study" / str(number), PatientPosition="HFP")
    assert chosen(subject, SUPINE).problem == "has no supine series among its 3 axial ones"


def test_scouts_alone_are_said(subject: Path) -> None:
    for number in (2, 3, 4):
        change(subject / "study" / str(number), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert chosen(subject, SUPINE).problem == "has no axial CT among its 4 series"


def test_a_stray_file_before_the_slices_changes_nothing(subject: Path) -> None:
    """It is found where the series is read, and refused there."""
    (subject / "study" / "3" / "0.png").write_bytes(b"\x89PNG")
    assert chosen(subject, SUPINE).folder == subject / "study" / "3"


def test_a_folder_without_a_slice_is_kept_to_be_refused(tmp_path: Path) -> None:
    (tmp_path / "subject" / "a").mkdir(parents=True)
    (tmp_path / "subject" / "a" / "0.png").write_bytes(b"\x89PNG")
    assert chosen(tmp_path / "subject", SUPINE).folder == tmp_path / "subject" / "a"
    (tmp_path / "nothing").mkdir()
    assert chosen(tmp_path / "nothing", SUPINE).problem == "holds no file"


def test_no_name_of_a_patient_is_said(subject: Path) -> None:
    for folder in (subject / "study").iterdir():
        planted.plant(folder)
    change(subject / "study" / "3", PatientPosition="HFP")
    change(subject / "study" / "4", PatientPosition="PLANTED")
    assert planted.PLANTED not in repr(chosen(subject, SUPINE))
    assert pydicom.dcmread(next((subject / "study" / "2").iterdir())).PatientID == f"{planted.PLANTED}-ID"
