"""Anybody's folders: unpaired images by contrast, and pairs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.checks import check
from medsearch.core.errors import BadInput
from medsearch.imaging.volumes import read_volume, write_volume
from medsearch.phantoms import NiftiFoldersSpec, write_nifti_folders
from tests.cohorts import abdomens

SPEC = NiftiFoldersSpec(cases=2, pairs=1, spacing=7.0)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nifti_folders(SPEC, tmp_path_factory.mktemp("generic") / "cohort")


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "cohort")


def lines(root: Path, **what: object) -> list[str]:
    return [str(finding) for finding in check(root, "nifti_folders", **what).findings]


def test_folders_name_the_contrasts(sound: Path) -> None:
    one = check(sound, "nifti_folders")
    assert one.findings == ()
    assert one.cohort.contrasts == ("CT", "ceCT")
    assert [(tuple(case.images), case.subset) for case in one.cohort.cases] == [
        *[(("CT",), None)] * 2,
        *[(("ceCT",), None)] * 2,
        (("CT", "ceCT"), "test"),
    ]


def test_any_contrast_will_do(root: Path) -> None:
    (root / "unpaired" / "ceCT").rename(root / "unpaired" / "arterial")
    (root / "paired" / "PAIR_001" / "ceCT.nii.gz").rename(root / "paired" / "PAIR_001" / "arterial.nii.gz")
    assert lines(root) == []
    assert check(root, "nifti_folders", required=("CT", "arterial")).cohort.contrasts == ("CT", "arterial")
    assert any("unpaired/ceCT: is not a folder" in line for line in lines(root, required=("CT", "ceCT")))


def test_an_image_may_be_a_series(root: Path, tmp_path: Path) -> None:
    cohort = abdomens.written(tmp_path / "dicom")
    series = next(path.parent for path in sorted(cohort.rglob("2-Supine/*.dcm")))
    shutil.copytree(series, root / "unpaired" / "CT" / "somebody")
    assert lines(root) == []
    assert len(check(root, "nifti_folders").usable.cases) == SPEC.subjects + 1


def test_one_name_is_one_person(root: Path) -> None:
    first = next((root / "unpaired" / "CT").iterdir())
    other = next((root / "unpaired" / "ceCT").iterdir())
    other.rename(other.with_name(first.name))
    found = lines(root)
    assert len(found) == 1
    assert "is the name of a second case; rename it if it is somebody else" in found[0]


def test_faults_are_named(root: Path) -> None:
    (root / "unpaired" / "CT" / "notes.txt").touch()
    (root / "other").mkdir()
    shutil.rmtree(root / "paired")
    found = lines(root)
    assert len(found) == 3
    assert all(line.startswith("warning: ") for line in found)
    shutil.rmtree(root / "unpaired")
    assert any(line.startswith("error: ") and "unpaired: is not a folder" in line for line in lines(root))
    assert lines(root / "nowhere")[0].startswith("error: ")


def test_oblique_images_are_refused(root: Path) -> None:
    path = next((root / "unpaired" / "CT").iterdir())
    volume = read_volume(path)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    write_volume(path, volume.array.astype(np.int16), turn @ volume.affine)
    found = lines(root)
    assert len(found) == 1
    assert "lies obliquely" in found[0]


def test_a_contrast_that_no_folder_has_is_refused(sound: Path) -> None:
    with pytest.raises(BadInput, match="abdominal_ct has no contrast 'PET'; choose from CT, ceCT"):
        check(sound, "abdominal_ct", required=("PET",))
