"""Which layout a folder is in, and what is said of folders that are in none."""

import json
from pathlib import Path

import pytest

from medsearch.cohorts.checks import check
from medsearch.cohorts.layouts import LAYOUTS, recognised, sibling
from tests.cohorts.layouts import trees


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps({}))
    return root


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_recognised_by_its_names(name: str, tmp_path: Path) -> None:
    assert recognised(trees.grow(tmp_path / "cohort", name)) == name


@pytest.mark.parametrize("inner", ["", "TrainingData", "archive/ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData"])
@pytest.mark.parametrize("name", ["brats2020", "brats2021", "brats2023"])
def test_a_study_of_one_release_of_brats_can_be_put_to_another(name: str, inner: str, tmp_path: Path) -> None:
    trees.grow(tmp_path / "cohort" / inner, name)
    for declared in ("brats2020", "brats2021", "brats2023"):
        assert sibling(tmp_path / "cohort", declared) == name
    assert sibling(tmp_path / "cohort", "crossmoda2022") == "crossmoda2022"
    assert sibling(tmp_path / "nowhere", "brats2020") == "brats2020"


BOTH = ({"crossmoda2021", "crossmoda2022"}, {"brats2020", "brats2021"})
"""Layouts whose files are named alike, so that one finds the other's cases."""
PAIRS = [(given, wanted) for given in LAYOUTS for wanted in LAYOUTS if given != wanted and {given, wanted} not in BOTH]


@pytest.mark.parametrize(("given", "wanted"), PAIRS)
def test_a_folder_in_another_layout_is_refused_by_its_name(given: str, wanted: str, tmp_path: Path) -> None:
    checked = check(trees.grow(tmp_path / "cohort", given), wanted)
    assert checked.cohort.cases == ()
    assert [str(finding) for finding in checked.findings] == [
        f"error: {tmp_path / 'cohort'}: is in the {given} layout, not {wanted}; choose the layout {given}"
    ]


@pytest.mark.parametrize(("given", "wanted"), [("brats2020", "brats2021"), ("brats2021", "brats2020")])
def test_a_release_that_names_its_files_alike_is_refused_too(given: str, wanted: str, tmp_path: Path) -> None:
    refusals = check(trees.grow(tmp_path / "cohort", given), wanted).refusals
    assert [f"choose the layout {given}" in finding.remedy for finding in refusals] == [True]


def test_a_contrast_that_is_asked_for_and_missing_is_told_as_that(tmp_path: Path) -> None:
    checked = check(trees.grow(tmp_path / "cohort", "nifti_folders"), "nifti_folders", required=("CT", "venous"))
    assert [finding.file for finding in checked.refusals] == [tmp_path / "cohort" / "unpaired" / "venous"]


FORMATS = {
    "MSD": (
        ("dataset.json", "imagesTr/BRATS_001.nii.gz", "labelsTr/BRATS_001.nii.gz", "imagesTs/BRATS_485.nii.gz"),
        "Medical Segmentation Decathlon",
    ),
    "MSD below": (("Task07_Pancreas/imagesTr/p.nii.gz", "Task07_Pancreas/labelsTr/p.nii.gz"), "Segmentation Decathlon"),
    "nnU-Net": (
        (
            "dataset.json",
            "imagesTr/BRATS_001_0000.nii.gz",
            "imagesTr/BRATS_001_0001.nii.gz",
            "labelsTr/BRATS_001.nii.gz",
        ),
        "nnU-Net",
    ),
    "nnU-Net below": (("nnUNet_raw/Dataset001_Brain/imagesTr/case_0000.nii.gz",), "nnU-Net"),
    "a decathlon with four digits": (("imagesTr/case_0001.nii.gz", "labelsTr/case_0001.nii.gz"), "Decathlon"),
    "nnU-Net of another ending": (("imagesTr/case_0000.png", "labelsTr/case.png"), "nnU-Net"),
    "BIDS": (("dataset_description.json", "sub-01/anat/sub-01_T1w.nii.gz"), "BIDS"),
}


@pytest.mark.parametrize("wanted", LAYOUTS)
@pytest.mark.parametrize("name", FORMATS)
def test_formats_of_others_are_refused_by_name_in_one_line(name: str, wanted: str, tmp_path: Path) -> None:
    files, word = FORMATS[name]
    checked = check(touch(tmp_path / "data", *files), wanted)
    (finding,) = checked.findings
    assert checked.refusals == (finding,)
    assert word in finding.problem
    assert "nii.gz" in finding.remedy
    assert "\n" not in str(finding)


def test_an_unknown_folder_keeps_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "data" / "imagesTr").mkdir(parents=True)
    assert any("holds no case" in str(finding) for finding in check(tmp_path / "data").findings)
