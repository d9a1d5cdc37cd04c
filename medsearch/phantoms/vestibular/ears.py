"""The inner ear, its canal and the schwannoma that grows from it. Geometry in mm, head coordinates.

The canal opens at the porus, on the bone behind the cerebellopontine cistern, and runs to the side, to the front and
slightly down, as from tumour to cochlea in real contours. A schwannoma is a body in the cistern with a stalk in the
canal. Volumes and shapes are those of real contours (see the test of this module): from a quarter of a millilitre to
ten, nearly ellipsoids, a little longer along the canal than across. The body goes where there is no bone, into fluid
rather than into brain, which gives way; it never reaches the midline, so that a case is diseased on one side only.
"""

from dataclasses import dataclass, replace

import numpy as np

from medsearch.phantoms.anatomy import Anatomy, Push
from medsearch.phantoms.fields import SmoothField, inside, level
from medsearch.phantoms.grids import Array, Box, Lattice, Point, ball_radius
from medsearch.phantoms.tissues import HEAD

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


_MEDIAN_ML, _VOLUME_SD, _VOLUME_ML = 1.8, 0.85, (0.25, 9.0)
_PLANNING_MM, _PLANNING_STEP_MM = 44.0, 1.25
_LEAST_BODY = 0.35
_MIDLINE_MM = 4.0
_BRAIN_MM = 2.5
"""How much deeper a voxel counts that is brain: the tumour fills the cistern first."""
_FLARE, _CLEFT_MM = 0.5, (0.6, 2.2)
_NOISE_MM, _NOISE_SIGMA_MM, _TEXTURE_SIGMA_MM = 0.7, 4.0, 2.5
_LARGE_ML = 1.2
_CYSTIC, _MIXED, _MIXED_SMALL = 0.3, 0.35, 0.1
"""How many of the large ones hold a cyst, how many are mixed, and how many of the small ones are."""
_SOFT = [HEAD.index(tissue) for tissue in HEAD if tissue not in ("bone", "marrow", "muscle", "fat", "mucosa")]
_BRAIN = [HEAD.index(tissue) for tissue in ("white matter", "grey matter", "deep grey matter")]


