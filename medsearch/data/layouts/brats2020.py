"""The layout of the BraTS 2020 training set.

    <root>/[MICCAI_BraTS2020_TrainingData/]
        name_mapping.csv, survival_info.csv              optional
        <SUBJECT>/<SUBJECT>_{flair,t1,t1ce,t2,seg}.nii[.gz]

Mask labels: 1 necrotic and non-enhancing core, 2 oedema, 4 enhancing tumour; all of them are the whole tumour.
In the public archive the mask of case 355 is called `W39_1998.09.19_Segm.nii`: a lone file whose name ends in
`Segm` stands for the mask that is missing.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from medsearch.data.cohorts import Case, Cohort, Finding
from medsearch.data.geometry import Geometry
from medsearch.data.layouts.folders import links_leaving, visible
from medsearch.data.layouts.scans import PHANTOM_RECORD, Grids, Scan, Scoring

_CONTRASTS = ("flair", "t1", "t1ce", "t2")
_INNER = ("MICCAI_BraTS2020_TrainingData", "BraTS2020_TrainingData/MICCAI_BraTS2020_TrainingData")
_TABLES = ("name_mapping.csv", "survival_info.csv")
_FILE = re.compile(r"(?P<subject>.+)_(?P<kind>flair|t1|t1ce|t2|seg)\.nii(\.gz)?")
_ODD_MASK = re.compile(r".*_segm\.nii(\.gz)?", re.IGNORECASE)
_PATIENT_COLUMNS = ("TCGA_TCIA_subject_ID", "BraTS_2020_subject_ID")
_UNNAMED = ("", "NA", "N/A")
_GEOMETRIES = MappingProxyType(
    {
        "tiny": Geometry(spacing=(4.0, 4.0, 4.0), slice_size=64, depth=(8, 32), crop=(24, 40, 16)),
        "small": Geometry(spacing=(2.0, 2.0, 2.0), slice_size=128, depth=(15, 63), crop=(48, 80, 32)),
        "paper": Geometry(),
    }
)


@dataclass(frozen=True)
class BraTS2020:
    """Finds the cases of a BraTS 2020 training folder by their names."""

    name: str = "brats2020"
    contrasts: tuple[str, ...] = _CONTRASTS
    labels: tuple[int, ...] = (0, 1, 2, 4)
    tumour: tuple[int, ...] = (1, 2, 4)
    grids: Grids = "one"
    atlas: str | None = None
    grid_tolerance: float = 1e-2
    scoring: Scoring = "diseased halves"

    @property
    def geometries(self) -> Mapping[str, Geometry]:
        """BraTS has voxels of 1 mm; the smaller scales average 2 and 4 of them along each axis."""
        return _GEOMETRIES

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root` in the order of their names, and the faults that names alone show."""
        wanted = [*(self.contrasts if required is None else required), "mask"]
        folder = next((root / inner for inner in _INNER if (root / inner).is_dir()), root)
        findings: list[Finding] = []
        cases: list[Case] = []
        if not folder.is_dir():
            findings.append(Finding(None, root, "is not a folder", "give the folder that holds one folder per case"))
        else:
            folders = [entry for entry in visible(folder) if entry.is_dir()]
            found = [_CaseFolder(entry) for entry in folders]
            cases = [case.case() for case in found]
            findings = [*_about_root(folder, folders)]
            for case in found:
                findings += [*case.findings(wanted), *case.links(root)]
        phantom = (folder / PHANTOM_RECORD).is_file()
        name = f"{self.name}-phantom" if phantom else self.name
        cohort = Cohort(name, root, self.name, self.contrasts, tuple(cases), phantom=phantom)
        return Scan(cohort, tuple(findings))


@dataclass
class _CaseFolder:
    """One case's folder: its files by what they are, and the files that are something else."""

    folder: Path
    candidates: dict[str, list[Path]] = field(default_factory=dict)
    strangers: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        odd: list[Path] = []
        for path in visible(self.folder):
            match = _FILE.fullmatch(path.name)
            if match and not path.is_dir():
                kind = "mask" if match["kind"] == "seg" else match["kind"]
                mine = match["subject"] == self.folder.name
                (self.candidates.setdefault(kind, []) if mine else self.strangers).append(path)
            else:
                (odd if _ODD_MASK.fullmatch(path.name) else self.others).append(path)
        if len(odd) == 1 and "mask" not in self.candidates:
            self.candidates["mask"] = odd
        else:
            self.others += odd

    def case(self) -> Case:
        files = {kind: paths[0] for kind, paths in self.candidates.items() if len(paths) == 1}
        images = {contrast: files[contrast] for contrast in _CONTRASTS if contrast in files}
        return Case(self.folder.name, images, files.get("mask"))

    def findings(self, wanted: list[str]) -> Iterator[Finding]:
        subject = self.folder.name
        if not self.candidates and not self.strangers:
            yield Finding(subject, self.folder, "holds no image of the case", "add the images, or delete the folder")
            return
        for path in self.strangers:
            yield Finding(subject, path, "is named for another case", "move it to its own case's folder, or rename it")
        for kind in wanted:
            yield from self._about(kind, len(self.candidates.get(kind, ())))
        for path in self.others:
            yield Finding(subject, path, "is unexpected here", "move it elsewhere", fatal=False)

    def links(self, root: Path) -> Iterator[Finding]:
        inside = [self.folder] if self.folder.is_symlink() else visible(self.folder)
        return links_leaving(inside, root, self.folder.name)

    def _about(self, kind: str, count: int) -> Iterator[Finding]:
        subject, what = self.folder.name, "the mask" if kind == "mask" else f"contrast {kind}"
        if count > 1:
            names = " and ".join(path.name for path in self.candidates[kind])
            yield Finding(subject, self.folder, f"{count} files for {what} ({names})", "keep one of them")
        elif not count and not any(_kind(path) == kind for path in self.strangers):
            ending = "seg" if kind == "mask" else kind
            remedy = f"add {subject}_{ending}.nii.gz, or leave out the case"
            yield Finding(subject, self.folder, f"{what} is missing", remedy)


def _kind(path: Path) -> str | None:
    match = _FILE.fullmatch(path.name)
    return match and ("mask" if match["kind"] == "seg" else match["kind"])


def _about_root(folder: Path, folders: list[Path]) -> Iterator[Finding]:
    if not folders:
        yield Finding(None, folder, "holds no case", "give the folder that holds one folder per case")
    tolerated = (*_TABLES, PHANTOM_RECORD)
    for path in visible(folder):
        if path not in folders and path.name not in tolerated:
            yield Finding(None, path, "is unexpected here", "move it elsewhere", fatal=False)
    for name, count in Counter(path.name.casefold() for path in folders).items():
        if count > 1:
            second = [path for path in folders if path.name.casefold() == name][1]
            yield Finding(second.name, second, "differs from another case in capital letters only", "keep one of them")
    yield from _about_names(folder / "name_mapping.csv")


def _about_names(table: Path) -> Iterator[Finding]:
    """One person under two identifiers may end up in two splits; the table of names would show it."""
    if not table.is_file():
        return
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        yield Finding(None, table, "cannot be read as a table", "restore it, or delete it", fatal=False)
        return
    for column in _PATIENT_COLUMNS:
        for value, count in Counter(row.get(column) or "" for row in rows).items():
            if count > 1 and value not in _UNNAMED:
                problem = f"{column} names {value} in {count} rows"
                yield Finding(None, table, problem, "leave out all but one of these cases", fatal=False)
