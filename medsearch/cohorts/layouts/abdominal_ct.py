"""The layout of the two TCIA collections of paper 000, and of a folder with pairs to test on.

    <root>/[manifest-*/]Pancreas-CT/PANCREAS_<n>/<study>/<series>/*.dcm                    ceCT, portal-venous
    <root>/[manifest-*/]CT COLONOGRAPHY/1.3.6.1.4.1.9328.50.4.<n>/<study>/<series>/*.dcm   CT, on back and front
    <root>/paired/<subject>/{CT,ceCT}       .nii[.gz], or a folder with one series; optional
    <root>/TCIA_pancreas_labels-*/label<n>.nii.gz, or within Pancreas-CT; optional, no task reads them
    <root>/no_polyp.txt                     optional: the colonography subjects to take, one a line

A subject of the collections may also be a NIfTI file of that name. Each collection has one contrast, so its cases are
free (no part): the task says which contrast is source. The paper took 82 subjects of each; of Pancreas-CT 80 can still
be had, and its list of healthy colonography subjects is not published.

Pancreas-CT once had 82 cases; two were withdrawn, though their labels still lie among the others. CT Colonography shows
everybody on the back and on the front. A subject's volume is the axial original CT among its DICOM series, neither a
scout nor a part of the body. Series are known by the header of one slice and the number of their files; what they hold
is not read.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsearch.cohorts.cohort import Case, Cohort, Finding
from medsearch.cohorts.layouts.images import AXIAL, PAIRED, Found, Images, leaving, paired_cases, unique
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD, Grids, Scan, unexpected
from medsearch.core.ranges import Fraction, PositiveInt
from medsearch.core.recipes import recipe
from medsearch.imaging.dicom import first_slice
from medsearch.imaging.dicom_slices import Lying, Slice
from medsearch.imaging.geometry import AxialGeometry
from medsearch.imaging.image_files import visible


@recipe
class SeriesRule:
    """Which series are volumes.

    lying: how the patient must lie; None: as may be. share: of the slices of the subject's largest axial series, so
    many at least. fewest: slices at least, which no scout has. In CT Colonography (HQColon) whole series have 350 or
    more, of Pancreas-CT 181 or more; a share holds for coarser ones too.
    """

    lying: Lying | None = None
    share: Fraction = 0.5
    fewest: PositiveInt = 16


@dataclass(frozen=True)
class Series:
    """One folder of files: how many slices they hold, and what the first among them says; None: there is none."""

    folder: Path
    count: int
    slice: Slice | None


@dataclass(frozen=True)
class Choice:
    """The chosen folder; or why there is none, and what to do."""

    folder: Path | None
    problem: str = ""
    remedy: str = ""


def chosen(subject: Path, rule: SeriesRule) -> Choice:
    """The series of a subject's folder that is its volume: of those that `rule` takes, the one with most slices.

    Originals go before derived series, which show the same slices again, thicker or turned. Of equal ones the first by
    name. A subject whose only files are no slices keeps them, so that a check says why.
    """
    candidates = [_series(folder) for folder in _folders(subject)]
    if not candidates:
        return Choice(None, "holds no file", "put its series there, or leave out the case")
    axial = [series for series in candidates if _is_axial(series)]
    whole = [series for series in axial if series.slice and series.slice.original] or axial
    most = max((series.count for series in whole), default=0)
    least = max(rule.fewest, rule.share * most)
    taken = [series for series in whole if series.count >= least and _lies(series, rule)]
    if taken:
        return Choice(_first(taken).folder)
    if not any(series.slice for series in candidates):
        return Choice(_first(candidates).folder)
    return Choice(None, _lacking(candidates, whole, rule), "add it, or leave out the case")


def _series(folder: Path) -> Series:
    one, files = first_slice(folder), len(_files(folder))
    return Series(folder, files * (one.frames if one else 1), one)


def _lacking(candidates: Sequence[Series], whole: Sequence[Series], rule: SeriesRule) -> str:
    if not whole:
        return f"has no axial CT among its {len(candidates)} series"
    if rule.lying and not any(_lies(series, rule) for series in whole):
        return f"has no {rule.lying} series among its {len(whole)} axial ones"
    which = f"{rule.lying} " if rule.lying else ""
    return f"has no whole {which}series: none of enough slices"


def _first(series: Sequence[Series]) -> Series:
    return min(series, key=lambda candidate: (-candidate.count, candidate.folder))


def _is_axial(series: Series) -> bool:
    first = series.slice
    return first is not None and first.axial and not first.localizer


def _lies(series: Series, rule: SeriesRule) -> bool:
    return rule.lying is None or (series.slice is not None and series.slice.lying == rule.lying)


def _files(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if not path.is_dir()]


def _folders(subject: Path) -> list[Path]:
    """The folder and all below it that hold files, in the order of names."""
    folders = [subject] if _files(subject) else []
    for path in visible(subject):
        if path.is_dir():
            folders += _folders(path)
    return folders


WITHDRAWN = ("PANCREAS_0025", "PANCREAS_0070")
LABELS = "TCIA_pancreas_labels*"

_LABEL = re.compile(r"label(?P<number>\d{4})\.nii(\.gz)?")


@dataclass(frozen=True)
class Archive:
    """One collection: its folder, its subjects' names, its contrast, and which series are volumes."""

    folder: str
    subject: re.Pattern[str]
    contrast: str
    rule: SeriesRule

    def places(self, root: Path) -> list[Path]:
        """Where it lies."""
        return [base / self.folder for base in bases(root) if (base / self.folder).is_dir()]

    def cases(self, root: Path, only: Collection[str] | None) -> Found:
        """A case for each subject; of several series the one that `rule` takes. `only`: passes over all others."""
        cases: list[Case] = []
        findings: list[Finding] = []
        for place in self.places(root):
            images = Images.of(place)
            findings += images.findings(tolerated=[path.name for path in place.glob(LABELS)])
            for subject, paths in images.named.items():
                if not self.subject.fullmatch(subject):
                    if not paths[0].match(LABELS):
                        findings.append(
                            Finding(None, paths[0], "is no case of this collection", "move it", fatal=False)
                        )
                elif only is None or subject in only:
                    found = self._case(subject, paths[0])
                    cases += found.cases
                    findings += [*found.findings, *images.twice(subject, subject)]
        return Found(tuple(cases), (*findings, *self._lacking(root, cases)))

    def _case(self, subject: str, path: Path) -> Found:
        if not path.is_dir():
            return Found((Case(subject, {self.contrast: path}, None),))
        choice = chosen(path, self.rule)
        if choice.folder is not None:
            return Found((Case(subject, {self.contrast: choice.folder}, None),))
        if subject in WITHDRAWN:
            problem = f"was withdrawn from the collection and {choice.problem}"
            return Found(findings=(Finding(subject, path, problem, "it is passed over", fatal=False),))
        fault = Finding(subject, path, choice.problem, choice.remedy)
        return Found((Case(subject, {}, None),), (fault,))

    def _lacking(self, root: Path, cases: Collection[Case]) -> Iterator[Finding]:
        if not cases:
            where = next(iter(self.places(root)), root / self.folder)
            problem = "holds no case" if where.is_dir() else "is not a folder"
            yield Finding(None, where, problem, f"unpack {self.folder} there, one folder per subject")


