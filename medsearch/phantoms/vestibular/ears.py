"""The inner ear and its canal: where a schwannoma starts, and what is bright on both sides in CISS.

Geometry in mm, head coordinates. The canal opens at the porus, on the bone behind the cerebellopontine cistern, and
runs to the side, to the front and slightly down, as from tumour to cochlea in real contours.
"""

from dataclasses import dataclass

import numpy as np

from medsearch.phantoms.anatomy import Anatomy
from medsearch.phantoms.grids import Array, Lattice
from medsearch.phantoms.levels import inside
from medsearch.phantoms.vestibular.boxes import Box, Point
from medsearch.phantoms.vestibular.tissues import HEAD

_PORUS_MM = (23.0, -29.0, -34.0)
_SEARCH_MM, _SEARCH_STEP_MM = 30.0, 1.5
_NEAR_CISTERN_MM, _FARTHEST_MM = 3.0, 9.0
_AXIS, _AXIS_SD = (0.86, 0.46, -0.2), 0.08
_LENGTH_MM, _RADIUS_MM = (8.5, 11.5), (2.2, 3.0)
_BEFORE_MM = -2.0
"""The canal is opened from a little before the porus, so that no bone is left in between."""
_COCHLEA_RADIUS_MM, _VESTIBULE_RADIUS_MM = (2.2, 2.6), 2.3


@dataclass(frozen=True, eq=False)
class Ear:
    """One side (+1 right, -1 left): the porus, the unit vector along the canal, the canal's and the cochlea's size."""

    side: int
    porus: Point
    axis: Point
    length: float
    radius: float
    cochlea_radius: float

    @classmethod
    def draw(cls, anatomy: Anatomy, side: int, rng: np.random.Generator) -> "Ear":
        """The ear of `anatomy` on one side."""
        axis = np.array(_AXIS) * (side, 1, 1) + _AXIS_SD * rng.standard_normal(3)
        x, y, z = axis / np.linalg.norm(axis)
        length, radius = rng.uniform(*_LENGTH_MM), rng.uniform(*_RADIUS_MM)
        cochlea = rng.uniform(*_COCHLEA_RADIUS_MM)
        porus = _porus(anatomy, side)
        return cls(side, porus, (float(x), float(y), float(z)), float(length), float(radius), float(cochlea))

    def along(self, lattice: Lattice) -> tuple[Array, Array]:
        """How far each point is along the canal from the porus, and how far from its middle line; mm."""
        away = [axis - at for axis, at in zip(lattice.points(), self.porus, strict=True)]
        depth = sum(part * unit for part, unit in zip(away, self.axis, strict=True))
        square = sum(part**2 for part in away) - depth**2
        return np.asarray(depth), np.sqrt(np.clip(square, 0, None))

    def canal(self, lattice: Lattice, *, until: float = 1.0, flare: float = 0.0) -> Array:
        """The share of each voxel in the canal, to `until` of its length; at the porus wider by the share `flare`."""
        depth, distance = self.along(lattice)
        radius = self.radius * (1 - 0.3 * np.clip(depth / self.length, 0, 1) + flare * np.exp(-np.abs(depth) / 3))
        half = (until * self.length - _BEFORE_MM) / 2
        ends = inside(np.abs(depth - _BEFORE_MM - half), half)
        return np.minimum(inside(distance - radius, 0.0), ends)

    def cochlea(self, lattice: Lattice) -> Array:
        """The share of each voxel in the cochlea, below and before the end of the canal."""
        return self._ball(lattice, 3.5, 2.5, -1.5, radius=self.cochlea_radius)

    def labyrinth(self, lattice: Lattice) -> Array:
        """The share of each voxel in what holds fluid inside the bone: cochlea, vestibule."""
        return np.maximum(self.cochlea(lattice), self._ball(lattice, 3.0, -3.5, 1.0, radius=_VESTIBULE_RADIUS_MM))

    def _ball(self, lattice: Lattice, outward: float, forward: float, up: float, *, radius: float) -> Array:
        """A ball beyond the end of the canal, moved to the front and up."""
        reach = self.length + outward
        centre = [at + reach * unit for at, unit in zip(self.porus, self.axis, strict=True)]
        centre[1] += forward
        centre[2] += up
        square = sum((axis - at) ** 2 for axis, at in zip(lattice.points(), centre, strict=True))
        return inside(np.sqrt(np.asarray(square)), radius)


def _porus(anatomy: Anatomy, side: int) -> Point:
    """Where bone meets the cistern, nearest to where it does in a usual head; there itself if it does nowhere near."""
    from scipy import ndimage

    scale = anatomy.template.scale
    usual = np.array(_PORUS_MM) * (side, 1, 1)
    guess = np.linalg.solve(anatomy.matrix.astype(np.float64), usual / scale) + anatomy.shift
    box = Box.around((guess[0], guess[1], guess[2]), (_SEARCH_MM,) * 3, (_SEARCH_STEP_MM,) * 3)
    to_mm = np.linalg.inv(anatomy.template.to_voxels)
    voxels = np.moveaxis(anatomy.places(box), 0, -1)
    missed = np.linalg.norm(scale * (voxels @ to_mm[:3, :3].T + to_mm[:3, 3]) - usual, axis=-1)
    maps = anatomy.on(box)
    hard = maps[HEAD.index("bone")] + maps[HEAD.index("marrow")] > 0.5
    wet = maps[HEAD.index("fluid")] > 0.5
    if wet.any():
        near = ndimage.distance_transform_edt(~wet, sampling=_SEARCH_STEP_MM) <= _NEAR_CISTERN_MM
        found = hard & near & (missed < _FARTHEST_MM)
        missed = np.where(found, missed, missed + (1e3 if found.any() else 0))
    place = np.unravel_index(int(missed.argmin()), missed.shape)
    x, y, z = (float(axis[at]) for axis, at in zip(box.axes, place, strict=True))
    return x, y, z
