"""The TCIA collections and the pairs: what is found, what is passed over, and what is refused in one line each."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from medsearch.cli import main
from medsearch.cohorts.checks import Checked, check
from medsearch.cohorts.layouts import layout
from medsearch.imaging.volumes import read_volume, write_volume
from medsearch.phantoms import AbdomenSpec, write_abdominal_ct
from tests.cohorts import planted

SPEC = AbdomenSpec(cases=2, pairs=1, spacing=6.75)
CT = "1.3.6.1.4.1.9328.50.4.0002"
HOME = Path("manifest-phantom") / "CT COLONOGRAPHY" / CT / "01-01-2000-PHANTOM"
PANCREAS = Path("Pancreas-CT") / "PANCREAS_0002" / "01-01-2000-PHANTOM" / "Pancreas-1"
LABEL = Path("TCIA_pancreas_labels-02-05-2017") / "label0002.nii.gz"
PAIR = Path("paired") / "PAIR_001"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom, with a patient's name in every DICOM file."""
    root = write_abdominal_ct(SPEC, tmp_path_factory.mktemp("sound") / "cohort")
    for folder in {path.parent for path in root.rglob("*.dcm")}:
        planted.plant(folder)
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "cohort")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def checked(root: Path, cache: Path, **what: object) -> Checked:
    return check(root, "abdominal_ct", cache=cache, **what)


def test_cases_are_free_but_for_the_pairs(sound: Path, cache: Path) -> None:
    one = checked(sound, cache)
    assert one.findings == ()
    parts = {case.subject: case.subset for case in one.cohort.cases}
    assert [name for name, part in parts.items() if part == "test"] == ["PAIR_001"]
    assert {part for name, part in parts.items() if not name.startswith("PAIR")} == {None}
    contrasts = {case.subject: tuple(case.images) for case in one.cohort.cases}
    assert contrasts["PANCREAS_0001"] == ("ceCT",)
    assert contrasts[CT] == ("CT",)
    assert contrasts["PAIR_001"] == ("CT", "ceCT")
    assert one.cohort.contrasts == ("CT", "ceCT")
    assert all(case.mask is None for case in one.cohort.cases), "no task reads the labels"
    assert next(case.images["CT"].name for case in one.cohort.cases if case.subject == CT) == "2-Supine"


def test_one_contrast_can_be_asked_for(sound: Path, cache: Path) -> None:
    for contrast, prefix in (("CT", "1.3.6"), ("ceCT", "PANCREAS")):
        cases = checked(sound, cache, required=(contrast,)).cohort.cases
        assert {tuple(case.images) for case in cases} == {(contrast,)}
        assert {case.subject.startswith((prefix, "PAIR")) for case in cases} == {True}


def test_cases_may_be_nifti_files(root: Path, cache: Path) -> None:
    for folder, inner in ((HOME.parent, HOME / "2-Supine"), (PANCREAS.parents[1], PANCREAS)):
        volume = read_volume(root / inner)
        write_volume(root / f"{folder}.nii.gz", volume.array.astype(np.int16), volume.affine)
        shutil.rmtree(root / folder)
    one = checked(root, cache)
    assert one.findings == (), [str(finding) for finding in one.findings]
    assert len(one.usable.cases) == SPEC.subjects


def test_pairs_may_be_series(root: Path, cache: Path) -> None:
    shutil.copytree(root / PANCREAS, root / "paired" / "PAIR_009" / "ceCT")
    shutil.copytree(root / HOME / "2-Supine", root / "paired" / "PAIR_009" / "CT")
    shutil.rmtree(root / HOME.parent)
    shutil.rmtree(root / PANCREAS.parents[1])
    lines = [str(finding) for finding in checked(root, cache).findings]
    assert sum("PAIR_009" in line for line in lines) == 1, lines
    assert any(re.search("PAIR_009.*differs from the other contrasts: shape", line) for line in lines)


def _withdrawn(root: Path) -> None:
    shutil.copy(root / LABEL, (root / LABEL).with_name("label0025.nii.gz"))


def _upside_down(root: Path) -> None:
    volume = read_volume(root / LABEL)
    write_volume(root / LABEL, volume.array[:, ::-1].astype(np.uint8), volume.affine)


def _other_label(root: Path) -> None:
    write_volume(root / LABEL, np.ones((8, 8, 8), np.uint8), np.eye(4))