ARCHIVES = (
    Archive("Pancreas-CT", re.compile(r"PANCREAS_\d{4}"), "ceCT", SeriesRule()),
    Archive("CT COLONOGRAPHY", re.compile(r"1\.3\.6\.1\.4\.1\.[\d.]+"), "CT", SeriesRule(lying="supine")),
)


def bases(root: Path) -> list[Path]:
    """Where collections may lie: the root, and the manifests by which they were downloaded."""
    return [root, *(path for path in visible(root) if path.is_dir() and path.name.startswith("manifest-"))]


def labels(root: Path) -> dict[str, Path]:
    """The outlines of the pancreas by subject, wherever their folder was unpacked."""
    places = [
        folder for base in bases(root) for folder in (*base.glob(LABELS), *base.glob(f"{ARCHIVES[0].folder}/{LABELS}"))
    ]
    outlines: dict[str, Path] = {}
    for path in [path for place in sorted(places) if place.is_dir() for path in visible(place)]:
        if match := _LABEL.fullmatch(path.name):
            outlines.setdefault(f"PANCREAS_{match['number']}", path)
    return outlines


def without_image(outlines: dict[str, Path], subjects: Collection[str]) -> Iterator[Finding]:
    """Labels of nobody here."""
    for subject, path in outlines.items():
        if subject not in subjects:
            why = "whose CT was withdrawn" if subject in WITHDRAWN else "whose CT is not here"
            yield Finding(subject, path, f"labels a case {why}", "it is passed over", fatal=False)


