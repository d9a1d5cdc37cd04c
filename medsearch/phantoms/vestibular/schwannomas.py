"""Vestibular schwannomas: a body in the cerebellopontine cistern, and its stalk in the canal.

Geometry in mm, head coordinates. Volumes and shapes are those of real contours (see the test of this module): from a
quarter of a millilitre to ten, nearly ellipsoids, a little longer along the canal than across. The body goes where
there is no bone, into fluid rather than into brain, which gives way; it never reaches the midline, so that a case is
diseased on one side only.
"""

from dataclasses import dataclass, replace

import numpy as np

from medsearch.phantoms.anatomy import Anatomy, Push
from medsearch.phantoms.fields import SmoothField
from medsearch.phantoms.grids import Array, Lattice
from medsearch.phantoms.levels import inside, level
from medsearch.phantoms.vestibular.boxes import Box, Point
from medsearch.phantoms.vestibular.ears import Ear
from medsearch.phantoms.vestibular.tissues import HEAD

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
        radius = radius_mm(volume)
        centre = _beside(ear, -depth * radius)
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


def radius_mm(volume_ml: float) -> float:
    """The radius of a ball of this volume."""
    return float((3000 * volume_ml / (4 * np.pi)) ** (1 / 3))


def _beside(ear: Ear, along: float) -> Point:
    x, y, z = (at + along * unit for at, unit in zip(ear.porus, ear.axis, strict=True))
    return x, y, z


def _midline(anatomy: Anatomy, side: int) -> tuple[Point, float]:
    """The middle plane of the head: its normal towards `side`, and its distance from the origin along that; mm."""
    row = side * anatomy.template.scale * anatomy.matrix[0].astype(np.float64)
    x, y, z = (float(part) for part in row)
    return (x, y, z), float(row @ anatomy.shift)
