from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.layouts.brats import BRATS_2020, BRATS_2021, BRATS_2023, RELEASES, BraTS
from tests.cohorts.layouts import trees

KINDS = ("flair", "t1", "t1ce", "t2", "seg")
LAYOUT = BRATS_2020


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def case(root: Path, subject: str, ending: str = ".nii.gz") -> Path:
    return touch(root / subject, *[f"{subject}_{kind}{ending}" for kind in KINDS])


@given(subjects=st.sets(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,12}", fullmatch=True), min_size=1, max_size=5))
def test_every_complete_folder_is_a_case(tmp_path_factory: pytest.TempPathFactory, subjects: set[str]) -> None:
    root = tmp_path_factory.mktemp("cohort")
    folded = {subject.casefold(): subject for subject in subjects}
    for subject in folded.values():
        case(root, subject)
    scan = LAYOUT.scan(root)
    assert scan.findings == ()
    assert scan.cohort.subjects == tuple(sorted(folded.values()))
    for found in scan.cohort.cases:
        expected = {kind: root / found.subject / f"{found.subject}_{kind}.nii.gz" for kind in KINDS}
        assert found.mask == expected.pop("seg")
        assert found.images == expected


def test_both_endings_may_be_mixed(tmp_path: Path) -> None:
    case(tmp_path, "a", ".nii")
    case(tmp_path, "b", ".nii.gz")
    scan = LAYOUT.scan(tmp_path)
    assert scan.findings == ()
    assert scan.cohort.cases[0].images["t1"] == tmp_path / "a" / "a_t1.nii"


@pytest.mark.parametrize(
    "inner", ["", "MICCAI_BraTS2020_TrainingData", "BraTS2020_TrainingData/MICCAI_BraTS2020_TrainingData"]
)
def test_the_archives_inner_folder_is_entered(tmp_path: Path, inner: str) -> None:
    case(tmp_path / inner, "a")
    touch(tmp_path / inner, "name_mapping.csv", "survival_info.csv", ".DS_Store")
    scan = LAYOUT.scan(tmp_path)
    assert scan.findings == ()
    assert scan.cohort.subjects == ("a",)
    assert scan.cohort.root == tmp_path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_odd_mask_of_case_355_is_accepted(tmp_path: Path, ending: str) -> None:
    folder = case(tmp_path, "BraTS20_Training_355")
    (folder / "BraTS20_Training_355_seg.nii.gz").rename(folder / f"W39_1998.09.19_Segm.nii{ending}")
    scan = LAYOUT.scan(tmp_path)
    assert scan.findings == ()
    assert scan.cohort.cases[0].mask == folder / f"W39_1998.09.19_Segm.nii{ending}"


def test_an_odd_mask_beside_the_right_one_is_unexpected(tmp_path: Path) -> None:
    touch(case(tmp_path, "a"), "W39_1998.09.19_Segm.nii")
    scan = LAYOUT.scan(tmp_path)
    assert [(finding.problem, finding.fatal) for finding in scan.findings] == [("is unexpected here", False)]
    assert scan.cohort.cases[0].mask == tmp_path / "a" / "a_seg.nii.gz"


def test_two_odd_masks_are_none(tmp_path: Path) -> None:
    folder = case(tmp_path, "a")
    (folder / "a_seg.nii.gz").unlink()
    touch(folder, "W1_Segm.nii", "W2_Segm.nii")
    scan = LAYOUT.scan(tmp_path)
    assert scan.cohort.cases[0].mask is None
    assert sorted(finding.problem for finding in scan.findings if finding.fatal) == ["the mask is missing"]


def test_only_required_contrasts_are_missed(tmp_path: Path) -> None:
    folder = case(tmp_path, "a")
    (folder / "a_flair.nii.gz").unlink()
    assert LAYOUT.scan(tmp_path, required=("t1", "t2")).findings == ()
    assert len(LAYOUT.scan(tmp_path).findings) == 1


def test_a_scan_opens_no_volume(tmp_path: Path) -> None:
    case(tmp_path, "a")  # its files are empty
    assert LAYOUT.scan(tmp_path).findings == ()


def test_a_phantom_says_that_it_is_one(tmp_path: Path) -> None:
    case(tmp_path, "a")
    assert (LAYOUT.scan(tmp_path).cohort.name, LAYOUT.scan(tmp_path).cohort.phantom) == ("brats2020", False)
    (tmp_path / "phantom.json").write_text("{}")
    assert (LAYOUT.scan(tmp_path).cohort.name, LAYOUT.scan(tmp_path).cohort.phantom) == ("brats2020-phantom", True)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_every_release_is_read_by_its_own_names(release: BraTS, tmp_path: Path) -> None:
    scan = release.scan(trees.grow(tmp_path, release.name))
    assert scan.findings == ()
    assert (scan.cohort.name, scan.cohort.layout, len(scan.cohort.cases)) == (release.name, release.name, 2)
    for found in scan.cohort.cases:
        assert tuple(found.images) == ("flair", "t1", "t1ce", "t2")
        kinds = {"flair": "t2f", "t1": "t1n", "t1ce": "t1c", "t2": "t2w"} if release.name == "brats2023" else {}
        for contrast, path in found.images.items():
            assert path.name.removesuffix(".gz").endswith(f"{kinds.get(contrast, contrast)}.nii")


def test_time_points_are_one_patient(tmp_path: Path) -> None:
    for subject in ("BraTS-GLI-00000-000", "BraTS-GLI-00000-001", "BraTS-GLI-00010-000"):
        touch(tmp_path / subject, *[f"{subject}-{kind}.nii.gz" for kind in trees.KINDS_2023])
    cohort = BRATS_2023.scan(tmp_path).cohort
    assert [one.patient for one in cohort.cases] == ["BraTS-GLI-00000", "BraTS-GLI-00000", "BraTS-GLI-00010"]
    assert set(cohort.roster.patients.values()) == {"BraTS-GLI-00000", "BraTS-GLI-00010"}
    assert LAYOUT.scan(trees.grow(tmp_path / "other", "brats2020")).cohort.roster.patients == {}


@pytest.mark.parametrize(
    ("subject", "kinds", "ending"),
    [
        ("BraTS2021_00000", KINDS, "_"),
        ("BraTS-MEN-00004-000", trees.KINDS_2023, "-"),
        ("BraTS-SSA-00002-000", trees.KINDS_2023, "-"),
        ("BraTS-GoAT-00001", trees.KINDS_2023, "-"),
        ("BraTS-MEN-RT-0001-1", trees.KINDS_2023, "-"),
    ],
)
def test_cases_of_another_release_or_challenge_are_refused(
    subject: str, kinds: tuple[str, ...], ending: str, tmp_path: Path
) -> None:
    wanted = LAYOUT if ending == "_" else BRATS_2023
    trees.grow(tmp_path, wanted.name)
    touch(tmp_path / subject, *[f"{subject}{ending}{kind}.nii.gz" for kind in kinds])
    refusals = [finding for finding in wanted.scan(tmp_path).findings if finding.fatal and finding.subject is None]
    assert [finding.problem for finding in refusals] == ["is of another release or challenge"]
    assert ("choose the layout brats2021" in refusals[0].remedy) == (wanted is LAYOUT)


@pytest.mark.parametrize(("release", "strange"), [(BRATS_2020, 3), (BRATS_2021, 3), (BRATS_2023, 4)])
def test_each_release_has_its_own_labels(release: BraTS, strange: int) -> None:
    assert strange not in release.labels
    assert release.labels == (0, *release.tumour)
    assert {3, 4} - {strange} < set(release.labels)


def test_what_is_missing_is_named_as_the_release_names_it(tmp_path: Path) -> None:
    trees.grow(tmp_path, "brats2023")
    (tmp_path / "BraTS-GLI-00002-000" / "BraTS-GLI-00002-000-t1c.nii.gz").unlink()
    (finding,) = BRATS_2023.scan(tmp_path).findings
    assert finding.problem == "contrast t1ce is missing"
    assert "add BraTS-GLI-00002-000-t1c.nii.gz" in finding.remedy


def test_mapping_tables_are_no_surprise(tmp_path: Path) -> None:
    touch(trees.grow(tmp_path, "brats2021"), "BraTS21-17_Mapping.xlsx", "BraTS2023_2017_GLI_Mapping.xlsx")
    assert BRATS_2021.scan(tmp_path).findings == ()
