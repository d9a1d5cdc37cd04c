"""The two centres of CrossMoDA: voxel sizes, fields of view, and how a head lies in the scanner.

Sizes are those of the data sets (thesis, table 3.1); of the length along the body only the part around the posterior
fossa is kept. London's volumes lie along the axes of the scanner; Tilburg's are laid along the skull base, so that
their affines are slightly oblique.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medsearch.phantoms.anatomy import Anatomy, turned
from medsearch.phantoms.vestibular.boxes import Box, Point

FINEST_MM = 0.41
"""The in-plane voxel size of the finest files at the data sets' own size."""

_MIDDLE_MM = (0.0, -16.0, -34.0)
"""The middle of the volumes, head coordinates: the level of the inner ears."""
_MIDDLE_SD_MM = (2.0, 4.0, 3.0)
_POSE_SD_DEGREES, _POSE_SD_MM = (4.0, 2.0, 2.5), (2.0, 3.0, 3.0)
_TABLE_SD_MM = (4.0, 10.0, 15.0)
_SIGNS = (-1, -1, 1)


@dataclass(frozen=True)
class Series:
    """One sequence: voxel edges and field of view along x, y and z, mm."""

    edges: Point
    field: Point


@dataclass(frozen=True)
class Centre:
    """`name`, the `prefix` of its cases with the number of the `first`, and its series by contrast.

    `oblique_sd`: how far its volumes are turned against the scanner's axes, degrees.
    """

    name: str
    prefix: str
    first: int
    series: Mapping[str, Series]
    oblique_sd: float

    def box(self, contrast: str, spacing: float, rng: np.random.Generator) -> Box:
        """A subject's volume: every edge is larger than the real one by as much as `spacing` is than `FINEST_MM`."""
        series, coarser = self.series[contrast], max(0.0, spacing - FINEST_MM)
        x, y, z = (sign * (edge + coarser) for sign, edge in zip(_SIGNS, series.edges, strict=True))
        a, b, c = np.array(_MIDDLE_MM) + _MIDDLE_SD_MM * rng.standard_normal(3)
        return Box.around((float(a), float(b), float(c)), series.field, (x, y, z))

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
    {"ceT1": Series((0.41, 0.41, 1.5), (205, 205, 84)), "hrT2": Series((0.5, 0.5, 1.5), (192, 192, 72))},
    oblique_sd=0.0,
)
TILBURG = Centre(
    "Tilburg",
    "crossmoda2022_etz_",
    0,
    {"ceT1": Series((0.8, 0.8, 1.5), (205, 205, 78)), "hrT2": Series((0.41, 0.41, 1.0), (210, 210, 66))},
    oblique_sd=2.0,
)


def posed(anatomy: Anatomy, rng: np.random.Generator) -> Anatomy:
    """The same head, held as people hold it: nodded, tilted and turned by a few degrees, a few millimetres off."""
    turn = turned(np.deg2rad(_POSE_SD_DEGREES) * rng.standard_normal(3)).astype(np.float32)
    shift = anatomy.shift + np.asarray(_POSE_SD_MM * rng.standard_normal(3), dtype=np.float32)
    return replace(anatomy, matrix=anatomy.matrix @ turn, shift=shift)
