from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.checks import Checked, check
from medsearch.cohorts.layouts import TUMOUR_LAYOUTS, layout, tumour_layout
from medsearch.imaging.volumes import write_volume

SHAPE = (8, 8, 5)
LPS = np.diag([-1.0, -1.0, 1.5, 1.0])
LONDON, TILBURG = "crossmoda2021_ldn_1", "crossmoda2022_etz_0"
TARGET, TEST = "crossmoda2022_etz_105", "crossmoda2021_ldn_211"


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 99, SHAPE).astype(np.float32)


def mask(tumour: float = 1, cochlea: float = 2) -> np.ndarray:
    """A schwannoma and a cochlea, in numbers that need not be whole."""
    array = np.zeros(SHAPE, np.float32)
    array[1:3, 2:4, 2] = tumour
    array[5, 5, 2] = cochlea
    return array


def put(folder: Path, name: str, array: np.ndarray, affine: np.ndarray = LPS, ending: str = ".nii.gz") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(folder / f"{name}{ending}", array, affine)


def write(root: Path, ending: str = ".nii.gz") -> Path:
    """Two source cases, one target case whose side is told, one validation case."""
    for number, subject in enumerate((LONDON, TILBURG)):
        put(root / "training_source", f"{subject}_ceT1", image(number), ending=ending)
        put(root / "training_source", f"{subject}_Label", mask(), ending=ending)
    put(root / "training_target", f"{TARGET}_hrT2", image(2), ending=ending)
    put(root / "validation", f"{TEST}_hrT2", image(3), ending=ending)
    (root / "infos_source_training.csv").write_text("crossmoda_name,center,group\n")
    (root / "weak_labels.csv").write_text(f"case,side\n{TARGET},left\n")
    return root


def said(checked: Checked) -> str:
    return "\n".join(str(finding) for finding in checked.findings)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_parts_come_from_folders_and_sides_from_the_table(tmp_path: Path, ending: str) -> None:
    checked = check(write(tmp_path, ending), "crossmoda2022")
    assert checked.findings == ()
    cases = {case.subject: case for case in checked.usable.cases}
    assert list(cases) == [LONDON, TILBURG, TARGET, TEST]
    assert [case.subset for case in cases.values()] == ["source", "source", "target", "test"]
    assert [tuple(case.images) for case in cases.values()] == [("ceT1",), ("ceT1",), ("hrT2",), ("hrT2",)]
    assert [case.mask is not None for case in cases.values()] == [True, True, False, False]
    assert cases[TARGET].presence == (False, True), "the patient's left is at high x"
    assert checked.usable.roster.assigned[TEST] == "test"
    assert checked.usable.roster.annotated == {LONDON, TILBURG}


def test_cases_come_by_centre_and_number(tmp_path: Path) -> None:
    write(tmp_path)
    for number in (2, 10):
        put(tmp_path / "training_target", f"crossmoda2021_ldn_{number}_hrT2", image(10 + number))
    targets = [case.subject for case in layout("crossmoda2022").scan(tmp_path).cohort.cases if case.subset == "target"]
    assert targets == ["crossmoda2021_ldn_2", "crossmoda2021_ldn_10", TARGET]


@pytest.mark.parametrize("archive", ["crossmoda2022_training", "."])
@pytest.mark.parametrize(
    "validation", ["validation", "crossmoda2022_validation", "crossmoda2022_validation/validation"]
)
def test_the_archives_of_2022_may_lie_as_they_were_unpacked(tmp_path: Path, archive: str, validation: str) -> None:
    whole, root = write(tmp_path / "whole"), tmp_path / "root"
    (root / archive).mkdir(parents=True)
    (root / validation).parent.mkdir(parents=True, exist_ok=True)
    (whole / "validation").rename(root / validation)
    for name in ("training_source", "training_target", "infos_source_training.csv", "weak_labels.csv"):
        (whole / name).rename(root / archive / name)
    checked = check(root, "crossmoda2022")
    assert checked.findings == ()
    assert [case.subset for case in checked.cohort.cases] == ["source", "source", "target", "test"]
    assert checked.cohort.cases[2].presence == (False, True)


