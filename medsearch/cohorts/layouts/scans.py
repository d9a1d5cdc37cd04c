"""What a layout is, what its look at a folder's names brings back, and what is wrong with names in any layout."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from medsearch.cohorts.cohort import Case, Cohort, Finding
from medsearch.imaging.geometry import AxialGeometry, Geometry

Scoring = Literal["diseased halves", "diseased slices", "whole volume"]
"""Where a test case is scored: in the halves that its weak label calls diseased, or everywhere."""

Grids = Literal["one", "atlas", "own"]
"""How the cases' grids relate: all lie on one; each is registered to an atlas; each keeps its own."""

PHANTOM_RECORD = "phantom.json"
"""The file by which a folder says that its images were computed; every phantom writes it, every layout looks for it."""

_AXIAL = {"tiny": AxialGeometry(slice_size=64), "small": AxialGeometry(), "paper": AxialGeometry()}


@dataclass(frozen=True)
class Scan:
    """The cohort that the names promise, faulty cases included, and what is wrong with the names.

    labels: by subject, an outline that lies beside its image; no task reads it, but `checks` sees whether it fits.
    """

    cohort: Cohort
    findings: tuple[Finding, ...]
    labels: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Layout(ABC):
    """How one data set names its folders and files.

    name: the word that selects the layout. contrasts: those of the data set, in the order of its public description;
    empty: the folders name them. grid_tolerance: how far the affines of one case's files may differ in any entry, mm.
    geometries: the sizes that a method sees, by scale: tiny, small, paper.
    """

    name: str
    contrasts: tuple[str, ...]
    grids: Grids
    grid_tolerance: float = 1e-2
    geometries: Mapping[str, Geometry] | Mapping[str, AxialGeometry]

    @abstractmethod
    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, by names only; of the contrasts, only `required` (default: all) are missed."""

    def cohort(
        self, root: Path, cases: Iterable[Case], *, phantom: bool = False, contrasts: tuple[str, ...] | None = None
    ) -> Cohort:
        """The cases under `root` as a cohort of this layout; `contrasts`: those of the layout, if none are given."""
        name = f"{self.name}-phantom" if phantom else self.name
        known = self.contrasts if contrasts is None else contrasts
        return Cohort(name, root, self.name, known, tuple(cases), phantom=phantom)


@dataclass(frozen=True, kw_only=True)
class TumourLayout(Layout):
    """A data set whose cases have outlined tumours, all contrasts of a case on one grid.

    labels: the values that a mask may hold. tumour: those of them that are tumour. scoring: where a test case is
    scored. atlas: the contrast of which one image is the atlas that all others are registered to when the cohort is
    prepared; None: images are registered already, all on one grid, and 0 outside the brain.
    """

    labels: tuple[int, ...]
    tumour: tuple[int, ...]
    atlas: str | None = None
    scoring: Scoring
    geometries: Mapping[str, Geometry]


@dataclass(frozen=True, kw_only=True)
class AxialLayout(Layout):
    """A data set of whole CT images as they were acquired: stacks of axial slices, each case on a grid of its own.

    A case has one contrast, and trains; or it has all of them on one grid, and is for testing (subset "test"). No data
    set prescribes sizes, as slices are resized to a number of pixels: paper 000's 128 x 128, and half of it for two
    CPU cores.
    """

    grids: Grids = "own"
    geometries: Mapping[str, AxialGeometry] = field(default_factory=lambda: _AXIAL)


def links_leaving(paths: Iterable[Path], root: Path, subject: str | None = None) -> Iterator[Finding]:
    """Links to places outside, and what lies behind them: the cohort changes with those, and cannot be moved whole."""
    inside = root.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(inside):
            problem, remedy = "is a link that leaves the cohort", "copy the content here to keep the cohort whole"
            yield Finding(subject, path, problem, remedy, fatal=False)


def unexpected(path: Path, subject: str | None = None, remedy: str = "") -> Finding:
    """What lies where the layout has no place for it; it is passed over. A folder may have been a case."""
    elsewhere = "move it elsewhere; if it is a case, give it its images" if path.is_dir() else "move it elsewhere"
    return Finding(subject, path, "is unexpected here", remedy or elsewhere, fatal=False)


def other_than_one(folder: Path, subject: str, what: str, paths: Sequence[Path], *, remedy: str) -> Iterator[Finding]:
    """A case with several files in `folder` for `what` it must have once; or with none, unless `remedy` is empty."""
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        yield Finding(subject, folder, f"{len(paths)} files for {what} ({names})", "keep one of them")
    elif not paths and remedy:
        yield Finding(subject, folder, f"{what} is missing", remedy)


def strays_among(empty: Iterable[Path], names: Iterable[str]) -> frozenset[Path]:
    """Of the folders `empty`, which hold no image, those that are no case; the others are cases that lost theirs.

    A folder is a case if its name is formed as one of `names`, those of the cases with images: equal but for the
    numbers in it. So `BraTS20_Training_002` is one beside `BraTS20_Training_001`, `notes` is none.
    """
    forms = {re.sub(r"\d+", "0", name).casefold() for name in names}
    return frozenset(path for path in empty if re.sub(r"\d+", "0", path.name).casefold() not in forms)
