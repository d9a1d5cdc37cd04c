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
from typing import Literal

from medsearch.cohorts.cohort import Case, Finding, Subset
from medsearch.cohorts.layouts.scans import (
    PHANTOM_RECORD,
    Grids,
    Scan,
    Scoring,
    TumourLayout,
    links_leaving,
    other_than_one,
    unexpected,
)
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


def read_weak_labels(
    table: Path, subjects: Collection[str]
) -> tuple[dict[str, tuple[bool, bool]], tuple[Finding, ...]]:
    """The table's sides by case, and what is wrong with it; one that cannot be trusted refuses the cohort.

    subjects: the cases that there are.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file)
            columns = lines.fieldnames = [column.strip().lower() for column in lines.fieldnames or ()]
            rows = [(lines.line_num, row) for row in lines]
    except (OSError, ValueError, csv.Error):
        return {}, (Finding(None, table, "cannot be read as a table", "save it as CSV in UTF-8"),)
    if missing := [column for column in ("case", "side") if column not in columns]:
        return {}, (Finding(None, table, f"has no column {missing[0]!r}", "begin it with the line case,side"),)
    sides: dict[str, tuple[bool, bool]] = {}
    first: dict[str, int] = {}
    findings = []
    for number, row in rows:
        case, side = (cell.strip() if isinstance(cell, str) else "" for cell in (row["case"], row["side"]))
        side = side.lower()
        if side in SIDES:
            sides[case] = SIDES[side]
        if case not in subjects:
            problem = f"line {number} names {case!r}, which is no case here"
            findings.append(Finding(None, table, problem, "correct the name, or delete the line"))
        elif side not in SIDES:
            problem = f"line {number} gives {case} the side {side!r}"
            findings.append(Finding(case, table, problem, f"write {', '.join(SIDES)}, in the patient's own terms"))
        elif first.setdefault(case, number) != number:
            problem = f"lines {first[case]} and {number} are both about {case}"
            findings.append(Finding(case, table, problem, "keep one of them"))
    return sides, tuple(findings)


Kind = Literal["ceT1", "hrT2", "Label"]

_SUBSETS: Mapping[Subset, tuple[str, ...]] = {
    "source": ("training_source", "source_training"),
    "target": ("training_target", "target_training"),
    "test": ("validation", "target_validation", "validation_target"),
}
_TAKES: Mapping[Subset, tuple[Kind, ...]] = {
    "source": ("ceT1", "Label"),
    "target": ("hrT2", "Label"),
    "test": ("hrT2", "Label"),
}
_NEEDS: Mapping[Subset, tuple[Kind, ...]] = {"source": ("ceT1", "Label"), "target": ("hrT2",), "test": ("hrT2",)}
_FILE = re.compile(
    r"(?P<subject>(?P<centre>crossmoda\d{4}_[a-z]+)_(?P<number>\d+))_(?P<kind>ceT1|hrT2|Label)\.nii(\.gz)?"
)
_TOLERATED = ("infos_source_training.csv", WEAK_LABELS, PHANTOM_RECORD)
# The paper's grid is 256 x 256 x 60 voxels of 0.41 x 0.41 x 1 mm. The smaller scales cover the same block of the head;
# their crops leave out its first and last eighth from front to back, which hold no schwannoma.
_GEOMETRIES = {
    "tiny": Geometry(spacing=(3.75, 1.64, 1.64), slice_size=64, depth=(0, 16), crop=(16, 48, 32)),
    "small": Geometry(spacing=(1.875, 0.82, 0.82), slice_size=128, depth=(0, 32), crop=(32, 96, 64)),
    "paper": Geometry(spacing=(1.0, 0.41, 0.41), slice_size=256, depth=(0, 60), crop=(64, 256, 128)),
}


@dataclass(frozen=True, kw_only=True)
class CrossMoDA(TumourLayout):
    """Finds the cases of a crossMoDA folder by their names. `centres`: the beginnings of its cases' names.

    Its sizes are those of section 5.5.1, and half and a quarter of them along each axis.
    """

    centres: tuple[str, ...]
    contrasts: tuple[str, ...] = ("ceT1", "hrT2")
    labels: tuple[int, ...] = (0, 1, 2)
    tumour: tuple[int, ...] = (1,)
    grids: Grids = "atlas"
    atlas: str | None = "hrT2"
    grid_tolerance: float = 5e-4
    scoring: Scoring = "whole volume"
    geometries: Mapping[str, Geometry] = field(default_factory=lambda: _GEOMETRIES)

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, source, target and test, by centre and number; and the faults that names show."""
        wanted = {*(self.contrasts if required is None else required), "Label"}
        folders = _Folders.under(root, self.name)
        findings = [*folders.findings(root)]
        subsets = [_SubsetFolder.of(folder, subset, self.centres) for subset, folder in folders.subsets.items()]
        for subset in subsets:
            findings += [*subset.findings(wanted), *links_leaving(visible(subset.folder), root)]
        holder: dict[str, Path] = {}
        for subset in subsets:  # a subject in two subsets: what is learned from one would be tested on the other
            for subject in subset.files:
                where = holder.setdefault(subject, subset.folder)
                if where != subset.folder:
                    problem = f"holds a case that is in {where.name} too"
                    findings.append(Finding(subject, subset.folder, problem, "keep one of the two"))
        table, sides = folders.file(WEAK_LABELS), dict[str, tuple[bool, bool]]()
        if table:
            sides, faults = read_weak_labels(table, holder)
            findings += faults
        of_last = (case for subset in reversed(subsets) for case in subset.cases(sides))
        cases = {case.subject: case for case in of_last}  # the first subset wins
        ordered = [cases[subject] for subject in holder]
        targets = [case for case in ordered if case.subset == "target"]
        if lacking := [case.subject for case in targets if case.presence is None and case.mask is None]:
            problem = f"tells no side for {len(lacking)} target cases, such as {lacking[0]}"
            remedy = f"name the diseased side of each in {WEAK_LABELS} (case, side); training on halves needs it"
            findings.append(Finding(None, table or root, problem, remedy, fatal=False))
        phantom = folders.file(PHANTOM_RECORD) is not None
        return Scan(self.cohort(root, ordered, phantom=phantom), tuple(findings))


