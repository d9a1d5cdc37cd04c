"""The layouts of the BraTS training sets of 2020, 2021 and 2023 (adult glioma): one folder per case.

    <root>/[one or two folders of the archive/]
        <SUBJECT>/<SUBJECT>_{flair,t1,t1ce,t2,seg}.nii[.gz]      2020 and 2021
        <SUBJECT>/<SUBJECT>-{t2f,t1n,t1c,t2w,seg}.nii[.gz]       2023
        name_mapping.csv, survival_info.csv, *Mapping.xlsx       optional

Contrasts are called flair, t1, t1ce and t2 in all of them. Mask labels: 1 necrotic and non-enhancing core, 2 oedema,
4 (in 2023: 3) enhancing tumour; all of them are the whole tumour.
In the public archive of 2020 the mask of case 355 is called `W39_1998.09.19_Segm.nii`: a lone file whose name ends in
`Segm` stands for the mask that is missing. In 2023, `BraTS-GLI-00000-000` and `-001` are one patient at two times.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from medsearch.cohorts.cohort import Case, Finding
from medsearch.cohorts.layouts.scans import (
    PHANTOM_RECORD,
    Grids,
    Scan,
    Scoring,
    TumourLayout,
    links_leaving,
    other_than_one,
    strays_among,
    unexpected,
)
from medsearch.imaging.geometry import Geometry
from medsearch.imaging.image_files import visible

_CONTRASTS = ("flair", "t1", "t1ce", "t2")
_TABLES = re.compile(r"name_mapping\.csv|survival_info\.csv|.*mapping.*\.(csv|xlsx)", re.IGNORECASE)
_ODD_MASK = re.compile(r".*_segm\.nii(\.gz)?", re.IGNORECASE)
_PATIENT_COLUMNS = ("TCGA_TCIA_subject_ID", "BraTS_2020_subject_ID")
_UNNAMED = ("", "NA", "N/A")
# BraTS has voxels of 1 mm; the smaller scales average 2 and 4 of them along each axis.
_GEOMETRIES = {
    "tiny": Geometry(spacing=(4.0, 4.0, 4.0), slice_size=64, depth=(8, 32), crop=(24, 40, 16)),
    "small": Geometry(spacing=(2.0, 2.0, 2.0), slice_size=128, depth=(15, 63), crop=(48, 80, 32)),
    "paper": Geometry(),
}
_CHALLENGE = re.compile(r"BraTS-.+")
"""How the challenges since 2023 name their cases: gliomas, meningiomas, metastases, children, Africa, ..."""


@dataclass(frozen=True)
class FileNames:
    """How a release names its cases' folders (`subject`) and files: <SUBJECT><separator><ending>.nii[.gz].

    endings: by contrast, and "mask". patient: what of a subject's name tells the patient, if one may come twice.
    """

    subject: re.Pattern[str]
    separator: str
    endings: Mapping[str, str]
    patient: re.Pattern[str] | None = None

    def file(self, subject: str, kind: str) -> str:
        """What a case's file of that kind (a contrast, or "mask") is called."""
        return f"{subject}{self.separator}{self.endings.get(kind, kind)}.nii.gz"

    def parsed(self, name: str) -> tuple[str, str] | None:
        """The subject and the kind that a file's name tells; None for any other name."""
        stem = re.sub(r"\.nii(\.gz)?$", "", name)
        subject, separator, ending = stem.rpartition(self.separator)
        kinds = [kind for kind, known in self.endings.items() if known == ending]
        return (subject, kinds[0]) if stem != name and subject and separator and kinds else None


