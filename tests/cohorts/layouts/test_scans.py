"""What servers, archives and desktops leave in folders, and other programs' folders, in every layout at every level."""

from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.cohort import Case, Cohort, fingerprint
from medsearch.cohorts.layouts import LAYOUTS, layout
from medsearch.cohorts.layouts.scans import Scan
from medsearch.imaging.dicom import read_series
from medsearch.imaging.image_files import visible
from tests.cohorts import planted
from tests.cohorts.layouts import trees

CLUTTER_FOLDERS = (
    "@eaDir", "#recycle", "#snapshot", "@Recently-Snapshot", "@Recycle", "@tmp", "__MACOSX", "lost+found", ".snapshot",
    "~snapshot", ".Trash-1000", ".Trashes", ".Spotlight-V100", ".fseventsd", ".AppleDouble", ".TemporaryItems",
    "Network Trash Folder", "Temporary Items", "System Volume Information", "$RECYCLE.BIN", "RECYCLER", "__pycache__",
    ".~tmp~", ".rsync-partial", ".git", ".ipynb_checkpoints", ".datalad",
)  # fmt: skip
CLUTTER_FILES = (
    ".DS_Store",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "Desktop.ini",
    ".directory",
    ".nfs01",
    "Icon\r",
)
OTHERS = ("derivatives", "code", "notes", "QC", "backup of 2019")


def clutter(folder: Path) -> None:
    """All of it, beside what lies there: also the AppleDouble of each file, and what rsync leaves when it stops."""
    for path in [path for path in folder.iterdir() if path.is_file()]:
        (folder / f"._{path.name}").write_bytes(b"\0\5\x16\7")
        (folder / f".{path.name}.Xy12Zz").write_bytes(b"?")
    for name in CLUTTER_FOLDERS:
        (folder / name).mkdir()
        for path in [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]:
            (folder / name / path.name).write_bytes(b"?")  # a server keeps another picture of each file
    for name in CLUTTER_FILES:
        (folder / name).write_bytes(b"?")


def told(scan: Scan) -> tuple[object, ...]:
    return scan.cohort, [str(finding) for finding in scan.findings], dict(scan.labels)


@pytest.mark.parametrize("name", LAYOUTS)
def test_clutter_is_passed_over_in_silence_at_every_level(name: str, tmp_path: Path) -> None:
    root = trees.grow(tmp_path / "cohort", name)
    before = layout(name).scan(root)
    assert before.cohort.cases
    assert not [finding for finding in before.findings if finding.fatal]
    for folder in trees.folders(root):
        clutter(folder)
    assert told(layout(name).scan(root)) == told(before)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("holding", [False, True])
def test_folders_of_other_programs_are_no_faulty_cases(name: str, holding: bool, tmp_path: Path) -> None:
    root = trees.grow(tmp_path / "cohort", name)
    before = layout(name).scan(root)
    for folder in trees.folders(root):
        if not any(path.suffix == ".dcm" for path in folder.iterdir()):  # a series' own folder holds slices alone
            for other in OTHERS:
                (folder / other / "deeper").mkdir(parents=True)
                if holding and name not in ("abdominal_ct", "nifti_folders"):  # there any file may be a slice
                    (folder / other / "README").write_text("?")
    after = layout(name).scan(root)
    assert after.cohort == before.cohort
    assert not [str(finding) for finding in after.findings if finding.fatal]


@pytest.mark.parametrize(
    ("name", "subject"), [("brats2020", "BraTS20_Training_003"), ("brats2023", "BraTS-GLI-00009-001")]
)
def test_a_case_that_lost_its_images_is_a_faulty_one(name: str, subject: str, tmp_path: Path) -> None:
    root = trees.grow(tmp_path / "cohort", name)
    (root / subject).mkdir()
    fatal = [finding for finding in layout(name).scan(root).findings if finding.fatal]
    assert [(finding.subject, finding.problem) for finding in fatal] == [(subject, "holds no image of the case")]


def test_a_pair_that_lost_its_images_is_a_faulty_one(tmp_path: Path) -> None:
    root = trees.grow(tmp_path / "cohort", "nifti_folders")
    (root / "paired" / "P2").mkdir()
    fatal = [
        finding for finding in layout("nifti_folders").scan(root, required=("CT", "ceCT")).findings if finding.fatal
    ]
    assert [finding.subject for finding in fatal] == ["P2", "P2"]


def test_a_half_copied_file_is_told(tmp_path: Path) -> None:
    root = trees.grow(tmp_path / "cohort", "brats2020")
    folder = root / "BraTS20_Training_001"
    (folder / "BraTS20_Training_001_t1.nii").rename(folder / "BraTS20_Training_001_t1.nii.part")
    found = {(finding.problem, finding.fatal) for finding in layout("brats2020").scan(root).findings}
    assert found == {("is unexpected here", False), ("contrast t1 is missing", True)}


def test_clutter_is_no_slice_of_a_series(tmp_path: Path) -> None:
    folder = planted.write(tmp_path / "series")
    cohort = Cohort("c", tmp_path, "l", ("CT",), (Case("a", {"CT": folder}, None),))
    before = fingerprint(cohort, tmp_path / "one.json")
    clutter(folder)
    np.testing.assert_array_equal(read_series(folder).array, planted.volume())
    assert fingerprint(cohort, tmp_path / "two.json") == before


def test_names_that_only_look_like_clutter_are_seen(tmp_path: Path) -> None:
    for name in ("eaDir", "MACOSX_patient", "lost", "recycle", "trash-1000", "Thumbs"):
        (tmp_path / name).mkdir()
    assert len(visible(tmp_path)) == 6
