import json
import re
from pathlib import Path

import numpy as np
import pytest

from medsearch.cohorts import inspection
from medsearch.cohorts.checks import check, common_grid, described, difference
from medsearch.cohorts.inspection import CaseFacts, FileFacts
from medsearch.core.errors import BadInput
from tests.cohorts import broken

FILES_READ = len(broken.SUBJECTS) * (len(broken.CONTRASTS) + 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return broken.write(tmp_path / "cohort")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_sound_cohort_gives_no_finding(tmp_path: Path, ending: str) -> None:
    checked = check(broken.write(tmp_path / "cohort", ending), cache=tmp_path / "cache")
    assert checked.findings == ()
    assert checked.bad_subjects == checked.refusals == ()
    assert checked.usable.subjects == broken.SUBJECTS


@pytest.mark.parametrize("fault", broken.BROKEN)
def test_every_fault_is_one_line_that_names_case_file_and_remedy(root: Path, tmp_path: Path, fault: str) -> None:
    case = broken.BROKEN[fault]
    case.breaks(root)
    checked = check(root, cache=tmp_path / "cache")
    assert len(checked.findings) == 1, [str(finding) for finding in checked.findings]
    finding, line = checked.findings[0], str(checked.findings[0])
    assert re.search(case.problem, line), line
    assert finding.subject == case.subject
    assert finding.fatal == case.fatal
    assert str(finding.file).endswith(case.where)
    assert finding.remedy
    assert line.count("\n") == 0
    assert line.startswith("error: " if case.fatal else "warning: ")
    assert checked.bad_subjects == ((case.subject,) if case.fatal and case.subject else ())
    assert bool(checked.refusals) == (case.fatal and case.subject is None)
    assert case.subject not in checked.usable.subjects or not case.fatal


@pytest.mark.parametrize("fault", broken.BROKEN)
def test_no_line_and_no_record_quotes_a_header(
    root: Path, tmp_path: Path, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    broken.BROKEN[fault].breaks(root)
    lines = "".join(str(finding) for finding in check(root, cache=tmp_path / "cache").findings)
    records = "".join(path.read_text() for path in tmp_path.glob("cache/*"))
    printed = "".join(capfd.readouterr())
    assert not re.search("DOE|JANE", lines + records + printed)


def test_there_are_enough_kinds_of_fault() -> None:
    assert len(broken.BROKEN) >= 20


def test_faults_of_several_cases_are_listed_case_by_case(root: Path) -> None:
    broken.edited("t1", broken.filled(np.nan))(root)
    (root / broken.SUBJECTS[0] / "notes.txt").write_text("?")
    (root / broken.SUBJECTS[3] / f"{broken.SUBJECTS[3]}_t2.nii.gz").unlink()
    checked = check(root)
    assert [finding.subject for finding in checked.findings] == [broken.SUBJECTS[number] for number in (0, 1, 3)]
    assert checked.bad_subjects == (broken.SUBJECTS[1], broken.SUBJECTS[3])
    assert checked.usable.subjects == (broken.SUBJECTS[0], broken.SUBJECTS[2])


def test_contrasts_that_are_not_required_are_neither_missed_nor_read(root: Path) -> None:
    broken.file(root, "flair").unlink()
    broken.kept(0.5, "t1ce")(root)
    checked = check(root, required=("t1", "t2"))
    assert checked.findings == ()
    assert checked.usable.contrasts == ("t1", "t2")
    assert all(set(case.images) == {"t1", "t2"} for case in checked.usable.cases)  # nor will anyone else read them
    assert len(check(root, required=("t1", "flair")).findings) == 1
    with pytest.raises(BadInput, match="no contrast 'pd'; choose from flair, t1, t1ce, t2"):
        check(root, required=("pd",))


def test_content_is_read_once(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    stored = inspection.stored_volume

    def counting(path: Path, *contents: object) -> inspection.Volume:
        read.append(path)
        return stored(path, *contents)

    monkeypatch.setattr(inspection, "stored_volume", counting)
    broken.edited("seg", broken.filled(3))(root)
    first = check(root, cache=tmp_path / "cache")
    assert len(read) == FILES_READ
    assert check(root, cache=tmp_path / "cache") == first
    assert len(read) == FILES_READ
    moved = root.rename(tmp_path / "moved")
    assert [f.problem for f in check(moved, cache=tmp_path / "cache").findings] == [f.problem for f in first.findings]
    assert len(read) == FILES_READ
    broken.edited("seg", broken.filled(4))(moved)  # mended: only this case is read again
    assert check(moved, cache=tmp_path / "cache").findings == ()
    assert len(read) == FILES_READ + len(broken.CONTRASTS) + 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"x": "1"}'])
def test_damaged_records_are_restored(root: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    broken.edited("t1", broken.filled(np.inf))(root)
    first = check(root, cache=cache)
    for path in cache.iterdir():
        path.write_text(damage)
    assert check(root, cache=cache) == first
    assert all(json.loads(path.read_text()) for path in cache.iterdir())


def grid(shape: tuple[int, ...] = (4, 4, 4), *, spacing: float = 1.0, shift: float = 0.0) -> FileFacts:
    affine = np.diag([-spacing, -spacing, spacing, 1.0])
    affine[0, 3] = shift
    return FileFacts(shape=shape, affine=tuple(float(number) for number in affine.ravel()))


def test_most_images_decide_on_the_grid_and_the_mask_does_not() -> None:
    files = {"flair": grid(shift=5), "t1": grid(), "t2": grid(), "mask": grid(shift=5)}
    assert common_grid(CaseFacts(files), 0.01) == grid()
    assert common_grid(CaseFacts({"flair": grid(shift=5), "t1": grid(), "mask": grid()}), 0.01) == grid(shift=5)
    assert common_grid(CaseFacts({"t1": FileFacts(problem="?"), "mask": grid(shift=5)}), 0.01) == grid(shift=5)
    assert common_grid(CaseFacts({"t1": FileFacts(problem="?")}), 0.01) is None


def test_grids_differ_beyond_rounding_only() -> None:
    assert difference(grid(), grid(spacing=1.0001, shift=0.001), 0.01) is None
    assert difference(grid(), grid(spacing=1.01), 0.01) == "spacing 1 x 1 x 1 mm, theirs 1.01 x 1.01 x 1.01 mm"
    assert difference(grid((4, 4, 5)), grid(), 0.01) == "shape 4 x 4 x 5, theirs 4 x 4 x 4"
    assert difference(grid(), grid(shift=0.5), 0.01) == "another affine (position or orientation)"


def test_a_grid_is_described_without_its_position() -> None:
    assert described(grid(shift=3)) == described(grid()) == "grid is 4 x 4 x 4 voxels of 1 x 1 x 1 mm, axes LPS"
