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
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from medsearch.cohorts.cohort import Case, Cohort, Finding
from medsearch.cohorts.layouts.scans import (
    PHANTOM_RECORD,
    Grids,
    Scan,
    Scoring,
    links_leaving,
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
_GEOMETRIES = MappingProxyType(
    {
        "tiny": Geometry(spacing=(4.0, 4.0, 4.0), slice_size=64, depth=(8, 32), crop=(24, 40, 16)),
        "small": Geometry(spacing=(2.0, 2.0, 2.0), slice_size=128, depth=(15, 63), crop=(48, 80, 32)),
        "paper": Geometry(),
    }
)


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

    def told(self, name: str) -> tuple[str, str] | None:
        """The subject and the kind that a file's name tells; None for any other name."""
        stem = re.sub(r"\.nii(\.gz)?$", "", name)
        subject, separator, ending = stem.rpartition(self.separator)
        kinds = [kind for kind, known in self.endings.items() if known == ending]
        return (subject, kinds[0]) if stem != name and subject and separator and kinds else None

    def patient_of(self, subject: str) -> str | None:
        """Whose images they are, where that is not the subject's own name."""
        match = self.patient and self.patient.fullmatch(subject)
        return match["patient"] if match else None


_UNTIL_2021 = MappingProxyType({**{contrast: contrast for contrast in _CONTRASTS}, "mask": "seg"})
_FROM_2023 = MappingProxyType({"flair": "t2f", "t1": "t1n", "t1ce": "t1c", "t2": "t2w", "mask": "seg"})
_TIMEPOINT = re.compile(r"(?P<patient>BraTS-.+)-\d{3}")
_CHALLENGE = re.compile(r"BraTS-.+")
"""How the challenges since 2023 name their cases: gliomas, meningiomas, metastases, children, Africa, ..."""


@dataclass(frozen=True)
class BraTS:
    """Finds the cases of a BraTS training folder by their names."""

    name: str
    names: FileNames
    labels: tuple[int, ...] = (0, 1, 2, 4)
    tumour: tuple[int, ...] = (1, 2, 4)
    contrasts: tuple[str, ...] = _CONTRASTS
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
        folder = self._place(root)
        findings: list[Finding] = []
        cases: list[Case] = []
        if not folder.is_dir():
            findings.append(Finding(None, root, "is not a folder", "give the folder that holds one folder per case"))
        else:
            folders = [entry for entry in visible(folder) if entry.is_dir()]
            looked = [_CaseFolder(entry, self.names) for entry in folders]
            full = [case for case in looked if case.holds_image]
            empty = [case.folder for case in looked if not case.holds_image]
            strays = strays_among(empty, [case.folder.name for case in full])
            found = [case for case in looked if case.folder not in strays]
            cases = [case.case() for case in found]
            findings = [*_about_root(folder, [case.folder for case in found]), *self._foreign(found)]
            for case in found:
                findings += [*case.findings(wanted), *case.links(root)]
        phantom = (folder / PHANTOM_RECORD).is_file()
        name = f"{self.name}-phantom" if phantom else self.name
        cohort = Cohort(name, root, self.name, self.contrasts, tuple(cases), phantom=phantom)
        return Scan(cohort, tuple(findings))

    def owns(self, root: Path) -> bool:
        """Whether a case under `root` is named as this release names its own."""
        folder = self._place(root)
        return folder.is_dir() and any(self.names.subject.fullmatch(path.name) for path in visible(folder))

    def _place(self, root: Path) -> Path:
        """Where the cases lie: in `root`, or one or two folders down, as archives are unpacked."""
        if not root.is_dir() or self._has_case(root):
            return root
        inner = [path for path in visible(root) if path.is_dir()]
        below = [path for folder in inner for path in visible(folder) if path.is_dir()]
        return next((folder for folder in (*inner, *below) if self._has_case(folder)), root)

    def _has_case(self, folder: Path) -> bool:
        return any(self.names.told(file.name) for case in visible(folder) if case.is_dir() for file in visible(case))

    def _foreign(self, found: "list[_CaseFolder]") -> Iterator[Finding]:
        """Cases that another release, or another challenge, has named: the cohort would bear a name that is not its."""
        foreign = [(case.folder, name) for case in found if (name := self._other(case.folder.name)) is not None]
        if foreign:
            (folder, name), count = foreign[0], f", as are {len(foreign) - 1} more" if len(foreign) > 1 else ""
            remedy = f"choose the layout {name}, or move it elsewhere" if name else "move it elsewhere"
            yield Finding(None, folder, f"is of another release or challenge{count}", remedy)

    def _other(self, subject: str) -> str | None:
        """The other release that names a case so; empty: a challenge of which there is no layout; None: none."""
        others = [release.name for release in RELEASES if release.names.subject.fullmatch(subject)]
        if _CHALLENGE.fullmatch(subject) and not others:
            return ""
        return others[0] if others and others != [self.name] else None


BRATS_2020 = BraTS("brats2020", FileNames(re.compile(r"BraTS20_.+"), "_", _UNTIL_2021))
BRATS_2021 = BraTS("brats2021", FileNames(re.compile(r"BraTS2021_.+"), "_", _UNTIL_2021))
BRATS_2023 = BraTS(
    "brats2023",
    FileNames(re.compile(r"BraTS-(GLI|Phantom)-\d+-\d+"), "-", _FROM_2023, _TIMEPOINT),
    labels=(0, 1, 2, 3),
    tumour=(1, 2, 3),
)
RELEASES = (BRATS_2020, BRATS_2021, BRATS_2023)


@dataclass
class _CaseFolder:
    """One case's folder: its files by what they are, and the files that are something else."""

    folder: Path
    names: FileNames
    candidates: dict[str, list[Path]] = field(default_factory=dict)
    strangers: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        odd: list[Path] = []
        for path in visible(self.folder):
            told = self.names.told(path.name)
            if told and not path.is_dir():
                subject, kind = told
                mine = subject == self.folder.name
                (self.candidates.setdefault(kind, []) if mine else self.strangers).append(path)
            else:
                (odd if _ODD_MASK.fullmatch(path.name) else self.others).append(path)
        if len(odd) == 1 and "mask" not in self.candidates:
            self.candidates["mask"] = odd
        else:
            self.others += odd

    @property
    def holds_image(self) -> bool:
        """Whether any file is named as a case's are."""
        return bool(self.candidates or self.strangers)

    def case(self) -> Case:
        files = {kind: paths[0] for kind, paths in self.candidates.items() if len(paths) == 1}
        images = {contrast: files[contrast] for contrast in _CONTRASTS if contrast in files}
        subject = self.folder.name
        return Case(subject, images, files.get("mask"), patient=self.names.patient_of(subject))

    def findings(self, wanted: list[str]) -> Iterator[Finding]:
        subject = self.folder.name
        if not self.holds_image:
            yield Finding(subject, self.folder, "holds no image of the case", "add the images, or delete the folder")
            return
        for path in self.strangers:
            yield Finding(subject, path, "is named for another case", "move it to its own case's folder, or rename it")
        for kind in wanted:
            yield from self._about(kind, len(self.candidates.get(kind, ())))
        for path in self.others:
            yield unexpected(path, subject)

    def links(self, root: Path) -> Iterator[Finding]:
        inside = [self.folder] if self.folder.is_symlink() else visible(self.folder)
        return links_leaving(inside, root, self.folder.name)

    def _about(self, kind: str, count: int) -> Iterator[Finding]:
        subject, what = self.folder.name, "the mask" if kind == "mask" else f"contrast {kind}"
        if count > 1:
            names = " and ".join(path.name for path in self.candidates[kind])
            yield Finding(subject, self.folder, f"{count} files for {what} ({names})", "keep one of them")
        elif not count and not any((self.names.told(path.name) or ("", ""))[1] == kind for path in self.strangers):
            remedy = f"add {self.names.file(subject, kind)}, or leave out the case"
            yield Finding(subject, self.folder, f"{what} is missing", remedy)


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
