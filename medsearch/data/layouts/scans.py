"""What a layout is, and what its look at a folder's names brings back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from medsearch.data.cohorts import Cohort, Finding
from medsearch.data.geometry import Geometry

Scoring = Literal["diseased halves", "diseased slices", "whole volume"]
"""Where a test case is scored: in the halves that its weak label calls diseased, or everywhere."""

PHANTOM_RECORD = "phantom.json"
"""The file by which a folder says that its images were computed; every phantom writes it, every layout looks for it."""


@dataclass(frozen=True)
class Scan:
    """The cohort that the names promise, faulty cases included, and what is wrong with the names."""

    cohort: Cohort
    findings: tuple[Finding, ...]


@runtime_checkable
class Layout(Protocol):
    """How one public data set names its folders and files."""

    @property
    def name(self) -> str:
        """The word that selects the layout."""
        ...

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts of a complete case, in the order of the public data set's description."""
        ...

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
    def grid_tolerance(self) -> float:
        """How far the affines of one case's files may differ in any entry, mm."""
        ...

    @property
    def geometries(self) -> Mapping[str, Geometry]:
        """The sizes that a method sees, by scale: tiny, small, paper."""
        ...

    @property
    def scoring(self) -> Scoring:
        """Where a test case is scored."""
        ...

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, by names only; of the contrasts, only `required` (default: all) are missed."""
        ...