def test_the_table_of_weak_labels_may_lie_beside_the_images(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "weak_labels.csv").rename(tmp_path / "training_target" / "weak_labels.csv")
    checked = check(tmp_path, "crossmoda2022")
    assert checked.findings == ()
    assert checked.cohort.cases[2].presence == (False, True)


def test_the_archives_of_2021_have_other_folders_and_one_centre(tmp_path: Path) -> None:
    put(tmp_path / "source_training", f"{LONDON}_ceT1", image(0))
    put(tmp_path / "source_training", f"{LONDON}_Label", mask())
    put(tmp_path / "target_training", "crossmoda2021_ldn_106_hrT2", image(1))
    put(tmp_path / "target_validation", f"{TEST}_hrT2", image(2))
    checked = check(tmp_path, "crossmoda2021")
    assert [case.subset for case in checked.usable.cases] == ["source", "target", "test"]
    assert said(checked) == (
        f"warning: {tmp_path}: tells no side for 1 target cases, such as crossmoda2021_ldn_106; name the diseased side "
        "of each in weak_labels.csv (case, side); training on halves needs it"
    )
    put(tmp_path / "target_training", f"{TARGET}_hrT2", image(3))
    refused = check(tmp_path, "crossmoda2021").refusals
    assert [finding.problem for finding in refused] == ["is of another release"]


def test_masks_of_target_and_validation_cases_are_taken_by_those_who_hold_them(tmp_path: Path) -> None:
    write(tmp_path)
    put(tmp_path / "validation", f"{TEST}_Label", mask())
    put(tmp_path / "training_target", f"{TARGET}_Label", mask())
    checked = check(tmp_path, "crossmoda2022")
    assert checked.findings == ()
    assert checked.cohort.roster.annotated == {LONDON, TILBURG, TARGET, TEST}


def test_numbers_that_are_almost_labels_and_affines_that_almost_agree_are_taken(tmp_path: Path) -> None:
    write(tmp_path)
    near = LPS.copy()
    near[0, 3], near[1, 1] = 5e-4, -1.0005
    put(tmp_path / "training_source", f"{LONDON}_Label", mask(0.9999999, 1.995), near)
    assert check(tmp_path, "crossmoda2022").findings == ()


Break = Callable[[Path], object]


def shifted(by: float) -> np.ndarray:
    affine = LPS.copy()
    affine[2, 3] = by
    return affine


