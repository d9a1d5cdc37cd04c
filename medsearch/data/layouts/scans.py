"""What a layout is, and what its look at a folder's names brings back."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from medsearch.data.cohorts import Cohort, Finding

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

    def scan(self, root: Path, *, required: Collection[str] | None = None) -> Scan:
        """The cases under `root`, by names only; of the contrasts, only `required` (default: all) are missed."""
        ...
