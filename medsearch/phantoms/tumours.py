"""Gliomas: where they sit, how large they are, and which share of each voxel is core, oedema and rim.

Geometry in mm throughout. A tumour starts in deep white matter, more than 6 mm from the cortex; its surface is a
sphere's plus smooth noise; oedema spreads along white matter and never into fluid; and, two-sided ones apart, nothing
crosses the midline, so that each half of the brain is either diseased or not.
"""

from dataclasses import dataclass

import numpy as np

from medsearch.phantoms.anatomy import Anatomy, Push
from medsearch.phantoms.fields import SmoothField
from medsearch.phantoms.grids import Array, Grid, brain_grid
from medsearch.phantoms.levels import inside, level

_PLANNING_SPACING_MM = 3.0
"""Seeds are chosen on this grid whatever the spacing of the files, so that a subject's tumour does not depend on it."""

_CORTEX_MM = 6.0
_VOLUME_ML = (20.0, 150.0)
_MEDIAN_ML, _VOLUME_SD = 70.0, 0.55
_BAND_MM = (-38.0, 48.0)
_SIDE_MM = 60.0
_LOW_GRADE, _TWO_SIDED, _SECOND_FOCUS, _SOLID = 0.2, 0.08, 0.12, 0.1

Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Tumour:
    """One subject's tumour. `side`: +1 right, -1 left, 0 both; `rim_mm`: 0 for low grade, infinite without necrosis."""

    foci: tuple[Point, ...]
    side: int
    low_grade: bool
    whole_ml: float
    core_ml: float
    rim_mm: float
    noise: tuple[SmoothField, SmoothField, SmoothField]
    push: Push

    @classmethod
    def draw(cls, anatomy: Anatomy, rng: np.random.Generator) -> "Tumour":
        """A tumour drawn from `rng` for a subject."""
        low_grade, two_sided, second, solid = rng.random(4) < (_LOW_GRADE, _TWO_SIDED, _SECOND_FOCUS, _SOLID)
        whole = float(np.clip(_MEDIAN_ML * np.exp(_VOLUME_SD * rng.standard_normal()), *_VOLUME_ML))
        core = whole * float(rng.uniform(0.55, 0.85) if low_grade else rng.uniform(0.2, 0.6))
        side = 0 if two_sided else int(rng.choice((-1, 1)))
        seeds = _seeds(anatomy, side, _radius(core))
        foci = [seeds[rng.integers(len(seeds))]]
        if second:
            apart = np.linalg.norm(seeds - foci[0], axis=1)
            near = seeds[(apart > _radius(core)) & (apart < 2.2 * _radius(core))]
            foci += [near[rng.integers(len(near))]] if len(near) else []
        rim = 0.0 if low_grade else np.inf if solid else float(rng.uniform(3.0, 5.0))
        noise = (SmoothField.draw(rng, 6.0), SmoothField.draw(rng, 3.0), SmoothField.draw(rng, 8.0))
        points = tuple((float(x), float(y), float(z)) for x, y, z in foci)
        push = Push(points[0], float(rng.uniform(0.05, 0.25)), 1.2 * _radius(core))
        return cls(points, side, bool(low_grade), whole, core, rim, noise, push)

    def shares(self, normal: Array, grid: Grid) -> Array:
        """The share of each voxel that is core, oedema and rim: (3, x, y, z), for normal tissue (tissue, x, y, z)."""
        points = grid.points()
        squares = [sum((axis - c) ** 2 for axis, c in zip(points, focus, strict=True)) for focus in self.foci]
        distance = np.sqrt(np.minimum.reduce(np.stack(squares))) + self._barrier(grid)
        wide, narrow, loose = (field.on(grid.axes) for field in self.noise)
        brain, fluid = normal.sum(axis=0), normal[3] + normal[5]
        voxel_ml = grid.spacing**3 / 1000
        core_depth = distance + 3 * wide + narrow
        core = brain * inside(core_depth, level(core_depth, brain, self.core_ml / voxel_ml))
        spread = distance - 10 * normal[0] + 4 * loose
        free = (brain - fluid) * (1 - core)
        oedema = free * inside(spread, level(spread, free, (self.whole_ml - self.core_ml) / voxel_ml))
        necrosis = core * self._necrotic(core_depth, core)
        return np.stack([necrosis, oedema, core - necrosis])

    def _necrotic(self, depth: Array, core: Array) -> Array | float:
        if self.low_grade:
            return 1.0
        if not np.isfinite(self.rim_mm):
            return 0.0
        surface = float(depth[core > 0.5].max(initial=0.0))
        return inside(depth, surface - self.rim_mm)

    def _barrier(self, grid: Grid) -> Array:
        """Added distance in mm: steep towards the midline (the falx), gentle out of the band of depth and the side."""
        x, y, z = grid.points()
        below, above = np.clip(_BAND_MM[0] - z, 0, None), np.clip(z - _BAND_MM[1], 0, None)
        barrier = 2 * (below + above + np.clip(np.abs(x) - _SIDE_MM, 0, None)) + 0 * y
        if self.side:
            depth = self.side * x
            barrier = barrier + np.where(depth < grid.spacing / 2, np.inf, 4 * np.clip(5 - depth, 0, None))
        return np.asarray(barrier, dtype=np.float32)


def _radius(volume_ml: float) -> float:
    """The radius in mm of a ball of this volume."""
    return float((3000 * volume_ml / (4 * np.pi)) ** (1 / 3))


def _seeds(anatomy: Anatomy, side: int, radius: float) -> Array:
    """Where a tumour may start: deep white matter with room for a core of `radius` in its half and band; (n, 3), mm."""
    from scipy import ndimage

    grid = brain_grid(_PLANNING_SPACING_MM)
    normal = anatomy.on(grid)
    x, y, z = (np.broadcast_to(axis, grid.shape) for axis in grid.points())
    cortex = (normal[1] > 0.5) | (normal.sum(axis=0) < 0.5)
    deep = ndimage.distance_transform_edt(~cortex, sampling=_PLANNING_SPACING_MM)
    room = min(0.8 * radius, 26.0)
    lateral = side * x if side else 25 - np.abs(x)
    central = (z > _BAND_MM[0] + room) & (z < _BAND_MM[1] - room) & (lateral > max(room, 10.0))
    fit = central & (normal[0] > 0.6) & (deep > _CORTEX_MM)
    if not fit.any():  # an unusual head: the deepest white matter on this side will do
        fit = central & (normal[0] > 0.3)
        fit &= deep >= np.max(deep, where=fit, initial=0.0)
    return np.stack([x[fit], y[fit], z[fit]], axis=1)
