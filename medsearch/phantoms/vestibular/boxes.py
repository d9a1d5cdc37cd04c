"""Boxes of voxels whose edges differ from axis to axis, in head coordinates."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medsearch.phantoms.grids import Array

Point = tuple[float, float, float]
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Box:
    """Voxels: the middle of the first (mm), the step to the next along each axis (mm, signed), and how many."""

    start: Point
    steps: Point
    shape: Triple

    @classmethod
    def around(cls, centre: Point, field: Point, steps: Point) -> "Box":
        """A box of about `field` mm with its middle at `centre`."""
        x, y, z = (max(1, round(size / abs(step))) for size, step in zip(field, steps, strict=True))
        a, b, c = (at - step * (n - 1) / 2 for at, step, n in zip(centre, steps, (x, y, z), strict=True))
        return cls((a, b, c), steps, (x, y, z))

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """Head coordinates in mm of the voxels' middles, per axis."""
        x, y, z = (
            (start + step * np.arange(size)).astype(np.float32)
            for start, step, size in zip(self.start, self.steps, self.shape, strict=True)
        )
        return x, y, z

    def points(self) -> tuple[Array, Array, Array]:
        """Head coordinates in mm of every voxel's middle, broadcastable to (x, y, z)."""
        x, y, z = self.axes
        return x[:, None, None], y[None, :, None], z[None, None, :]

    @property
    def voxel_ml(self) -> float:
        """The volume of a voxel."""
        return float(abs(np.prod(self.steps))) / 1000

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Voxel indices to head coordinates, (4, 4)."""
        matrix = np.diag([*self.steps, 1.0])
        matrix[:3, 3] = self.start
        return matrix

    def finer(self, factors: Triple) -> "Box":
        """The same place with every voxel cut into as many as `factors` says, per axis."""
        steps = tuple(step / factor for step, factor in zip(self.steps, factors, strict=True))
        start = tuple(at - (old - new) / 2 for at, old, new in zip(self.start, self.steps, steps, strict=True))
        x, y, z = (size * factor for size, factor in zip(self.shape, factors, strict=True))
        return Box((start[0], start[1], start[2]), (steps[0], steps[1], steps[2]), (x, y, z))

    def layers(self, first: int, last: int) -> "Box":
        """Its slices `first` to `last`, last excluded, along the third axis."""
        x, y, z = self.start
        return replace(
            self, start=(x, y, z + first * self.steps[2]), shape=(*self.shape[:2], min(last, self.shape[2]) - first)
        )
