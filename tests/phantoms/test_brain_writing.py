import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts.checks import check
from medsearch.cohorts.layouts import recognised
from medsearch.core.errors import BadInput
from medsearch.imaging.volumes import read_volume
from medsearch.phantoms import PHANTOMS, PhantomSpec, brain, specified, write_brain_phantom, write_brats
from tests.phantoms.written_phantom import Written

TINY = PhantomSpec(cases=2, spacing=8.0, seed=3)


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_phantom_passes_the_check(phantom: Written, tmp_path: Path) -> None:
    checked = check(phantom.cohort.root, cache=tmp_path)
    assert checked.findings == ()
    assert checked.cohort.phantom
    assert len(checked.usable.subjects) == 12


def test_files_are_laid_out_as_brats(phantom: Written) -> None:
    case = phantom.cohort.cases[0]
    for kind in ("flair", "mask"):
        volume = read_volume(case.files[kind])
        assert volume.array.shape == (60, 60, 39)
        assert volume.spacing == (4.0, 4.0, 4.0)
        assert np.sign(np.diag(volume.affine)).tolist() == [-1, -1, 1, 1]
    assert case.subject == "BraTS20_Phantom_001"


def test_the_table_of_names_holds_the_grades(phantom: Written) -> None:
    with (phantom.cohort.root / "name_mapping.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["BraTS_2020_subject_ID"] for row in rows] == list(phantom.cohort.subjects)
    assert [row["Grade"] for row in rows] == [subject.grade for subject in phantom.subjects]


def test_what_is_written_is_what_is_known(phantom: Written) -> None:
    for volumes, subject in zip(phantom.volumes, phantom.subjects, strict=True):
        assert volumes["mask"].sum() == subject.mask.sum()
        assert volumes["t1"].sum() == pytest.approx(subject.images["t1"].sum(dtype=float))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one = content(write_brats(TINY, tmp_path / "one"))
    assert content(write_brats(TINY, tmp_path / "two")) == one
    other = content(write_brain_phantom(tmp_path / "other", cases=2, spacing=8.0, seed=4))
    assert other.keys() == one.keys()
    assert all(other[name] != one[name] for name in one if name.endswith("_t1.nii.gz"))


def test_a_written_phantom_is_found_again(tmp_path: Path) -> None:
    root = write_brats(TINY, tmp_path / "cohort")
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert write_brats(TINY, root) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == times


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    root = write_brats(TINY, tmp_path / "cohort")
    with pytest.raises(BadInput, match="cohort: holds something else than this phantom; give a new or empty folder"):
        write_brats(PhantomSpec(cases=2, spacing=8.0, seed=4), root)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("?")
    with pytest.raises(BadInput, match="thesis: holds something else"):
        write_brats(TINY, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "?"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    assert (write_brats(TINY, tmp_path / "cohort") / "phantom.json").is_file()


def test_an_interrupted_phantom_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = brain.write_volume, []

    def failing(path: Path, *rest: object) -> None:
        written.append(path)
        if len(written) > 6:
            msg = "no space left on device"
            raise OSError(msg)
        write(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(brain, "write_volume", failing)
    with pytest.raises(OSError, match="no space left"):
        write_brats(TINY, tmp_path / "cohort")
    assert list(tmp_path.iterdir()) == []


def test_label_maps_take_the_place_of_mni152(drawn_head: Path, tmp_path: Path) -> None:
    root = write_brain_phantom(tmp_path / "cohort", cases=2, spacing=4.0, anatomy=drawn_head)
    checked = check(root)
    assert checked.findings == ()
    brain = read_volume(checked.cohort.cases[0].images["t1"]).array > 0
    assert brain.sum() * 4.0**3 / 1e6 == pytest.approx(4 / 3 * np.pi * 68 * 84 * 66 / 1e6, rel=0.25)


def test_the_fingerprint_follows_what_is_written(drawn_head: Path, tmp_path: Path) -> None:
    prints = {TINY.fingerprint}
    for change in ({"cases": 3}, {"spacing": 4.0}, {"seed": 0}, {"healthy": 1}, {"anatomy": str(drawn_head)}):
        prints.add(PhantomSpec(**{"cases": 2, "spacing": 8.0, "seed": 3, **change}).fingerprint)
    assert len(prints) == 6
    (tmp_path / "moved").mkdir()
    copied = tmp_path / "moved" / "head.nii.gz"
    copied.write_bytes((drawn_head / "head.nii.gz").read_bytes())
    assert PhantomSpec(anatomy=str(copied.parent)).fingerprint == PhantomSpec(anatomy=str(drawn_head)).fingerprint
    copied.write_bytes(copied.read_bytes() + b"?")
    assert PhantomSpec(anatomy=str(copied.parent)).fingerprint != PhantomSpec(anatomy=str(drawn_head)).fingerprint


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"cases": 0}, "'cases' .* an integer of 1 or more, got 0"),
        ({"cases": 2, "healthy": 3}, "3 healthy"),
        ({"spacing": 0.0}, "a number from 0.5 to 10, got 0.0"),
        ({"spacing": float("nan")}, "got nan"),
    ],
)
def test_impossible_phantoms_are_refused(wrong: dict[str, float], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        PhantomSpec(**wrong)


def test_every_layout_with_a_phantom_is_listed(tmp_path: Path) -> None:
    for name, phantom in PHANTOMS.items():
        spec = phantom.spec(cases=3, spacing=5.0)
        root = phantom.write(spec, tmp_path / name)
        assert len(check(root, name).usable.subjects) == spec.subjects


def test_importing_phantoms_and_layouts_is_cheap() -> None:
    code = (
        "import sys; import medsearch.phantoms, medsearch.cohorts.layouts, medsearch.cohorts.checks; "
        "print([name for name in ('torch', 'monai', 'scipy', 'nilearn', 'nibabel') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "rim"), [("brats2021", 4), ("brats2023", 3)])
def test_later_releases_have_the_same_people_in_files_of_their_own(name: str, rim: int, tmp_path: Path) -> None:
    root = PHANTOMS[name].write(specified(name, {"cases": 2, "spacing": 8.0, "seed": 3}), tmp_path / name)
    checked = check(root, name)
    assert checked.findings == ()
    assert (checked.cohort.name, checked.cohort.phantom) == (f"{name}-phantom", True)
    assert recognised(root) == name
    before = check(write_brats(TINY, tmp_path / "brats2020")).cohort
    for case, other in zip(checked.cohort.cases, before.cases, strict=True):
        for contrast in before.contrasts:
            np.testing.assert_array_equal(
                read_volume(case.images[contrast]).array, read_volume(other.images[contrast]).array
            )
        mask, theirs = (read_volume(one.files["mask"]).array for one in (case, other))
        np.testing.assert_array_equal(mask, np.where(theirs == 4, rim, theirs))
    fingerprints = {PHANTOMS[one].spec(cases=2).fingerprint for one in ("brats2020", "brats2021", "brats2023")}
    assert len(fingerprints) == 3