@pytest.mark.parametrize(
    ("spoil", "subject", "says"),
    [
        (
            lambda root: put(root / "training_source", f"{LONDON}_Label", mask(), shifted(6e-4)),
            LONDON,
            "mask lies on another grid than the images: another affine (position or orientation); resample it",
        ),
        (
            lambda root: put(root / "training_source", f"{LONDON}_Label", mask(tumour=1.4)),
            LONDON,
            "holds 1.4, not only 0, 1, 2; restore the labels",
        ),
        (
            lambda root: put(root / "training_source", f"{LONDON}_Label", mask(tumour=0)),
            LONDON,
            "holds no tumour, only 2; draw the tumour, or leave out the case",
        ),
        (
            lambda root: (root / "training_source" / f"{TILBURG}_Label.nii.gz").unlink(),
            TILBURG,
            f"the mask is missing; add {TILBURG}_Label.nii.gz, or leave out the case",
        ),
        (
            lambda root: (root / "training_source" / f"{TILBURG}_ceT1.nii.gz").unlink(),
            TILBURG,
            f"contrast ceT1 is missing; add {TILBURG}_ceT1.nii.gz",
        ),
        (
            lambda root: put(root / "training_target", f"{TARGET}_hrT2", image(2), ending=".nii"),
            TARGET,
            f"2 files for contrast hrT2 ({TARGET}_hrT2.nii and {TARGET}_hrT2.nii.gz); keep one of them",
        ),
        (
            lambda root: put(root / "training_target", f"{LONDON}_hrT2", image(9)),
            LONDON,
            "training_target: holds a case that is in training_source too; keep one of the two",
        ),
        (
            lambda root: put(root / "validation", f"{TARGET}_hrT2", image(9)),
            TARGET,
            "validation: holds a case that is in training_target too",
        ),
        (
            lambda root: put(root / "validation", f"{TEST}_hrT2", image(2)),
            TEST,
            f"is the same image as {TARGET}'s hrT2",
        ),
        (
            lambda root: (root / "weak_labels.csv").write_text(f"case,side\n{TARGET},up\n"),
            TARGET,
            f"line 2 gives {TARGET} the side 'up'; write right, left, both, none, in the patient's own terms",
        ),
        (
            lambda root: (root / "weak_labels.csv").write_text(f"case,side\n\n{TARGET},left\n{TARGET},right\n"),
            TARGET,
            f"lines 3 and 4 are both about {TARGET}; keep one of them",
        ),
        (
            lambda root: (root / "weak_labels.csv").write_text(f"case,side\n{TARGET},left\nnobody,left\n"),
            None,
            "line 3 names 'nobody', which is no case here; correct the name, or delete the line",
        ),
        (
            lambda root: (root / "weak_labels.csv").write_text(f"name,where\n{TARGET},left\n"),
            None,
            "has no column 'case'; begin it with the line case,side",
        ),
        (
            lambda root: (root / "weak_labels.csv").write_bytes(b"\xff\xfe\x00"),
            None,
            "cannot be read as a table; save it as CSV in UTF-8",
        ),
        (
            lambda root: (root / "training_target").rename(root / "elsewhere"),
            None,
            "has no folder training_target or target_training; unpack it here",
        ),
        (
            lambda root: (root / "source_training").mkdir(),
            None,
            "is a second folder of source cases; keep it or",
        ),
    ],
)
def test_a_fault_is_named_with_its_remedy(tmp_path: Path, spoil: Break, subject: str | None, says: str) -> None:
    spoil(write(tmp_path))
    checked = check(tmp_path, "crossmoda2022")
    fatal = [finding for finding in checked.findings if finding.fatal]
    assert says in said(checked)
    assert (subject in checked.bad_subjects) if subject else (fatal and fatal[0].subject is None)
    assert len({case.subject for case in checked.cohort.cases}) == len(checked.cohort.cases)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("training_source/notes.txt", "notes.txt: is unexpected here; move it elsewhere"),
        (f"training_source/{LONDON}_hrT2.nii.gz", f"{LONDON}_hrT2.nii.gz: is unexpected here"),
        ("readme.md", "readme.md: is unexpected here"),
    ],
)
def test_other_files_are_left_alone_with_a_warning(tmp_path: Path, name: str, says: str) -> None:
    write(tmp_path)
    (tmp_path / name).write_bytes(b"?")
    checked = check(tmp_path, "crossmoda2022")
    assert says in said(checked)
    assert not checked.bad_subjects
    assert not checked.refusals


def test_without_validation_cases_there_is_a_warning_and_a_cohort(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "validation" / f"{TEST}_hrT2.nii.gz").unlink()
    (tmp_path / "validation").rmdir()
    checked = check(tmp_path, "crossmoda2022")
    assert "has no folder validation or target_validation; without it nothing can be tested" in said(checked)
    assert len(checked.usable.cases) == 3


def test_nothing_at_all_is_refused(tmp_path: Path) -> None:
    assert "is not a folder; give the folder that holds training_source" in said(
        check(tmp_path / "no", "crossmoda2022")
    )


@pytest.mark.parametrize("name", TUMOUR_LAYOUTS)
def test_every_scale_sees_the_same_block_of_the_head(name: str) -> None:
    known = tumour_layout(name)
    sizes = [
        tuple(
            edge * count
            for edge, count in zip(g.spacing, (g.depth[1] - g.depth[0], g.slice_size, g.slice_size), strict=True)
        )
        for g in known.geometries.values()
    ]
    for one in sizes:
        assert one == pytest.approx(sizes[-1], rel=1e-6), "every scale sees the same block of the head"
