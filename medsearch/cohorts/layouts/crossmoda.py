"""The layouts of the crossMoDA challenges of 2021 and 2022: vestibular schwannoma, ceT1 with masks to hrT2 without.

    <root>/[crossmoda2022_training/]                      or the three folders of 2021, which both layouts take:
        training_source/<CASE>_{ceT1,Label}.nii[.gz]      source_training/
        training_target/<CASE>_hrT2.nii[.gz]              target_training/
        validation/<CASE>_hrT2.nii[.gz]                   target_validation/; these are the test cases
        weak_labels.csv                                   optional
        infos_source_training.csv                         optional, not read

<CASE> is crossmoda2021_ldn_<i> (London, in both years) or crossmoda2022_etz_<i> (Tilburg, from 2022 on); <i> may be 0.
Mask labels: 1 the schwannoma, 2 the cochleas, which are no tumour. Whoever holds masks of target or validation cases
puts them beside the images as <CASE>_Label; the public data has none.

Images are as acquired: each on a grid of its own, not aligned with each other, the skull in place.

Weak labels say on which side of each person there is tumour (thesis, section 5.5.1):

    case,side
    crossmoda2021_ldn_106,left
    crossmoda2022_etz_0,right

`side` is the patient's own left or right, as the affine of the file has it, not the left or right of a picture, in
which radiologists see the patient's right on the left. It may also be "both" or "none". More columns may follow.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from medsearch.cohorts.cohort import Case, Cohort, Finding, Part
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD, Grids, Scan, Scoring, links_leaving, unexpected
from medsearch.imaging.geometry import Geometry
from medsearch.imaging.image_files import visible

WEAK_LABELS = "weak_labels.csv"
SIDES: Mapping[str, tuple[bool, bool]] = {
    "right": (True, False),
    "left": (False, True),
    "both": (True, True),
    "none": (False, False),
}
"""What each word says of the low and of the high half of x, which runs towards the patient's left."""