CROSSMODA_2021 = CrossMoDA(name="crossmoda2021", centres=("crossmoda2021_ldn",))
CROSSMODA_2022 = CrossMoDA(name="crossmoda2022", centres=("crossmoda2021_ldn", "crossmoda2022_etz"))


@dataclass(frozen=True)
class _Folders:
    """Where each subset lies, and the folders in which subsets and tables were looked for."""

    subsets: Mapping[Subset, Path]
    bases: tuple[Path, ...]
    second: tuple[tuple[Subset, Path], ...] = ()

    @staticmethod
    def under(root: Path, name: str) -> "_Folders":
        inner = (root / f"{name}_training", root / f"{name}_validation")
        bases = tuple(base for base in (root, *inner) if base.is_dir())
        places: dict[Subset, list[Path]] = {
            subset: [base / folder for base in bases for folder in names if (base / folder).is_dir()]
            for subset, names in _SUBSETS.items()
        }
        if not places["test"] and inner[1].is_dir():
            places["test"] = [inner[1]]  # the archive of 2022, unpacked into a folder of its own
        subsets = {subset: folders[0] for subset, folders in places.items() if folders}
        second = tuple((subset, folder) for subset, folders in places.items() for folder in folders[1:])
        return _Folders(subsets, bases, second)

    def file(self, name: str) -> Path | None:
        folders = (*self.bases, *self.subsets.values())
        return next((folder / name for folder in folders if (folder / name).is_file()), None)

    def findings(self, root: Path) -> Iterator[Finding]:
        if not root.is_dir():
            yield Finding(None, root, "is not a folder", "give the folder that holds training_source")
            return
        for subset, names in _SUBSETS.items():
            if subset not in self.subsets:
                what, optional = f"has no folder {names[0]} or {names[1]}", subset == "test"
                remedy = "without it nothing can be tested; unpack it here" if optional else "unpack it here"
                yield Finding(None, root, what, remedy, fatal=not optional)
        for subset, folder in self.second:
            yield Finding(None, folder, f"is a second folder of {subset} cases", f"keep it or {self.subsets[subset]}")
        known = {*self.subsets.values(), *self.bases, *(folder for _, folder in self.second)}
        for path in [path for base in self.bases if base not in self.subsets.values() for path in visible(base)]:
            if path not in known and path.name not in _TOLERATED:
                yield unexpected(path)


@dataclass(frozen=True)
class _SubsetFolder:
    """One subset's folder: its files by case and kind, those of another release, and those that are something else."""

    folder: Path
    subset: Subset
    files: dict[str, dict[str, list[Path]]]
    foreign: list[Path]
    others: list[Path]

    @staticmethod
    def of(folder: Path, subset: Subset, centres: tuple[str, ...]) -> "_SubsetFolder":
        files: dict[str, dict[str, list[Path]]] = {}
        order: dict[str, tuple[int, int, str]] = {}
        foreign, others = list[Path](), list[Path]()
        for path in visible(folder):
            match = _FILE.fullmatch(path.name)
            if match is None or match["kind"] not in _TAKES[subset] or path.is_dir():
                others += [] if path.name in _TOLERATED else [path]
            elif match["centre"] not in centres:
                foreign.append(path)
            else:
                subject = match["subject"]
                order[subject] = centres.index(match["centre"]), int(match["number"]), subject
                files.setdefault(subject, {}).setdefault(match["kind"], []).append(path)
        ordered = {subject: files[subject] for subject in sorted(files, key=lambda subject: order[subject])}
        return _SubsetFolder(folder, subset, ordered, foreign, others)

    def cases(self, sides: Mapping[str, tuple[bool, bool]]) -> Iterator[Case]:
        for subject, kinds in self.files.items():
            lone = {kind: paths[0] for kind, paths in kinds.items() if len(paths) == 1}
            images = {kind: path for kind, path in lone.items() if kind != "Label"}
            yield Case(subject, images, lone.get("Label"), self.subset, sides.get(subject))

    def findings(self, wanted: Collection[str]) -> Iterator[Finding]:
        if self.foreign:
            count = f", as are {len(self.foreign) - 1} more" if len(self.foreign) > 1 else ""
            remedy = "choose the layout of that release, or move it elsewhere"
            yield Finding(None, self.foreign[0], f"is of another release{count}", remedy)
        if not self.files:
            endings = " and ".join(f"<CASE>_{kind}.nii.gz" for kind in _NEEDS[self.subset])
            remedy = f"put {endings} there"
            yield Finding(None, self.folder, "holds no case", remedy, fatal=self.subset != "test")
        for subject, kinds in self.files.items():
            for kind in _TAKES[self.subset]:
                what = "the mask" if kind == "Label" else f"contrast {kind}"
                needed = kind in _NEEDS[self.subset] and kind in wanted
                remedy = f"add {subject}_{kind}.nii.gz, or leave out the case" if needed else ""
                yield from other_than_one(self.folder, subject, what, kinds.get(kind, ()), remedy=remedy)
        for path in self.others:
            yield unexpected(path)