@dataclass(frozen=True, eq=False)
class Schwannoma:
    """One subject's tumour: its ear, the body's middle, half axes (along and across the canal, in mean 1), its level.

    `reach`: how much of the canal it fills. `cleft`: how wide the fluid between it and the brain is, mm. `cyst`: the
    middle and radius of a cyst. `mixture`: how much of loose tissue, darker after gadolinium, is mixed in. `midline`:
    the head's middle plane, its normal towards the tumour and its distance along that.
    """

    ear: Ear
    centre: Point
    half_axes: Point
    level: float
    reach: float
    cleft: float
    cyst: tuple[Point, float] | None
    mixture: float
    noise: SmoothField
    texture: SmoothField
    push: Push
    midline: tuple[Point, float]

    @classmethod
    def draw(cls, anatomy: Anatomy, ear: Ear, rng: np.random.Generator) -> "Schwannoma":
        """A tumour drawn from `rng` at `ear`."""
        volume = float(np.clip(_MEDIAN_ML * np.exp(_VOLUME_SD * rng.standard_normal()), *_VOLUME_ML))
        reach, depth, strength = rng.uniform(0.4, 1.0), rng.uniform(0.45, 0.8), rng.uniform(0.1, 0.3)
        half = np.exp(np.array([0.12, 0.0, -0.08]) + 0.1 * rng.standard_normal(3))
        half = half / np.prod(half) ** (1 / 3)
        large = volume > _LARGE_ML
        cystic, mixed = rng.random(2) < ((_CYSTIC, _MIXED) if large else (0.0, _MIXED_SMALL))
        radius = ball_radius(volume)
        x, y, z = (at - depth * radius * unit for at, unit in zip(ear.porus, ear.axis, strict=True))
        centre = (x, y, z)
        apart, size = rng.uniform(-0.25, 0.25, 3) * radius, float(rng.uniform(0.3, 0.5)) * radius
        at = np.array(centre) + apart
        draft = cls(
            ear=ear,
            centre=centre,
            half_axes=(float(half[0]), float(half[1]), float(half[2])),
            level=0.0,
            reach=float(reach),
            cleft=float(rng.uniform(*_CLEFT_MM)),
            cyst=((float(at[0]), float(at[1]), float(at[2])), size) if cystic else None,
            mixture=float(rng.uniform(0.25, 0.5) if mixed else rng.uniform(0.03, 0.1)),
            noise=SmoothField.draw(rng, _NOISE_SIGMA_MM),
            texture=SmoothField.draw(rng, _TEXTURE_SIGMA_MM),
            push=Push(centre, float(strength), 1.2 * radius),
            midline=_midline(anatomy, ear.side),
        )
        return draft._filled(anatomy, volume)

    def grown(self, normal: Array, lattice: Lattice) -> Array:
        """The share of each voxel that is tumour, (x, y, z); the brain next to it in `normal` gives way to fluid.

        normal: shares of the tissues of `HEAD` (tissue, x, y, z), changed in place.
        """
        depth, soft = self._depth(normal, lattice), normal[_SOFT].sum(axis=0)
        cleft = inside(depth, self.level + self.cleft)
        for tissue in _BRAIN:
            normal[HEAD.index("fluid")] += cleft * normal[tissue]
            normal[tissue] *= 1 - cleft
        return np.asarray(np.maximum(inside(depth, self.level) * soft, self._stalk(lattice)))

    def loose(self, lattice: Lattice) -> Array:
        """How much of the tumour is cyst or as loose as that, were it at each voxel: (x, y, z)."""
        loose = np.clip(self.mixture * (1 + self.texture.on(lattice.axes)), 0, 1)
        if self.cyst is not None:
            (middle, radius), points = self.cyst, lattice.points()
            square = sum((axis - at) ** 2 for axis, at in zip(points, middle, strict=True))
            loose = np.maximum(loose, inside(np.sqrt(np.asarray(square)), radius))
        return np.asarray(loose, dtype=np.float32)

    def _filled(self, anatomy: Anatomy, volume_ml: float) -> "Schwannoma":
        """With the level at which it has its volume: found on a grid of its own, whatever the files' voxels are."""
        box = Box.around(self.centre, (_PLANNING_MM,) * 3, (_PLANNING_STEP_MM,) * 3)
        normal = anatomy.on(box, self.push)
        stalk_ml = float(self._stalk(box).sum()) * box.voxel_ml
        body_ml = max(volume_ml - stalk_ml, _LEAST_BODY * volume_ml)
        free = normal[_SOFT].sum(axis=0) * (1 - self._stalk(box))
        return replace(self, level=level(self._depth(normal, box), free, body_ml / box.voxel_ml))

    def _stalk(self, lattice: Lattice) -> Array:
        return self.ear.canal(lattice, until=self.reach, flare=_FLARE)

    def _depth(self, normal: Array, lattice: Lattice) -> Array:
        """How far out each point is, as the radius of a ball of the same volume; mm."""
        away = [axis - at for axis, at in zip(lattice.points(), self.centre, strict=True)]
        forward = np.cross(self.ear.axis, (0.0, 0.0, 1.0))
        forward = forward / np.linalg.norm(forward)
        frame = np.stack([self.ear.axis, forward, np.cross(self.ear.axis, forward)])
        squares = [
            (sum(part * unit for part, unit in zip(away, row, strict=True)) / size) ** 2
            for row, size in zip(frame, self.half_axes, strict=True)
        ]
        distance = np.sqrt(np.asarray(sum(squares)))
        distance = distance + _NOISE_MM * self.noise.on(lattice.axes) + _BRAIN_MM * normal[_BRAIN].sum(axis=0)
        normal_to, offset = self.midline
        lateral = sum(axis * part for axis, part in zip(lattice.points(), normal_to, strict=True)) - offset
        return np.asarray(distance + np.where(lateral < _MIDLINE_MM, np.inf, 0), dtype=np.float32)


def _midline(anatomy: Anatomy, side: int) -> tuple[Point, float]:
    """The middle plane of the head: its normal towards `side`, and its distance from the origin along that; mm."""
    row = side * anatomy.template.scale * anatomy.matrix[0].astype(np.float64)
    x, y, z = (float(part) for part in row)
    return (x, y, z), float(row @ anatomy.shift)
