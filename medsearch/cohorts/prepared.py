"""Prepared arrays, as every trial of a node maps them into memory.

A folder holds the arrays of a cohort for a geometry: volumes on one grid, or stacks of slices each on its own. Beside
them lie `cases.json`, with what was measured of each case, and `files.json`, written last, with what each file holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medsearch.cohorts.atomic_folder import CASES, REMEDY, set_aside, verified_file
from medsearch.cohorts.cohort import Roster
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.records import read_record
from medsearch.imaging.geometry import Box, Shape, Spacing
from medsearch.imaging.resampling import MAJORITY


@dataclass(frozen=True)
class PreparedArrays:
    """A folder of prepared arrays, opened on first use and shared between processes; what travels is the path."""

    directory: Path

    VERSION: ClassVar[int]
    """Raised whenever equal files would give other arrays; part of the folder's name and of every data fingerprint."""

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

    @cached_property
    def roster(self) -> Roster:
        """Who may be divided, and what the data set's folders say of them."""
        cases = self.record["cases"]
        return Roster(
            self.subjects,
            {case["subject"]: case["part"] for case in cases if case.get("part")},
            frozenset(case["subject"] for case in cases if case.get("annotated")),
            {case["subject"]: tuple(case["stacks"]) for case in cases if "stacks" in case},
            {case["subject"]: case["patient"] for case in cases if case.get("patient")},
        )

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {subject: index for index, subject in enumerate(self.subjects)}

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


@dataclass(frozen=True)
class PreparedVolumes(PreparedArrays):
    """Volumes on one grid; each case's record has its box, presence, annotation, and statistics.

    image-<contrast>.npy    (cases, Z, Y, X) float16 in [-1, 1], background 0
    mask.npy                (cases, Z, Y, X) uint8, whole tumour = 1
    cases.json              shape, spacing, and what was measured of each case
    """

    VERSION: ClassVar[int] = 1
    MASK: ClassVar[str] = "mask.npy"

    @staticmethod
    def image_file(contrast: str) -> str:
        """The name of a contrast's array."""
        return f"image-{contrast}.npy"

    @property
    def shape(self) -> Shape:
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
    def boxes(self) -> tuple[Box, ...]:
        """Each case's brain box over all its contrasts."""
        return tuple(
            ((z[0], z[1]), (y[0], y[1]), (x[0], x[1])) for z, y, x in (case["box"] for case in self.record["cases"])
        )

    @cached_property
    def presence(self) -> NDArray[np.bool_]:
        """(cases, 2): tumour anywhere at low and at high x of the midline."""
        return np.array([case["presence"] for case in self.record["cases"]], dtype=bool).reshape(-1, 2)

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """(cases, Z, Y, X) of 0 and 1."""
        return self.mapped(self.MASK)

    @cached_property
    def _images(self) -> dict[str, NDArray[np.float16]]:
        return {}

    def image(self, contrast: str) -> NDArray[np.float16]:
        """(cases, Z, Y, X) in [-1, 1].

        Raises:
            BadInput: the cohort has no such contrast.

        """
        if contrast not in self._images:
            path = self.directory / self.image_file(contrast)
            if not path.exists():
                msg = f"no contrast {contrast!r} in the cohort; it has {', '.join(self.record['contrasts'])}"
                raise BadInput(msg)
            self._images[contrast] = self.mapped(path.name)
        return self._images[contrast]

    def to_native(self, subject: str, mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """A mask (Z, Y, X) of a registered case on the grid of its file: (x, y, z) of 0 and 1, and the file's affine.

        Between voxels the mask is interpolated and cut at a half, so that fine files get no coarse steps.

        Raises:
            BadInput: the cohort was not registered, or the mask is not on its grid.

        """
        from scipy.ndimage import affine_transform

        own = self.case(subject)
        if "native" not in own:
            msg = f"case {subject} of {self.directory.name} was not registered; its file lies on the prepared grid"
            raise BadInput(msg)
        if mask.shape != self.shape:
            msg = f"case {subject}: the mask has (z, y, x) grid {mask.shape}, the cohort {self.shape}; place it there"
            raise BadInput(msg)
        affine = np.array(own["native"]["affine"])
        steps = np.linalg.inv(np.array(own["laid"]) @ np.array(self.record["affine"])) @ affine
        shape, marked = tuple(own["native"]["shape"]), mask.T.astype(np.float32)
        share = affine_transform(marked, steps[:3, :3], steps[:3, 3], output_shape=shape, order=1, mode="grid-constant")
        return (share >= MAJORITY).astype(np.uint8), affine


@dataclass(frozen=True)
class PreparedStacks(PreparedArrays):
    """Stacks of axial slices of CT, each on a grid of its own.

    <contrast>-<number>.npy         (Z, Y, X) int16, HU; superior slice first, as wide as high
    <contrast>-<number>-body.npy    (Z, Y, X) uint8, the body with its air = 1
    cases.json                      size, and what was measured of each stack
    """

    VERSION: ClassVar[int] = 2

    @staticmethod
    def files(contrast: str, number: int) -> tuple[str, str]:
        """The names of one case's slices in a contrast, and of the masks that go with them."""
        return f"{contrast}-{number:04d}.npy", f"{contrast}-{number:04d}-body.npy"

    def stack(self, subject: str, contrast: str) -> NDArray[np.int16]:
        """The slices (Z, Y, X) of a case in one contrast, HU; superior first, mapped from disk."""
        self.measured(subject, contrast)
        return self.mapped(self.files(contrast, self.index(subject))[0])

    def body(self, subject: str, contrast: str) -> NDArray[np.uint8]:
        """The masks (Z, Y, X) of 0 and 1 that go with `stack`: the body with its air."""
        self.measured(subject, contrast)
        return self.mapped(self.files(contrast, self.index(subject))[1])

    def measured(self, subject: str, contrast: str) -> Mapping[str, Any]:
        """What was measured of a stack: slices, spacing (z, y, x; mm), region (first and last slice), if it was found.

        Raises:
            BadInput: no such subject, or it has no image in this contrast.

        """
        stacks: Mapping[str, Mapping[str, Any]] = self.case(subject)["stacks"]
        if contrast not in stacks:
            msg = f"case {subject} has no {contrast} image; exclude it or add the file"
            raise BadInput(msg)
        return stacks[contrast]


Prepared: TypeAlias = PreparedVolumes | PreparedStacks