def _not_hu(root: Path) -> None:
    volume = read_volume(root / PAIR / "CT.nii.gz")
    write_volume(root / PAIR / "CT.nii.gz", (volume.array + 1024).astype(np.int16), volume.affine)


def _moved(root: Path) -> None:
    volume = read_volume(root / PAIR / "CT.nii.gz")
    affine = volume.affine.copy()
    affine[0, 3] += 3
    write_volume(root / PAIR / "CT.nii.gz", volume.array.astype(np.int16), affine)


def _unpacked(path: Path) -> None:
    volume = read_volume(path)
    write_volume(path.with_suffix(""), volume.array.astype(np.int16), volume.affine)


def _series_of(root: Path) -> Path:
    return root / HOME / "2-Supine"


def _mixed(root: Path) -> None:
    for path in sorted((root / HOME / "3-Prone").iterdir())[:4]:
        path.rename(_series_of(root) / path.name)


def _short(root: Path) -> None:
    (root / LABEL).unlink()
    for path in sorted((root / PANCREAS).iterdir())[16:]:
        path.unlink()


def _tilted(dataset: object) -> None:
    dataset.GantryDetectorTilt = 15  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Fault:
    breaks: Callable[[Path], object]
    line: str
    subject: str | None
    fatal: bool = True


FAULTS = {
    "no folder": Fault(lambda root: shutil.rmtree(root), "is not a folder; give the folder", None),
    "a collection is missing": Fault(
        lambda root: shutil.rmtree(root / "Pancreas-CT"), "Pancreas-CT: is not a folder; unpack Pancreas-CT", None
    ),
    "no pairs": Fault(
        lambda root: shutil.rmtree(root / "paired"), "paired: is not a folder; without pairs", None, False
    ),
    "a withdrawn case": Fault(
        _withdrawn, "labels a case whose CT was withdrawn; it is passed over", "PANCREAS_0025", False
    ),
    "a label without CT": Fault(
        lambda root: shutil.copy(root / LABEL, (root / LABEL).with_name("label0031.nii.gz")),
        "labels a case whose CT is not here",
        "PANCREAS_0031",
        False,
    ),
    "a label upside down": Fault(
        _upside_down, r"% of it lies in air, fat or bone of the CT; .*flip", "PANCREAS_0002", False
    ),
    "another case's label": Fault(_other_label, "has 8x8x8 voxels, its CT 64x64x", "PANCREAS_0002", False),
    "a slice is missing": Fault(
        lambda root: (_series_of(root) / "2-010.dcm").unlink(), "a slice is missing between positions", CT
    ),
    "two series": Fault(_mixed, r"2 series are mixed here", CT),
    "a tilted gantry": Fault(
        lambda root: [planted.edit(path, _tilted) for path in _series_of(root).iterdir()], "tilted gantry", CT
    ),
    "a PNG": Fault(
        lambda root: (_series_of(root) / "0.png").write_bytes(b"\x89PNG"), r"0\.png is not a DICOM file", CT
    ),
    "another modality": Fault(
        lambda root: planted.edit(_series_of(root) / "2-005.dcm", lambda one: setattr(one, "Modality", "MR")),
        r"2-005\.dcm is not a CT image",
        CT,
    ),
    "on the front only": Fault(
        lambda root: shutil.rmtree(_series_of(root)), "has no supine series among its 1 axial ones; add it", CT
    ),
    "a scout only": Fault(
        lambda root: [shutil.rmtree(root / HOME / name) for name in ("2-Supine", "3-Prone")],
        "has no axial CT among its 1 series",
        CT,
    ),
    "nothing": Fault(lambda root: [shutil.rmtree(path) for path in (root / HOME).iterdir()], "holds no file; put", CT),
    "a short scan": Fault(_short, r"shows \d+ mm of the body", "PANCREAS_0002", False),
    "not in HU": Fault(_not_hu, "is not in HU: nothing is below -500; apply slope", "PAIR_001"),
    "a pair apart": Fault(_moved, "differs from the other contrasts: another affine", "PAIR_001"),
    "half a pair": Fault(
        lambda root: (root / PAIR / "ceCT.nii.gz").unlink(), "contrast ceCT is missing; add ceCT.nii.gz", "PAIR_001"
    ),
    "a contrast twice": Fault(lambda root: _unpacked(root / PAIR / "ceCT.nii.gz"), "2 images called ceCT", "PAIR_001"),
    "a stranger": Fault(lambda root: (root / "notes.docx").touch(), "notes.docx: is unexpected here", None, False),
    "a stranger in a pair": Fault(
        lambda root: (root / PAIR / "notes.docx").touch(), "notes.docx: is unexpected here", "PAIR_001", False
    ),
    "somebody twice": Fault(
        lambda root: shutil.move(root / PAIR, root / "paired" / "PANCREAS_0002"),
        "is the name of a second case",
        "PANCREAS_0002",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_one_line_and_names_no_patient(
    root: Path, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fault = FAULTS[name]
    fault.breaks(root)
    one = checked(root, tmp_path / "cache")
    lines = [str(finding) for finding in one.findings]
    hits = [finding for finding in one.findings if re.search(fault.line, str(finding))]
    assert len(hits) == 1, lines
    assert (hits[0].subject, hits[0].fatal) == (fault.subject, fault.fatal)
    assert len(lines) == 1, lines
    assert all(finding.remedy and "\n" not in str(finding) for finding in one.findings)
    if fault.fatal and fault.subject:
        assert one.bad_subjects == (fault.subject,)
    records = "".join(path.read_text() for path in (tmp_path / "cache").glob("*"))
    assert planted.PLANTED not in "".join([*lines, *capfd.readouterr(), records, repr(one)])


def test_the_same_scan_twice_is_found(root: Path, cache: Path) -> None:
    shutil.copytree(root / HOME / "2-Supine", root / HOME.parents[1] / "1.3.6.1.4.1.9328.50.4.0099" / "a" / "b")
    lines = [str(finding) for finding in checked(root, cache).findings]
    assert len(lines) == 1
    assert f"is the same image as {CT}'s CT" in lines[0]


def test_a_list_of_subjects_is_kept_to(root: Path, cache: Path) -> None:
    (root / "no_polyp.txt").write_text(f"{CT}\n1.3.6.1.4.1.9328.50.4.0777\n")
    one = checked(root, cache)
    assert [case.subject for case in one.cohort.cases if "CT" in case.images and case.subset is None] == [CT]
    lines = [str(finding) for finding in one.findings]
    assert len(lines) == 1
    assert "names 1 subjects who are not here, such as 1.3.6.1.4.1.9328.50.4.0777" in lines[0]


@pytest.mark.parametrize(
    ("linked", "told"),
    [
        (lambda root: root / PAIR / "CT.nii.gz", ["PAIR_001"]),
        (lambda root: root / PAIR, ["PAIR_001"] * 2),
        (lambda root: _series_of(root), [CT]),
        (lambda root: _series_of(root).parent, [CT]),
        (lambda root: _series_of(root) / "2-010.dcm", [CT]),
    ],
    ids=["image", "pair", "series", "study", "slice"],
)
def test_links_that_leave_are_named(
    root: Path, cache: Path, tmp_path: Path, linked: Callable[[Path], Path], told: list[str]
) -> None:
    path, moved = linked(root), tmp_path / "elsewhere"
    shutil.move(path, moved)
    path.symlink_to(moved)
    found = checked(root, cache).findings
    assert [finding.subject for finding in found] == told
    assert all("is a link that leaves the cohort" in str(finding) for finding in found)


def test_the_command_prints_a_line_per_finding(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (_series_of(root) / "2-010.dcm").unlink()
    _withdrawn(root)
    with pytest.raises(SystemExit) as end:
        main(["check", str(root), "--layout", "abdominal_ct"])
    lines = capsys.readouterr().out.splitlines()
    assert end.value.code == 2
    assert len(lines) == 3
    assert lines[-1] == f"{SPEC.subjects} cases, 1 faulty, 2 findings"
    assert sum("a slice is missing" in line for line in lines) == 1
    assert planted.PLANTED not in "".join(lines)


def test_the_names_are_enough_for_a_plan(sound: Path) -> None:
    scan = layout("abdominal_ct").scan(sound)
    assert scan.findings == ()
    assert set(scan.labels) == {f"PANCREAS_000{number}" for number in (1, 2)}
    assert planted.PLANTED not in repr(scan)