def listed(path: Path) -> tuple[frozenset[str] | None, tuple[Finding, ...]]:
    """The subjects that a file names, one a line; None without a file."""
    if not path.is_file():
        return None, ()
    try:
        return frozenset(path.read_text(encoding="utf-8-sig").split()), ()
    except (OSError, ValueError):
        return None, (Finding(None, path, "cannot be read as text", "save it as UTF-8, one subject a line"),)


NO_POLYP = "no_polyp.txt"

_TOLERATED = re.compile(r"LICENSE.*|metadata\.csv|.*\.(tcia|xls|xlsx|pdf)", re.IGNORECASE)


@dataclass(frozen=True)
class AbdominalCT:
    """Finds the cases of the two collections and of the pairs by their names, and by a header per series."""

    name: str = "abdominal_ct"
    contrasts: tuple[str, ...] = ("CT", "ceCT")
    grids: Grids = "own"
    grid_tolerance: float = 1e-2

    @property
    def geometries(self) -> Mapping[str, AxialGeometry]:
        """Paper 000's size, which is small enough for the small scale too, and half of it."""
        return AXIAL

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, collection by collection, then the pairs; and the faults that names show."""
        wanted = self.contrasts if required is None else tuple(required)
        if not root.is_dir():
            fault = Finding(None, root, "is not a folder", "give the folder that holds the collections")
            return Scan(Cohort(self.name, root, self.name, self.contrasts, ()), (fault,))
        only, unread = listed(root / NO_POLYP)
        archives = [archive for archive in ARCHIVES if archive.contrast in wanted]
        groups = [archive.cases(root, only if archive.contrast == "CT" else None) for archive in archives]
        groups.append(self._pairs(root, wanted))
        cases, twice = unique([case for group in groups for case in group.cases])
        labelled = any("ceCT" in case.images and case.part is None for case in cases)
        outlines = labels(root) if labelled else {}
        findings = [*_about_root(root), *unread, *(finding for group in groups for finding in group.findings), *twice]
        subjects = frozenset(case.subject for case in cases)
        findings += [*without_image(outlines, subjects), *leaving(cases, root), *_unlisted(only, subjects, root)]
        phantom = (root / PHANTOM_RECORD).is_file()
        name = f"{self.name}-phantom" if phantom else self.name
        cohort = Cohort(name, root, self.name, self.contrasts, cases, phantom=phantom)
        return Scan(
            cohort, tuple(findings), {subject: path for subject, path in outlines.items() if subject in subjects}
        )

    def _pairs(self, root: Path, wanted: Collection[str]) -> Found:
        folder = root / PAIRED
        if folder.is_dir():
            return paired_cases(folder, self.contrasts, wanted)
        remedy = "without pairs nothing can be tested; put <subject>/CT.nii.gz and <subject>/ceCT.nii.gz there"
        return Found(findings=(Finding(None, folder, "is not a folder", remedy, fatal=False),))


def _about_root(root: Path) -> Iterator[Finding]:
    known = {PAIRED, NO_POLYP, PHANTOM_RECORD, *(archive.folder for archive in ARCHIVES)}
    for base in bases(root):
        for path in visible(base):
            expected = path.name in known or path.match(LABELS) or (path.match("manifest-*") and base == root)
            if not expected and not _TOLERATED.fullmatch(path.name):
                yield unexpected(path)


def _unlisted(only: Collection[str] | None, subjects: Collection[str], root: Path) -> Iterator[Finding]:
    """Names on the list of whom there is nothing."""
    missing = sorted(set(only or ()) - set(subjects))
    if missing:
        problem = f"names {len(missing)} subjects who are not here, such as {missing[0]}"
        yield Finding(None, root / NO_POLYP, problem, "add their images, or delete the lines", fatal=False)
