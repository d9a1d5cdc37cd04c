"""Images as layouts of whole CT volumes name them: a NIfTI file, or a folder with one DICOM series.

Their sizes no data set prescribes: slices are resized to a number of pixels.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from medsearch.cohorts.cohort import Case, Finding
from medsearch.cohorts.layouts.scans import links_leaving, strays_among, unexpected
from medsearch.imaging.geometry import AxialGeometry
from medsearch.imaging.image_files import visible

AXIAL: Mapping[str, AxialGeometry] = MappingProxyType(
    {"tiny": AxialGeometry(slice_size=64), "small": AxialGeometry(), "paper": AxialGeometry()}
)
"""Paper 000's 128 x 128 pixels, and half of it for two CPU cores."""


PAIRED = "paired"
"""The folder of the cases that come in every contrast."""

_NIFTI = re.compile(r"(?P<name>.+?)\.nii(\.gz)?")


def image_name(path: Path) -> str | None:
    """What an image is called: a folder by its name, a NIfTI file by what precedes its ending; None: it is neither."""
    if path.is_dir():
        return path.name
    match = _NIFTI.fullmatch(path.name)
    return match["name"] if match else None


def _holds_file(path: Path) -> bool:
    """Whether an image is a file, or a folder with one, however deep."""
    return not path.is_dir() or any(map(_holds_file, visible(path)))


@dataclass(frozen=True)
class Images:
    """The images in one folder by name, several where a name comes twice, and what is something else there."""

    folder: Path
    named: Mapping[str, list[Path]]
    others: list[Path]

    @staticmethod
    def of(folder: Path) -> "Images":
        """What lies in `folder`."""
        named: dict[str, list[Path]] = {}
        others: list[Path] = []
        for path in visible(folder):
            name = image_name(path)
            if name is None:
                others.append(path)
            else:
                named.setdefault(name, []).append(path)
        return Images(folder, named, others)

    def without_strays(self) -> "Images":
        """The same, with folders that hold no file and are not named as the other images are among `others`."""
        empty = [paths[0] for paths in self.named.values() if len(paths) == 1 and not _holds_file(paths[0])]
        strays = strays_among(empty, {*self.named} - {path.name for path in empty})
        named = {name: paths for name, paths in self.named.items() if paths[0] not in strays}
        return replace(self, named=named, others=sorted([*self.others, *strays]))

    def findings(self, subject: str | None = None, *, tolerated: Collection[str] = ()) -> Iterator[Finding]:
        """What is unexpected here."""
        for path in self.others:
            if path.name not in tolerated:
                yield unexpected(path, subject)

    def twice(self, name: str, subject: str) -> Iterator[Finding]:
        """An image that comes twice: which is meant cannot be known."""
        if len(paths := self.named[name]) > 1:
            names = " and ".join(path.name for path in paths)
            yield Finding(subject, self.folder, f"{len(paths)} images called {name} ({names})", "keep one of them")


@dataclass(frozen=True)
class Found:
    """Cases, and what is wrong with their names."""

    cases: tuple[Case, ...] = ()
    findings: tuple[Finding, ...] = ()


def paired_cases(folder: Path, contrasts: Collection[str], wanted: Collection[str]) -> Found:
    """The test cases in `folder`: one folder each, with an image per contrast.

    `contrasts`: those that there may be; empty: all. `wanted`: those that are missed.
    """
    cases, findings = [], []
    subjects = [subject for subject in visible(folder) if subject.is_dir()]
    empty = [subject for subject in subjects if not _holds_file(subject)]
    strays = strays_among(empty, [subject.name for subject in subjects if subject not in empty])
    findings += [unexpected(path) for path in visible(folder) if path not in subjects or path in strays]
    for subject in subjects:
        if subject in strays:
            continue
        images = Images.of(subject)
        known = {name: paths for name, paths in images.named.items() if not contrasts or name in contrasts}
        cases.append(Case(subject.name, {name: paths[0] for name, paths in sorted(known.items())}, None, "test"))
        findings += [*images.findings(subject.name), *_about_pair(images, known, wanted)]
    if not cases:
        findings.append(Finding(None, folder, "holds no case", "put one folder per test case there", fatal=False))
    return Found(tuple(cases), tuple(findings))


def _about_pair(images: Images, known: Mapping[str, list[Path]], wanted: Collection[str]) -> Iterator[Finding]:
    subject = images.folder.name
    for name in images.named:
        if name in known:
            yield from images.twice(name, subject)
        else:
            yield unexpected(images.named[name][0], subject, "name it by its contrast, or move it")
    for contrast in wanted:
        if contrast not in known:
            remedy = f"add {contrast}.nii.gz or a folder {contrast} with its series, or leave out the case"
            yield Finding(subject, images.folder, f"contrast {contrast} is missing", remedy)


def leaving(cases: Collection[Case], root: Path) -> Iterator[Finding]:
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
