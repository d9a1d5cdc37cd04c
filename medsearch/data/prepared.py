"""Prepared arrays, as every trial of a node maps them into memory.

image-<contrast>.npy    (cases, Z, Y, X) float16 in [-1, 1], background 0
mask.npy                (cases, Z, Y, X) uint8, whole tumour = 1
cases.json              shape, spacing, and what was measured of each case
files.json              what each of these holds; written last
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.records import read_record
from medsearch.data.cohorts import Roster
from medsearch.data.geometry import Box, Spacing, Triple
from medsearch.data.once import REMEDY, set_aside, verified_file

VERSION = 1
"""Raised whenever equal files would give other arrays; part of the folder's name and of every data fingerprint."""

CASES = "cases.json"
MASK = "mask.npy"


def image_file(contrast: str) -> str:
    """The name of a contrast's array."""
    return f"image-{contrast}.npy"


@dataclass(frozen=True)
class PreparedFolder(ABC):
    """A folder of prepared arrays, opened on first use and shared between processes; what travels is the path."""

    directory: Path

    def __getstate__(self) -> dict[str, Any]:
        return {"directory": self.directory}

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """The content of cases.json.

        Raises:
            Damaged: it is not as it was written.

        """
        record: dict[str, Any] = read_record(verified_file(self.directory, CASES), remedy=REMEDY)
        return record

    def mapped(self, name: str) -> NDArray[Any]:
        """One of the arrays, mapped into memory once it was found to be as it was written.

        Raises:
            Damaged: it is not.

        """
        path = verified_file(self.directory, name)
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r")
        except (ValueError, EOFError, OSError) as error:
            damage = Damaged(path, f"is no whole array ({' '.join(str(error).split())})", REMEDY)
            set_aside(self.directory, damage)
            raise damage from error
        return array

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, in the order in which they were prepared."""
        return tuple(case["subject"] for case in self.record["cases"])

    @property
    @abstractmethod
    def roster(self) -> Roster:
        """Who may be divided, and what the data set's folders say of them."""

    def index(self, subject: str) -> int:
        """The place of a subject among those that were prepared.

        Raises:
            BadInput: the cohort has no such subject.

        """
        if subject not in self._indices:
            msg = f"no subject {subject!r} in {self.directory.name}; prepare the cohort that has it"
            raise BadInput(msg)
        return self._indices[subject]

    def case(self, subject: str) -> Mapping[str, Any]:
        """What the record says of a subject.

        Raises:
            BadInput: the cohort has no such subject.

        """
        case: dict[str, Any] = self.record["cases"][self.index(subject)]
        return case

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {subject: index for index, subject in enumerate(self.subjects)}


@dataclass(frozen=True)
class PreparedCohort(PreparedFolder):
    """The arrays of a cohort on one grid; each case's record has its box, presence, annotation, and statistics."""

    @property
    def shape(self) -> Triple:
        """(Z, Y, X) of every volume."""
        deep, high, wide = self.record["shape"]
        return deep, high, wide

    @property
    def spacing(self) -> Spacing:
        """Voxel size along z, y and x, mm."""
        edges = self.record["spacing"]
        deep, high, wide = edges if isinstance(edges, list) else [edges] * 3  # cubes were once recorded by their edge
        return deep, high, wide

    @cached_property
    def roster(self) -> Roster:
        """Who may be divided, and what the data set's folders say of them."""
        cases = self.record["cases"]
        return Roster(
            self.subjects,
            {case["subject"]: case["part"] for case in cases if case.get("part")},
            frozenset(case["subject"] for case in cases if case["annotated"]),
            patients={case["subject"]: case["patient"] for case in cases if case.get("patient")},
        )

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Each case's brain box over all its contrasts."""
        return tuple(_as_box(case["box"]) for case in self.record["cases"])

    @cached_property
    def presence(self) -> NDArray[np.bool_]:
        """(cases, 2): tumour anywhere left and right of the midline."""
        return np.array([case["presence"] for case in self.record["cases"]], dtype=bool).reshape(-1, 2)

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """(cases, Z, Y, X) of 0 and 1."""
        return self.mapped(MASK)

    @cached_property
    def _images(self) -> dict[str, NDArray[np.float16]]:
        return {}

    def image(self, contrast: str) -> NDArray[np.float16]:
        """(cases, Z, Y, X) in [-1, 1].

        Raises:
            BadInput: the cohort has no such contrast.

        """
        if contrast not in self._images:
            path = self.directory / image_file(contrast)
            if not path.exists():
                msg = f"no contrast {contrast!r} in the cohort; it has {', '.join(self.record['contrasts'])}"
                raise BadInput(msg)
            self._images[contrast] = self.mapped(path.name)
        return self._images[contrast]


def _as_box(sides: list[list[int]]) -> Box:
    (z0, z1), (y0, y1), (x0, x1) = sides
    return (z0, z1), (y0, y1), (x0, x1)