@dataclass(frozen=True, kw_only=True)
class BraTS(TumourLayout):
    """Finds the cases of a BraTS training folder by their names."""

    names: FileNames
    labels: tuple[int, ...] = (0, 1, 2, 4)
    tumour: tuple[int, ...] = (1, 2, 4)
    contrasts: tuple[str, ...] = _CONTRASTS
    grids: Grids = "one"
    scoring: Scoring = "diseased halves"

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root` in the order of their names, and the faults that names alone show."""
        wanted = [*(self.contrasts if required is None else required), "mask"]
        folder = self._place(root)
        if not folder.is_dir():
            fault = Finding(None, root, "is not a folder", "give the folder that holds one folder per case")
            return Scan(self.cohort(root, ()), (fault,))
        folders = [_CaseFolder.of(entry, self.names) for entry in visible(folder) if entry.is_dir()]
        empty = [case.folder for case in folders if not case.holds_image]
        strays = strays_among(empty, [case.folder.name for case in folders if case.holds_image])
        folders = [case for case in folders if case.folder not in strays]
        findings = [*_about_root(folder, [case.folder for case in folders]), *self._foreign(folders)]
        for case in folders:
            findings += case.findings(wanted)
            inside = [case.folder] if case.folder.is_symlink() else visible(case.folder)
            findings += links_leaving(inside, root, case.folder.name)
        phantom = (folder / PHANTOM_RECORD).is_file()
        return Scan(self.cohort(root, (case.case() for case in folders), phantom=phantom), tuple(findings))

    def owns(self, root: Path) -> bool:
        """Whether a case under `root` is named as this release names its own."""
        folder = self._place(root)
        return folder.is_dir() and any(self.names.subject.fullmatch(path.name) for path in visible(folder))

    def _place(self, root: Path) -> Path:
        """Where the cases lie: in `root`, or one or two folders down, as archives are unpacked."""
        if not root.is_dir():
            return root
        inner = [path for path in visible(root) if path.is_dir()]
        below = (path for folder in inner for path in visible(folder) if path.is_dir())
        for folder in chain((root,), inner, below):
            cases = [case for case in visible(folder) if case.is_dir()]
            if any(self.names.parsed(file.name) for case in cases for file in visible(case)):
                return folder
        return root

    def _foreign(self, folders: "list[_CaseFolder]") -> Iterator[Finding]:
        """Cases that another release, or another challenge, has named: the cohort would bear a name that is not its.

        Of a challenge there is no layout to choose.
        """
        foreign: list[tuple[Path, str]] = []
        for folder in [case.folder for case in folders]:
            others = [release.name for release in RELEASES if release.names.subject.fullmatch(folder.name)]
            if not others and _CHALLENGE.fullmatch(folder.name):
                foreign.append((folder, ""))
            elif others and others != [self.name]:
                foreign.append((folder, others[0]))
        if foreign:
            (folder, name), count = foreign[0], f", as are {len(foreign) - 1} more" if len(foreign) > 1 else ""
            remedy = f"choose the layout {name}, or move it elsewhere" if name else "move it elsewhere"
            yield Finding(None, folder, f"is of another release or challenge{count}", remedy)


_UNTIL_2021 = {**{contrast: contrast for contrast in _CONTRASTS}, "mask": "seg"}
_FROM_2023 = {"flair": "t2f", "t1": "t1n", "t1ce": "t1c", "t2": "t2w", "mask": "seg"}
_TIMEPOINT = re.compile(r"(?P<patient>BraTS-.+)-\d{3}")
BRATS_2020, BRATS_2021 = (
    BraTS(name=name, names=FileNames(re.compile(subject), "_", _UNTIL_2021), geometries=_GEOMETRIES)
    for name, subject in (("brats2020", r"BraTS20_.+"), ("brats2021", r"BraTS2021_.+"))
)
BRATS_2023 = BraTS(
    name="brats2023",
    names=FileNames(re.compile(r"BraTS-(GLI|Phantom)-\d+-\d+"), "-", _FROM_2023, _TIMEPOINT),
    labels=(0, 1, 2, 3),
    tumour=(1, 2, 3),
    geometries=_GEOMETRIES,
)
RELEASES = (BRATS_2020, BRATS_2021, BRATS_2023)


@dataclass(frozen=True)
class _CaseFolder:
    """One case's folder: its files by kind, those named for another case, and those that are something else."""

    folder: Path
    names: FileNames
    candidates: dict[str, list[Path]]
    strangers: dict[Path, str]
    others: list[Path]

    @staticmethod
    def of(folder: Path, names: FileNames) -> "_CaseFolder":
        candidates: dict[str, list[Path]] = {}
        strangers: dict[Path, str] = {}
        odd, others = list[Path](), list[Path]()
        for path in visible(folder):
            parsed = None if path.is_dir() else names.parsed(path.name)
            if parsed is None:
                (odd if _ODD_MASK.fullmatch(path.name) else others).append(path)
            elif parsed[0] == folder.name:
                candidates.setdefault(parsed[1], []).append(path)
            else:
                strangers[path] = parsed[1]
        if len(odd) == 1 and "mask" not in candidates:
            candidates["mask"] = odd
        else:
            others += odd
        return _CaseFolder(folder, names, candidates, strangers, others)

    @property
    def holds_image(self) -> bool:
        """Whether any file is named as a case's are."""
        return bool(self.candidates or self.strangers)

    def case(self) -> Case:
        files = {kind: paths[0] for kind, paths in self.candidates.items() if len(paths) == 1}
        images = {contrast: files[contrast] for contrast in _CONTRASTS if contrast in files}
        subject = self.folder.name
        match = self.names.patient and self.names.patient.fullmatch(subject)
        return Case(subject, images, files.get("mask"), patient=match["patient"] if match else None)

    def findings(self, wanted: list[str]) -> Iterator[Finding]:
        subject = self.folder.name
        if not self.holds_image:
            yield Finding(subject, self.folder, "holds no image of the case", "add the images, or delete the folder")
            return
        for path in self.strangers:
            yield Finding(subject, path, "is named for another case", "move it to its own case's folder, or rename it")
        for kind in wanted:
            what = "the mask" if kind == "mask" else f"contrast {kind}"
            add = f"add {self.names.file(subject, kind)}, or leave out the case"
            remedy = "" if kind in self.strangers.values() else add
            yield from other_than_one(self.folder, subject, what, self.candidates.get(kind, ()), remedy=remedy)
        for path in self.others:
            yield unexpected(path, subject)


def _about_root(folder: Path, folders: list[Path]) -> Iterator[Finding]:
    if not folders:
        yield Finding(None, folder, "holds no case", "give the folder that holds one folder per case")
    for path in visible(folder):
        if path not in folders and path.name != PHANTOM_RECORD and not _TABLES.fullmatch(path.name):
            yield unexpected(path)
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
