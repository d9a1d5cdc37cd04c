"""What a cohort with vestibular schwannomas is made from: its size, and the two centres of CrossMoDA.

A centre has voxel sizes, fields of view and a way in which heads lie in the scanner. Sizes are those of the data sets
(thesis, table 3.1); of the length along the body only the part around the posterior fossa is kept. London's volumes lie
along the axes of the scanner; Tilburg's are laid along the skull base, so that their affines are slightly oblique.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from medsearch.cohorts.cohort import Subset
from medsearch.core import recipes
from medsearch.core.errors import BadInput
from medsearch.core.ranges import Range
from medsearch.core.recipes import recipe
from medsearch.phantoms.anatomy import Anatomy, turned
from medsearch.phantoms.grids import Box, Point
from medsearch.phantoms.spec import PhantomSpec

FINEST_MM = 0.41
"""The in-plane voxel size of the finest files at the data sets' own size."""

_MIDDLE_MM = (0.0, -16.0, -34.0)
"""The middle of the volumes, head coordinates: the level of the inner ears."""
_MIDDLE_SD_MM = (2.0, 4.0, 3.0)
_POSE_SD_DEGREES, _POSE_SD_MM = (4.0, 2.0, 2.5), (2.0, 3.0, 3.0)
_TABLE_SD_MM = (4.0, 10.0, 15.0)
_SIGNS = (-1, -1, 1)


@dataclass(frozen=True)
class Acquisition:
    """One sequence: voxel edges and field of view along x, y and z, mm."""

    edges: Point
    field: Point


@dataclass(frozen=True)
class Centre:
    """`name`, the `prefix` of its cases with the number of the `first`, and what it acquires of each contrast.

    `oblique_sd`: how far its volumes are turned against the scanner's axes, degrees.
    """

    name: str
    prefix: str
    first: int
    acquisitions: Mapping[str, Acquisition]
    oblique_sd: float

    def box(self, contrast: str, spacing: float, rng: np.random.Generator) -> Box:
        """A subject's volume: every edge is larger than the real one by as much as `spacing` is than `FINEST_MM`."""
        taken, coarser = self.acquisitions[contrast], max(0.0, spacing - FINEST_MM)
        x, y, z = (sign * (edge + coarser) for sign, edge in zip(_SIGNS, taken.edges, strict=True))
        a, b, c = np.array(_MIDDLE_MM) + _MIDDLE_SD_MM * rng.standard_normal(3)
        return Box.around((float(a), float(b), float(c)), taken.field, (x, y, z))

    def affine(self, box: Box, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Voxel indices of `box` to the scanner's millimetres, (4, 4): where the table stood, how slices were laid."""
        world = np.eye(4)
        world[:3, :3] = turned(np.deg2rad(self.oblique_sd) * rng.standard_normal(3))
        world[:3, 3] = _TABLE_SD_MM * rng.standard_normal(3)
        return np.asarray(world @ box.affine)


LONDON = Centre(
    "London",
    "crossmoda2021_ldn_",
    1,
    {"ceT1": Acquisition((0.41, 0.41, 1.5), (205, 205, 84)), "hrT2": Acquisition((0.5, 0.5, 1.5), (192, 192, 72))},
    oblique_sd=0.0,
)
TILBURG = Centre(
    "Tilburg",
    "crossmoda2022_etz_",
    0,
    {"ceT1": Acquisition((0.8, 0.8, 1.5), (205, 205, 78)), "hrT2": Acquisition((0.41, 0.41, 1.0), (210, 210, 66))},
    oblique_sd=2.0,
)


def posed(anatomy: Anatomy, rng: np.random.Generator) -> Anatomy:
    """The same head, held as people hold it: nodded, tilted and turned by a few degrees, a few millimetres off."""
    turn = turned(np.deg2rad(_POSE_SD_DEGREES) * rng.standard_normal(3)).astype(np.float32)
    shift = anatomy.shift + np.asarray(_POSE_SD_MM * rng.standard_normal(3), dtype=np.float32)
    return replace(anatomy, matrix=anatomy.matrix @ turn, shift=shift)


VESTIBULAR_VERSION = 1
"""Raised whenever the same specification yields other images."""

CONTRASTS: dict[Subset, str] = {"source": "ceT1", "target": "hrT2", "test": "hrT2"}


@recipe
class CrossModa2022Spec(PhantomSpec):
    """A cohort of `cases` subjects of two centres: a sixth of them for validation, half of the rest source.

    `spacing`: the in-plane voxel size of the finest files, mm; 0.41 gives the data set's own sizes, and every edge of
    every series grows by as much as it exceeds that. Every subject has a tumour, so `healthy` must stay 0.
    """

    cases: Annotated[int, Range(3)] = 48
    spacing: Annotated[float, Range(0.3, 5)] = 1.64

    layout: ClassVar[str] = "crossmoda2022"
    centres: ClassVar[tuple[Centre, ...]] = (LONDON, TILBURG)

    def __post_init__(self) -> None:
        if self.healthy:
            msg = f"every CrossMoDA case has a tumour, {self.healthy} healthy ones were asked for; leave that at 0"
            raise BadInput(msg)

    @property
    def fingerprint(self) -> str:
        """Changes when the images would: with the specification, the layout, their version, or the label maps."""
        return recipes.fingerprint([super().fingerprint, self.layout, VESTIBULAR_VERSION])

    def subset(self, number: int) -> Subset:
        """Where subject `number` (from 0) belongs: source cases come first, those for validation last."""
        test = max(1, round(self.cases / 6))
        source = (self.cases - test + 1) // 2
        return "source" if number < source else "target" if number < self.cases - test else "test"

    def centre(self, number: int) -> Centre:
        """Whose subject `number` is: the centres take turns."""
        return self.centres[number % len(self.centres)]

    def name(self, number: int) -> str:
        """The identifier of subject `number`: each centre counts its own."""
        centre = self.centre(number)
        return f"{centre.prefix}{centre.first + number // len(self.centres)}"


@recipe
class CrossModa2021Spec(CrossModa2022Spec):
    """The same with London's subjects only."""

    layout: ClassVar[str] = "crossmoda2021"
    centres: ClassVar[tuple[Centre, ...]] = (LONDON,)
