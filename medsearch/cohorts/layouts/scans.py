"""What a layout is, what its look at a folder's names brings back, and what is wrong with names in any layout."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from medsearch.cohorts.cohort import Cohort, Finding
from medsearch.imaging.geometry import AxialGeometry, Geometry

Scoring = Literal["diseased halves", "diseased slices", "whole volume"]
"""Where a test case is scored: in the halves that its weak label calls diseased, or everywhere."""

Grids = Literal["one", "atlas", "own"]
"""How the cases' grids relate: all lie on one; each is laid on an atlas; each keeps its own."""

PHANTOM_RECORD = "phantom.json"
"""The file by which a folder says that its images were computed; every phantom writes it, every layout looks for it."""


@dataclass(frozen=True)
class Scan:
    """The cohort that the names promise, faulty cases included, and what is wrong with the names.

    labels: by subject, an outline that lies beside its image; no task reads it, but `checks` sees whether it fits.
    """

    cohort: Cohort
    findings: tuple[Finding, ...]
    labels: Mapping[str, Path] = field(default_factory=dict)


@runtime_checkable
class Layout(Protocol):
    """How one data set names its folders and files."""

    @property
    def name(self) -> str:
        """The word that selects the layout."""
        ...

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts of the data set, in the order of its public description; empty: the folders name them."""
        ...

    @property
    def grids(self) -> Grids:
        """How the cases' grids relate."""
        ...

    @property
    def grid_tolerance(self) -> float:
        """How far the affines of one case's files may differ in any entry, mm."""
        ...

    @property
    def geometries(self) -> Mapping[str, Geometry] | Mapping[str, AxialGeometry]:
        """The sizes that a method sees, by scale: tiny, small, paper."""
        ...

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, by names only; of the contrasts, only `required` (default: all) are missed."""
        ...


@runtime_checkable
class TumourLayout(Layout, Protocol):
    """A data set whose cases have outlined tumours, all contrasts of a case on one grid."""

    @property
    def labels(self) -> tuple[int, ...]:
        """The values that a mask may hold."""
        ...

    @property
    def tumour(self) -> tuple[int, ...]:
        """Those of them that are tumour."""
        ...

    @property
    def atlas(self) -> str | None:
        """The contrast on one of whose images all others are laid when the cohort is prepared.

        None: images are registered already, all on one grid, and 0 outside the brain. Otherwise they come as they were
        acquired.
        """
        ...

    @property
    def geometries(self) -> Mapping[str, Geometry]:
        """The sizes that a method sees, by scale: tiny, small, paper."""
        ...

    @property
    def scoring(self) -> Scoring:
        """Where a test case is scored."""
        ...


@runtime_checkable
class AxialLayout(Layout, Protocol):
    """A data set of whole CT images as they were acquired: stacks of axial slices, each case on a grid of its own.

    A case has one contrast, and trains; or it has all of them on one grid, and is for testing (part "test").
    """

    @property
    def geometries(self) -> Mapping[str, AxialGeometry]:
        """The sizes that a method sees, by scale: tiny, small, paper."""
        ...


_DIGITS = re.compile(r"\d+")


def links_leaving(paths: list[Path], root: Path, subject: str | None = None) -> Iterator[Finding]:
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


def strays_among(empty: Iterable[Path], names: Iterable[str]) -> frozenset[Path]:
    """Of the folders `empty`, which hold no image, those that are no case; the others are cases that lost theirs.

    A folder is a case if its name is formed as one of `names`, those of the cases with images: equal but for the
    numbers in it. So `BraTS20_Training_002` is one beside `BraTS20_Training_001`, `notes` is none.
    """
    forms = {_form(name) for name in names}
    return frozenset(path for path in empty if _form(path.name) not in forms)


def _form(name: str) -> str:
    return _DIGITS.sub("0", name).casefold()
