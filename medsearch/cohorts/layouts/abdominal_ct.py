"""The layout of the two TCIA collections of paper 000, and of a folder with pairs to test on.

    <root>/[manifest-*/]Pancreas-CT/PANCREAS_<n>/<study>/<series>/*.dcm                    ceCT, portal-venous
    <root>/[manifest-*/]CT COLONOGRAPHY/1.3.6.1.4.1.9328.50.4.<n>/<study>/<series>/*.dcm   CT, on back and front
    <root>/paired/<subject>/{CT,ceCT}       .nii[.gz], or a folder with one series; optional
    <root>/TCIA_pancreas_labels-*/label<n>.nii.gz, or within Pancreas-CT; optional, no task reads them
    <root>/no_polyp.txt                     optional: the colonography subjects to take, one a line

A subject of the collections may also be a NIfTI file of that name. Each collection has one contrast, so its cases are
in no subset: the task says which contrast is source. The paper took 82 subjects of each; of Pancreas-CT 80 can still be
had, and its list of healthy colonography subjects is not published.

Pancreas-CT once had 82 cases; two were withdrawn, though their labels still lie among the others. CT Colonography shows
everybody on the back and on the front. A subject's volume is the axial original CT among its DICOM series, neither a
scout nor a part of the body. Series are known by the header of one slice and the number of their files; what they hold
is not read.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from medsearch.cohorts.cohort import Case, Finding
from medsearch.cohorts.layouts.nifti_folders import (
    PAIRED,
    Images,
    NamedCases,
    image_links_leaving,
    paired_cases,
    unique,
)
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD, AxialLayout, Scan, unexpected
from medsearch.core.ranges import Fraction, PositiveInt
from medsearch.core.recipes import recipe
from medsearch.imaging.dicom import first_slice
from medsearch.imaging.dicom_slices import Lying, Slice
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


class Series(NamedTuple):
    """One folder of files: how many slices they hold, and what the first among them says; None: there is none."""

    folder: Path
    slices: int
    header: Slice | None


@dataclass(frozen=True)
class ChosenSeries:
    """The chosen folder; or why there is none, and what to do."""

    folder: Path | None
    problem: str = ""
    remedy: str = ""


def chosen(subject: Path, rule: SeriesRule) -> ChosenSeries:
    """The series of a subject's folder that is its volume: of those that `rule` takes, the one with most slices.

    Originals go before derived series, which show the same slices again, thicker or turned. Of equal ones the first by
    name. A subject whose only files are no slices keeps them, so that a check says why.
    """
    candidates = []
    for folder, files in _folders(subject):
        header = first_slice(folder)
        candidates.append(Series(folder, files * (header.frames if header else 1), header))
    if not candidates:
        return ChosenSeries(None, "holds no file", "put its series there, or leave out the case")
    candidates.sort(key=lambda series: (-series.slices, series.folder))
    headed = [(series, series.header) for series in candidates if series.header]
    axial = [(series, header) for series, header in headed if header.axial and not header.localizer]
    whole = [(series, header) for series, header in axial if header.original] or axial
    lying = [series for series, header in whole if rule.lying in (None, header.lying)]
    least = max(rule.fewest, rule.share * max((series.slices for series, _ in whole), default=0))
    for series in lying:
        if series.slices >= least:
            return ChosenSeries(series.folder)
    if not headed:
        return ChosenSeries(candidates[0].folder)
    which = f"{rule.lying} " if rule.lying else ""
    problem = f"has no whole {which}series: none of enough slices"
    if not whole:
        problem = f"has no axial CT among its {len(candidates)} series"
    elif not lying:
        problem = f"has no {rule.lying} series among its {len(whole)} axial ones"
    return ChosenSeries(None, problem, "add it, or leave out the case")


def _folders(folder: Path) -> Iterator[tuple[Path, int]]:
    """The folder and all below it that hold files, in the order of names, and the number of each one's files."""
    entries = visible(folder)
    if files := sum(not path.is_dir() for path in entries):
        yield folder, files
    for path in entries:
        if path.is_dir():
            yield from _folders(path)


WITHDRAWN = ("PANCREAS_0025", "PANCREAS_0070")
LABELS = "TCIA_pancreas_labels*"
NO_POLYP = "no_polyp.txt"

_LABEL = re.compile(r"label(?P<number>\d{4})\.nii(\.gz)?")
_TOLERATED = re.compile(r"LICENSE.*|metadata\.csv|.*\.(tcia|xls|xlsx|pdf)", re.IGNORECASE)


