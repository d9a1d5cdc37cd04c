"""A layout for anybody's CT images, in HU: unpaired ones by contrast, and pairs to test on.

    <root>/unpaired/<contrast>/<subject>.nii[.gz]
    <root>/paired/<subject>/<contrast>.nii[.gz]          optional

Each image may also be a folder with one DICOM series, called as the file would be. The folders name the contrasts, and
a subject comes once: somebody with two contrasts belongs under paired. The layout of paper 000's collections names its
images and its pairs in the same way.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from medsearch.cohorts.cohort import Case, Finding
from medsearch.cohorts.layouts.scans import PHANTOM_RECORD, AxialLayout, Scan, links_leaving, strays_among, unexpected
from medsearch.imaging.image_files import visible

UNPAIRED = "unpaired"
PAIRED = "paired"
"""The folder of the cases that come in every contrast."""

_NIFTI = re.compile(r"(?P<name>.+?)\.nii(\.gz)?")


def _holds_file(path: Path) -> bool:
    """Whether an image is a file, or a folder with one, however deep."""
    return not path.is_dir() or any(map(_holds_file, visible(path)))


@dataclass(frozen=True)
class Images:
    """The images in one folder by name, several where a name comes twice, and what is something else there.

    An image is a folder, called by its name, or a NIfTI file, called by what precedes its ending.
    """

    folder: Path
    named: Mapping[str, list[Path]]
    others: list[Path]

    @staticmethod
    def of(folder: Path) -> "Images":
        """The images in a folder, and what else lies there; hidden files and clutter apart."""
        named: dict[str, list[Path]] = {}
        others: list[Path] = []
        for path in visible(folder):
            match = None if path.is_dir() else _NIFTI.fullmatch(path.name)
            if match or path.is_dir():
                named.setdefault(match["name"] if match else path.name, []).append(path)
            else:
                others.append(path)
        return Images(folder, named, others)

    def without_strays(self) -> "Images":
        """The same, with folders that hold no file and are not named as the other images are among `others`."""
        empty = [paths[0] for paths in self.named.values() if len(paths) == 1 and not _holds_file(paths[0])]
        strays = strays_among(empty, {*self.named} - {path.name for path in empty})
        named = {name: paths for name, paths in self.named.items() if paths[0] not in strays}
        return replace(self, named=named, others=sorted([*self.others, *strays]))

    def duplicates(self, name: str, subject: str) -> Iterator[Finding]:
        """An image that comes twice: which is meant cannot be known."""
        if len(paths := self.named[name]) > 1:
            names = " and ".join(path.name for path in paths)
            yield Finding(subject, self.folder, f"{len(paths)} images called {name} ({names})", "keep one of them")


@dataclass(frozen=True)
class NamedCases:
    """Cases, and what is wrong with their names."""

    cases: tuple[Case, ...] = ()
    findings: tuple[Finding, ...] = ()


def paired_cases(folder: Path, contrasts: Collection[str], wanted: Collection[str]) -> NamedCases:
    """The test cases in `folder`: one folder each, with an image per contrast.

    `contrasts`: those that there may be; empty: all. `wanted`: those that are missed.
    """
    cases, findings = [], []
    subjects = [subject for subject in visible(folder) if subject.is_dir()]
    empty = [subject for subject in subjects if not _holds_file(subject)]
    strays = strays_among(empty, [subject.name for subject in subjects if subject not in empty])
    findings += [unexpected(path) for path in visible(folder) if path not in subjects or path in strays]
    for place in subjects:
        if place in strays:
            continue
        subject, images = place.name, Images.of(place)
        known = {name: paths for name, paths in images.named.items() if not contrasts or name in contrasts}
        cases.append(Case(subject, {name: paths[0] for name, paths in sorted(known.items())}, None, "test"))
        findings += [unexpected(path, subject) for path in images.others]
        for name, paths in images.named.items():
            if name in known:
                findings += images.duplicates(name, subject)
            else:
                findings.append(unexpected(paths[0], subject, "name it by its contrast, or move it"))
        for contrast in wanted:
            if contrast not in known:
                remedy = f"add {contrast}.nii.gz or a folder {contrast} with its series, or leave out the case"
                findings.append(Finding(subject, place, f"contrast {contrast} is missing", remedy))
    if not cases:
        findings.append(Finding(None, folder, "holds no case", "put one folder per test case there", fatal=False))
    return NamedCases(tuple(cases), tuple(findings))


def image_links_leaving(cases: Collection[Case], root: Path) -> Iterator[Finding]:
    """Images that are, lie behind, or hold links to places outside; each is named once."""
    for case in cases:
        for image in case.images.values():
            linked = [entry for entry in visible(image) if entry.is_symlink()] if image.is_dir() else []
            yield from islice(links_leaving([image, *linked], root, case.subject), 1)


def unique(cases: Collection[Case]) -> tuple[tuple[Case, ...], tuple[Finding, ...]]:
    """Each subject once, the first of its cases; a second one might be in two parts of a split."""
    first: dict[str, Case] = {}
    findings = []
    for case in cases:
        if first.setdefault(case.subject, case) is not case:
            where = next(iter(case.images.values()), None)
            remedy = "rename it if it is somebody else; otherwise keep one, or put both contrasts under paired"
            findings.append(Finding(case.subject, where, "is the name of a second case", remedy))
    return tuple(first.values()), tuple(findings)


@dataclass(frozen=True, kw_only=True)
class NiftiFolders(AxialLayout):
    """Finds the cases of the generic folders by their names."""

    name: str = "nifti_folders"
    contrasts: tuple[str, ...] = ()

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, contrast by contrast, then the pairs; and the faults that names show."""
        unpaired, paired = _unpaired(root / UNPAIRED, required), NamedCases()
        if (root / PAIRED).is_dir():
            present = dict.fromkeys(contrast for case in unpaired.cases for contrast in case.images)
            paired = paired_cases(root / PAIRED, tuple(required or present), required or ())
        elif root.is_dir():
            remedy = f"put <subject>/<contrast>.nii.gz under {PAIRED}"
            what = "is not a folder: without pairs nothing can be tested"
            paired = NamedCases(findings=(Finding(None, root / PAIRED, what, remedy, fatal=False),))
        cases, twice = unique([*unpaired.cases, *paired.cases])
        contrasts = dict.fromkeys([*(required or ()), *(contrast for case in cases for contrast in case.images)])
        entries = visible(root) if root.is_dir() else []
        findings = [unexpected(path) for path in entries if path.name not in (UNPAIRED, PAIRED, PHANTOM_RECORD)]
        findings += [*unpaired.findings, *paired.findings, *twice, *image_links_leaving(cases, root)]
        phantom = (root / PHANTOM_RECORD).is_file()
        return Scan(self.cohort(root, cases, phantom=phantom, contrasts=tuple(contrasts)), tuple(findings))


def _unpaired(folder: Path, required: Collection[str] | None) -> NamedCases:
    if not folder.is_dir():
        return NamedCases(findings=(Finding(None, folder, "is not a folder", "put one folder per contrast there"),))
    cases: list[Case] = []
    findings = [unexpected(path) for path in visible(folder) if not path.is_dir()]
    present = {path.name: path for path in visible(folder) if path.is_dir()}
    for contrast, place in present.items():
        if required is not None and contrast not in required:
            continue
        images = Images.of(place).without_strays()
        findings += [unexpected(path) for path in images.others]
        for subject, paths in images.named.items():
            findings += images.duplicates(subject, subject)
            cases.append(Case(subject, {contrast: paths[0]}, None))
        if not images.named:
            lacking = Finding(None, place, "holds no image", "put <subject>.nii.gz there")
            remedy = "put <subject>.nii.gz there, or move it elsewhere"
            findings.append(unexpected(place, remedy=remedy) if required is None else lacking)
    for contrast in required or ():
        if contrast not in present:
            findings.append(Finding(None, folder / contrast, "is not a folder", f"put images of {contrast} there"))
    return NamedCases(tuple(cases), tuple(findings))
