"""Where a phantom's voxels lie.

Head coordinates are mm from a point near the anterior commissure: x to the right, y to the front, z up; the midline
is x = 0. A `Grid` is part of a file laid out as BraTS's: a box of 240 x 240 x 155 mm, first axis to the left, second to
the back, third up, with the midline in the middle of the first axis. A `Box` is anywhere, and its voxels' edges may
differ from axis to axis.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Point = tuple[float, float, float]
"""Along x, y and z, mm: a place, a size or a step."""

BOX_MM = (240, 240, 155)
ORIGIN_MM = (120.0, 103.5, 72.5)
"""The head's origin, from the outer corner of the first voxel. With a brain of usual size, the head's top and bottom
are then as far from the box's as in BraTS, and the geometry's band of depth holds the cerebrum."""

_SIGNS = (-1, -1, 1)
_REACH_MM = ((-80, 80), (-116, 88), (-73, 84))
"""No brain reaches out of this window (head coordinates), so nothing outside it is computed."""


@dataclass(frozen=True)
class Lattice(ABC):
    """Points in head coordinates, `shape` of them in rows along x, y and z."""

    shape: tuple[int, int, int]

    @property
    @abstractmethod
    def axes(self) -> tuple[Array, Array, Array]:
        """Head coordinates in mm of the points (the voxels' centres), per axis."""

    def points(self) -> tuple[Array, Array, Array]:
        """Head coordinates in mm of every point, broadcastable to (x, y, z)."""
        x, y, z = self.axes
        return x[:, None, None], y[None, :, None], z[None, None, :]


@dataclass(frozen=True)
class Grid(Lattice):
    """The part of a BraTS-like box in which a brain can lie: voxel `spacing` in mm, and the first voxel."""

    spacing: float
    first: tuple[int, int, int]

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """Head coordinates in mm of the voxels' centres; those along x and y fall, as indices run left and back."""
        x, y, z = (
            np.float32(sign) * ((first + np.arange(size) + 0.5) * self.spacing - origin).astype(np.float32)
            for sign, first, size, origin in zip(_SIGNS, self.first, self.shape, ORIGIN_MM, strict=True)
        )
        return x, y, z

    def finer(self, factor: int) -> "Grid":
        """The same part of the box with every voxel cut into factor^3."""
        first, shape = ((a * factor, b * factor, c * factor) for a, b, c in (self.first, self.shape))
        return Grid(shape, self.spacing / factor, first)


def box_shape(spacing: float) -> tuple[int, int, int]:
    """The size in voxels of the whole box."""
    x, y, z = (round(size / spacing) for size in BOX_MM)
    return x, y, z


def brain_grid(spacing: float) -> Grid:
    """The grid for one spacing: the window of the box in which a brain can lie."""
    starts, sizes = [], []
    for sign, origin, reach, size in zip(_SIGNS, ORIGIN_MM, _REACH_MM, box_shape(spacing), strict=True):
        low, high = sorted((origin + sign * reach[0], origin + sign * reach[1]))
        start, stop = max(0, int(low / spacing)), min(size, int(np.ceil(high / spacing)))
        starts.append(start)
        sizes.append(stop - start)
    return Grid((sizes[0], sizes[1], sizes[2]), spacing, (starts[0], starts[1], starts[2]))


def into_box(array: npt.NDArray[np.generic], grid: Grid) -> npt.NDArray[np.generic]:
    """`array` (x, y, z on `grid`) in the whole box, zero outside the grid."""
    box = np.zeros(box_shape(grid.spacing), dtype=array.dtype)
    box[tuple(slice(a, a + n) for a, n in zip(grid.first, grid.shape, strict=True))] = array
    return box


def box_affine(spacing: float) -> npt.NDArray[np.float64]:
    """Voxel indices of the whole box to mm, as in BraTS files: at 1 mm the first voxel lies at (0, 239, 0)."""
    half = (spacing - 1) / 2
    affine = np.diag([-spacing, -spacing, spacing, 1.0])
    affine[:3, 3] = (-half + 0.0, 239 - half, half)
    return affine


def block_mean(array: Array, factor: int | tuple[int, int, int]) -> Array:
    """Means over factor^3 voxels (or one factor per axis) of the last three axes, which must be multiples of it."""
    a, b, c = (factor, factor, factor) if isinstance(factor, int) else factor
    if a == b == c == 1:
        return array
    *front, x, y, z = array.shape
    blocks = array.reshape(*front, x // a, a, y // b, b, z // c, c)
    return np.asarray(blocks.mean(axis=(-1, -3, -5)), dtype=np.float32)


@dataclass(frozen=True)
class Box(Lattice):
    """Voxels: the middle of the first (mm), and the step to the next along each axis (mm, signed)."""

    start: Point
    steps: Point

    @classmethod
    def around(cls, centre: Point, field: Point, steps: Point) -> "Box":
        """A box of about `field` mm with its middle at `centre`."""
        x, y, z = (max(1, round(size / abs(step))) for size, step in zip(field, steps, strict=True))
        a, b, c = (at - step * (n - 1) / 2 for at, step, n in zip(centre, steps, (x, y, z), strict=True))
        return cls((x, y, z), (a, b, c), steps)

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """Head coordinates in mm of the voxels' centres; along each axis they rise or fall as its step does."""
        x, y, z = (
            (start + step * np.arange(size)).astype(np.float32)
            for start, step, size in zip(self.start, self.steps, self.shape, strict=True)
        )
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """The volume of one voxel, ml."""
        return float(abs(np.prod(self.steps))) / 1000

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Voxel indices to head coordinates, (4, 4)."""
        matrix = np.diag([*self.steps, 1.0])
        matrix[:3, 3] = self.start
        return matrix

    def finer(self, factors: tuple[int, int, int]) -> "Box":
        """The same place with every voxel cut into as many as `factors` says, per axis."""
        steps = tuple(step / factor for step, factor in zip(self.steps, factors, strict=True))
        start = tuple(at - (old - new) / 2 for at, old, new in zip(self.start, self.steps, steps, strict=True))
        x, y, z = (size * factor for size, factor in zip(self.shape, factors, strict=True))
        return Box((x, y, z), (start[0], start[1], start[2]), (steps[0], steps[1], steps[2]))

    def layers(self, first: int, last: int) -> "Box":
        """Its slices `first` to `last`, last excluded, along the third axis."""
        x, y, z = self.start
        return replace(
            self, start=(x, y, z + first * self.steps[2]), shape=(*self.shape[:2], min(last, self.shape[2]) - first)
        )


def ball_radius(volume_ml: float) -> float:
    """The radius in mm of a ball of this volume."""
    return float((3000 * volume_ml / (4 * np.pi)) ** (1 / 3))