@dataclass(frozen=True)
class Archive:
    """One collection: its folder, its subjects' names, its contrast, and which series are volumes."""

    folder: str
    subject: re.Pattern[str]
    contrast: str
    rule: SeriesRule

    def cases(self, root: Path, only: Collection[str] | None) -> NamedCases:
        """A case for each subject; of several series the one that `rule` takes. `only`: passes over all others."""
        cases: list[Case] = []
        findings: list[Finding] = []
        places = [base / self.folder for base in bases(root) if (base / self.folder).is_dir()]
        for images in map(Images.of, places):
            findings += [unexpected(path) for path in images.others if not path.match(LABELS)]
            for subject, (path, *_) in images.named.items():
                if not self.subject.fullmatch(subject):
                    if not path.match(LABELS):
                        findings.append(Finding(None, path, "is no case of this collection", "move it", fatal=False))
                    continue
                if only is not None and subject not in only:
                    continue
                choice = chosen(path, self.rule) if path.is_dir() else ChosenSeries(path)
                if choice.folder is not None:
                    cases.append(Case(subject, {self.contrast: choice.folder}, None))
                elif subject in WITHDRAWN:
                    problem = f"was withdrawn from the collection and {choice.problem}"
                    findings.append(Finding(subject, path, problem, "it is passed over", fatal=False))
                else:
                    cases.append(Case(subject, {}, None))
                    findings.append(Finding(subject, path, choice.problem, choice.remedy))
                findings += images.duplicates(subject, subject)
        if not cases:
            problem = "holds no case" if places else "is not a folder"
            where = next(iter(places), root / self.folder)
            findings.append(Finding(None, where, problem, f"unpack {self.folder} there, one folder per subject"))
        return NamedCases(tuple(cases), tuple(findings))


ARCHIVES = (
    Archive("Pancreas-CT", re.compile(r"PANCREAS_\d{4}"), "ceCT", SeriesRule()),
    Archive("CT COLONOGRAPHY", re.compile(r"1\.3\.6\.1\.4\.1\.[\d.]+"), "CT", SeriesRule(lying="supine")),
)


def bases(root: Path) -> list[Path]:
    """Where collections may lie: the root, and the manifests by which they were downloaded."""
    return [root, *(path for path in visible(root) if path.is_dir() and path.name.startswith("manifest-"))]


@dataclass(frozen=True, kw_only=True)
class AbdominalCT(AxialLayout):
    """Finds the cases of the two collections and of the pairs by their names, and by a header per series."""

    name: str = "abdominal_ct"
    contrasts: tuple[str, ...] = ("CT", "ceCT")

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, collection by collection, then the pairs; and the faults that names show."""
        wanted = self.contrasts if required is None else tuple(required)
        if not root.is_dir():
            fault = Finding(None, root, "is not a folder", "give the folder that holds the collections")
            return Scan(self.cohort(root, ()), (fault,))
        findings = list(_about_root(root))
        only: frozenset[str] | None = None
        if (root / NO_POLYP).is_file():
            try:
                only = frozenset((root / NO_POLYP).read_text(encoding="utf-8-sig").split())
            except (OSError, ValueError):
                remedy = "save it as UTF-8, one subject a line"
                findings.append(Finding(None, root / NO_POLYP, "cannot be read as text", remedy))
        archives = [archive for archive in ARCHIVES if archive.contrast in wanted]
        groups = [archive.cases(root, only if archive.contrast == "CT" else None) for archive in archives]
        if (root / PAIRED).is_dir():
            groups.append(paired_cases(root / PAIRED, self.contrasts, wanted))
        else:
            remedy = "without pairs nothing can be tested; put <subject>/CT.nii.gz and <subject>/ceCT.nii.gz there"
            groups.append(NamedCases(findings=(Finding(None, root / PAIRED, "is not a folder", remedy, fatal=False),)))
        cases, twice = unique([case for group in groups for case in group.cases])
        findings += [*(finding for group in groups for finding in group.findings), *twice]
        subjects = {case.subject for case in cases}
        labelled = any("ceCT" in case.images and case.subset is None for case in cases)
        outlines = pancreas_labels(root) if labelled else {}
        for subject in [subject for subject in outlines if subject not in subjects]:
            why = "whose CT was withdrawn" if subject in WITHDRAWN else "whose CT is not here"
            path = outlines.pop(subject)
            findings.append(Finding(subject, path, f"labels a case {why}", "it is passed over", fatal=False))
        findings += image_links_leaving(cases, root)
        if missing := sorted((only or frozenset()) - subjects):
            problem = f"names {len(missing)} subjects who are not here, such as {missing[0]}"
            remedy = "add their images, or delete the lines"
            findings.append(Finding(None, root / NO_POLYP, problem, remedy, fatal=False))
        phantom = (root / PHANTOM_RECORD).is_file()
        return Scan(self.cohort(root, cases, phantom=phantom), tuple(findings), outlines)


def _about_root(root: Path) -> Iterator[Finding]:
    known = {PAIRED, NO_POLYP, PHANTOM_RECORD, *(archive.folder for archive in ARCHIVES)}
    for base in bases(root):
        for path in visible(base):
            expected = path.name in known or path.match(LABELS) or (path.match("manifest-*") and base == root)
            if not expected and not _TOLERATED.fullmatch(path.name):
                yield unexpected(path)


def pancreas_labels(root: Path) -> dict[str, Path]:
    """The outlines of the pancreas by subject, wherever their folder was unpacked."""
    outlines: dict[str, Path] = {}
    patterns = (LABELS, f"{ARCHIVES[0].folder}/{LABELS}")
    for place in sorted(place for base in bases(root) for pattern in patterns for place in base.glob(pattern)):
        for path in visible(place) if place.is_dir() else ():
            if match := _LABEL.fullmatch(path.name):
                outlines.setdefault(f"PANCREAS_{match['number']}", path)
    return outlines