@dataclass(frozen=True)
class WeakLabels:
    """The sides by case, and what is wrong with the table."""

    sides: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def read_weak_labels(table: Path, subjects: Collection[str]) -> WeakLabels:
    """The table's sides for `subjects`; a table that cannot be trusted refuses the cohort."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file)
            columns = lines.fieldnames = [column.strip().lower() for column in lines.fieldnames or ()]
            rows = [(lines.line_num, row) for row in lines]
    except (OSError, ValueError, csv.Error):
        return WeakLabels(findings=(Finding(None, table, "cannot be read as a table", "save it as CSV in UTF-8"),))
    if missing := [column for column in ("case", "side") if column not in columns]:
        problem = f"has no column {missing[0]!r}"
        return WeakLabels(findings=(Finding(None, table, problem, "begin it with the line case,side"),))
    told = [(number, _word(row["case"]), _word(row["side"]).lower()) for number, row in rows]
    sides = {case: SIDES[side] for _, case, side in told if side in SIDES}
    return WeakLabels(sides, tuple(_faults(told, table, frozenset(subjects))))


def _word(cell: object) -> str:
    return cell.strip() if isinstance(cell, str) else ""


def _faults(told: list[tuple[int, str, str]], table: Path, subjects: frozenset[str]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for number, case, side in told:
        if case not in subjects:
            problem = f"line {number} names {case!r}, which is no case here"
            yield Finding(None, table, problem, "correct the name, or delete the line")
        elif side not in SIDES:
            problem = f"line {number} gives {case} the side {side!r}"
            yield Finding(case, table, problem, f"write {', '.join(SIDES)}, in the patient's own terms")
        elif first.setdefault(case, number) != number:
            problem = f"lines {first[case]} and {number} are both about {case}"
            yield Finding(case, table, problem, "keep one of them")


Kind = Literal["ceT1", "hrT2", "Label"]

_PARTS: Mapping[Part, tuple[str, ...]] = {
    "source": ("training_source", "source_training"),
    "target": ("training_target", "target_training"),
    "test": ("validation", "target_validation", "validation_target"),
}
_TAKES: Mapping[Part, tuple[Kind, ...]] = {
    "source": ("ceT1", "Label"),
    "target": ("hrT2", "Label"),
    "test": ("hrT2", "Label"),
}
_NEEDS: Mapping[Part, tuple[Kind, ...]] = {"source": ("ceT1", "Label"), "target": ("hrT2",), "test": ("hrT2",)}
_FILE = re.compile(
    r"(?P<subject>(?P<centre>crossmoda\d{4}_[a-z]+)_(?P<number>\d+))_(?P<kind>ceT1|hrT2|Label)\.nii(\.gz)?"
)
_TOLERATED = ("infos_source_training.csv", WEAK_LABELS, PHANTOM_RECORD)
# The paper's grid is 256 x 256 x 60 voxels of 0.41 x 0.41 x 1 mm. The smaller scales cover the same block of the head;
# their crops leave out its first and last eighth from front to back, which hold no schwannoma.
_GEOMETRIES = MappingProxyType(
    {
        "tiny": Geometry(spacing=(3.75, 1.64, 1.64), slice_size=64, depth=(0, 16), crop=(16, 48, 32)),
        "small": Geometry(spacing=(1.875, 0.82, 0.82), slice_size=128, depth=(0, 32), crop=(32, 96, 64)),
        "paper": Geometry(spacing=(1.0, 0.41, 0.41), slice_size=256, depth=(0, 60), crop=(64, 256, 128)),
    }
)


@dataclass(frozen=True)
class CrossMoDA:
    """Finds the cases of a crossMoDA folder by their names. `centres`: the beginnings of its cases' names."""

    name: str
    centres: tuple[str, ...]
    contrasts: tuple[str, ...] = ("ceT1", "hrT2")
    labels: tuple[int, ...] = (0, 1, 2)
    tumour: tuple[int, ...] = (1,)
    grids: Grids = "atlas"
    atlas: str | None = "hrT2"
    grid_tolerance: float = 5e-4
    scoring: Scoring = "whole volume"

    @property
    def geometries(self) -> Mapping[str, Geometry]:
        """The sizes of section 5.5.1, and half and a quarter of them along each axis."""
        return _GEOMETRIES

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, source, target and test, by centre and number; and the faults that names show."""
        wanted = {*(self.contrasts if required is None else required), "Label"}
        folders = _Folders.under(root, self.name)
        findings = [*folders.findings(root)]
        parts = [_PartFolder(folder, part, self.centres) for part, folder in folders.parts.items()]
        for part in parts:
            findings += [*part.findings(wanted), *links_leaving(part.paths, root)]
        findings += _twice(parts)
        table = folders.file(WEAK_LABELS)
        subjects = [subject for part in parts for subject in part.subjects]
        weak = read_weak_labels(table, subjects) if table else WeakLabels()
        cases = {
            case.subject: case for part in reversed(parts) for case in part.cases(weak.sides)
        }  # the first part wins
        ordered = tuple(cases[subject] for subject in dict.fromkeys(subjects))
        findings += [*weak.findings, *_unlabelled(ordered, table or root)]
        phantom = folders.file(PHANTOM_RECORD) is not None
        name = f"{self.name}-phantom" if phantom else self.name
        return Scan(Cohort(name, root, self.name, self.contrasts, ordered, phantom=phantom), tuple(findings))


CROSSMODA_2021 = CrossMoDA("crossmoda2021", ("crossmoda2021_ldn",))
CROSSMODA_2022 = CrossMoDA("crossmoda2022", ("crossmoda2021_ldn", "crossmoda2022_etz"))


@dataclass(frozen=True)
class _Folders:
    """Where each part lies, and the folders in which parts and tables were looked for."""

    parts: Mapping[Part, Path]
    bases: tuple[Path, ...]
    second: tuple[tuple[Part, Path], ...] = ()

    @staticmethod
    def under(root: Path, name: str) -> "_Folders":
        inner = (root / f"{name}_training", root / f"{name}_validation")
        bases = tuple(base for base in (root, *inner) if base.is_dir())
        places: dict[Part, list[Path]] = {
            part: [base / one for base in bases for one in names if (base / one).is_dir()]
            for part, names in _PARTS.items()
        }
        if not places["test"] and inner[1].is_dir():
            places["test"] = [inner[1]]  # the archive of 2022, unpacked into a folder of its own
        parts = {part: found[0] for part, found in places.items() if found}
        second = tuple((part, folder) for part, found in places.items() for folder in found[1:])
        return _Folders(parts, bases, second)

    def file(self, name: str) -> Path | None:
        folders = (*self.bases, *self.parts.values())
        return next((folder / name for folder in folders if (folder / name).is_file()), None)

    def findings(self, root: Path) -> Iterator[Finding]:
        if not root.is_dir():
            yield Finding(None, root, "is not a folder", "give the folder that holds training_source")
            return
        for part, names in _PARTS.items():
            if part not in self.parts:
                what, optional = f"has no folder {names[0]} or {names[1]}", part == "test"
                remedy = "without it nothing can be tested; unpack it here" if optional else "unpack it here"
                yield Finding(None, root, what, remedy, fatal=not optional)
        for part, folder in self.second:
            yield Finding(None, folder, f"is a second folder of {part} cases", f"keep it or {self.parts[part]}")
        known = {*self.parts.values(), *self.bases, *(folder for _, folder in self.second)}
        for path in [path for base in self.bases if base not in self.parts.values() for path in visible(base)]:
            if path not in known and path.name not in _TOLERATED:
                yield unexpected(path)


@dataclass
class _PartFolder:
    """One part's folder: its files by case and kind, and the files that are something else."""

    folder: Path
    part: Part
    centres: tuple[str, ...]
    files: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    foreign: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        order: dict[str, tuple[int, int]] = {}
        for path in self.paths:
            match = _FILE.fullmatch(path.name)
            if match is None or match["kind"] not in _TAKES[self.part] or path.is_dir():
                self.others += [] if path.name in _TOLERATED else [path]
            elif match["centre"] not in self.centres:
                self.foreign.append(path)
            else:
                subject = match["subject"]
                order[subject] = self.centres.index(match["centre"]), int(match["number"])
                self.files.setdefault(subject, {}).setdefault(match["kind"], []).append(path)
        self.files = {subject: self.files[subject] for subject in sorted(order, key=lambda name: (order[name], name))}

    @property
    def paths(self) -> list[Path]:
        return visible(self.folder)

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(self.files)

    def cases(self, sides: Mapping[str, tuple[bool, bool]]) -> Iterator[Case]:
        for subject, kinds in self.files.items():
            lone = {kind: paths[0] for kind, paths in kinds.items() if len(paths) == 1}
            images = {kind: path for kind, path in lone.items() if kind != "Label"}
            yield Case(subject, images, lone.get("Label"), self.part, sides.get(subject))

    def findings(self, wanted: Collection[str]) -> Iterator[Finding]:
        if self.foreign:
            count = f", as are {len(self.foreign) - 1} more" if len(self.foreign) > 1 else ""
            remedy = "choose the layout of that release, or move it elsewhere"
            yield Finding(None, self.foreign[0], f"is of another release{count}", remedy)
        if not self.files:
            endings = " and ".join(f"<CASE>_{kind}.nii.gz" for kind in _NEEDS[self.part])
            remedy = f"put {endings} there"
            yield Finding(None, self.folder, "holds no case", remedy, fatal=self.part != "test")
        for subject, kinds in self.files.items():
            for kind in _TAKES[self.part]:
                needed = kind in _NEEDS[self.part] and kind in wanted
                yield from self._about(subject, kind, kinds.get(kind, []), needed=needed)
        for path in self.others:
            yield unexpected(path)

    def _about(self, subject: str, kind: Kind, paths: list[Path], *, needed: bool) -> Iterator[Finding]:
        what = "the mask" if kind == "Label" else f"contrast {kind}"
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            yield Finding(subject, self.folder, f"{len(paths)} files for {what} ({names})", "keep one of them")
        elif not paths and needed:
            yield Finding(
                subject, self.folder, f"{what} is missing", f"add {subject}_{kind}.nii.gz, or leave out the case"
            )


def _twice(parts: list[_PartFolder]) -> Iterator[Finding]:
    """A subject in two parts: what is learned from one would be tested, or translated, on the other."""
    first: dict[str, Path] = {}
    for part in parts:
        for subject in part.subjects:
            where = first.setdefault(subject, part.folder)
            if where != part.folder:
                yield Finding(subject, part.folder, f"holds a case that is in {where.name} too", "keep one of the two")


def _unlabelled(cases: tuple[Case, ...], where: Path) -> Iterator[Finding]:
    lacking = [case.subject for case in cases if case.part == "target" and case.presence is None and case.mask is None]
    if lacking:
        problem = f"tells no side for {len(lacking)} target cases, such as {lacking[0]}"
        remedy = f"name the diseased side of each in {WEAK_LABELS} (case, side); training on halves needs it"
        yield Finding(None, where, problem, remedy, fatal=False)
