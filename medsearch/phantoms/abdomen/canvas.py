"""Where shapes are drawn: voxels of a scan, by how far they lie within each shape, in the HU of each contrast.

Places are in mm of LPS: x to the left, y to the back, z up. A shape is painted over what is there; at its edge, one
voxel wide, both are mixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medsearch.phantoms.grids import Array

Point = tuple[float, float, float]
Window = tuple[slice, slice, slice]

_MARGIN_MM, _FAR_MM = 30.0, 1000.0
"""Shapes are sought so far beyond their own reach: the deformation moves them."""


@dataclass(eq=False)
class Canvas:
    """Voxels at `points` (x, y, z of LPS, each (x, y, z) in mm, deformed), and their HU by contrast.

    axes: where they lie before the deformation. hu: the values of the tissues. marks: what was painted under a name.
    """

    axes: tuple[Array, Array, Array]
    points: tuple[Array, Array, Array]
    hu: Mapping[str, Mapping[str, float]]
    images: dict[str, Array] = field(default_factory=dict)
    marks: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = tuple(axis.size for axis in self.axes)
        for contrast, values in self.hu.items():
            self.images[contrast] = np.full(shape, values["gas"], np.float32)

    @property
    def edge(self) -> float:
        """How wide the edge of a shape is, mm."""
        return float(np.abs(self.axes[0][1] - self.axes[0][0]))

    def share(self, depth: npt.NDArray[np.floating]) -> Array:
        """How much of each voxel lies within a shape, by its distance from the surface, mm; negative inside."""
        return np.asarray(np.clip(0.5 - depth / self.edge, 0, 1), dtype=np.float32)

    def window(self, middle: Point, reach: Point) -> Window:
        """The voxels that a shape can touch."""
        found = []
        for axis, at, far in zip(self.axes, middle, reach, strict=True):
            near = np.flatnonzero(np.abs(axis - at) <= far + _MARGIN_MM)
            found.append(slice(int(near[0]), int(near[-1]) + 1) if near.size else slice(0, 0))
        return found[0], found[1], found[2]

    def at(self, window: Window) -> tuple[Array, Array, Array]:
        """The deformed places of the voxels of a window."""
        x, y, z = (points[window] for points in self.points)
        return x, y, z

    def paint(self, tissue: str, share: Array, window: Window | None = None, *, mark: str | None = None) -> None:
        """Lay `share` of a tissue over the window (all of it, if none is given)."""
        inside = window or (slice(None), slice(None), slice(None))
        for contrast, image in self.images.items():
            image[inside] += share * (np.float32(self.hu[contrast][tissue]) - image[inside])
        for name, marked in self.marks.items():
            if name != mark:
                marked[inside] *= 1 - share
        if mark is not None:
            marked = self.marks.setdefault(mark, np.zeros_like(next(iter(self.images.values()))))
            marked[inside] = np.maximum(marked[inside], share)

    def ellipsoid(
        self, tissue: str, middle: Point, radii: Point, *, lean: float = 0.0, mark: str | None = None
    ) -> None:
        """Paint an ellipsoid; `lean` turns it about the axis from front to back, radians."""
        reach = max(radii)
        window = self.window(middle, (reach, radii[1], reach) if lean else radii)
        x, y, z = (points - np.float32(at) for points, at in zip(self.at(window), middle, strict=True))
        c, s = np.float32(np.cos(lean)), np.float32(np.sin(lean))
        x, z = c * x + s * z, c * z - s * x
        away = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2)
        self.paint(tissue, self.share((away - 1) * np.float32(np.prod(radii) ** (1 / 3))), window, mark=mark)

    def tube(self, tissue: str, path: Sequence[Point], radius: float) -> None:
        """Paint a tube along straight pieces from point to point."""
        window, depth, _ = self.along(path, radius)
        self.paint(tissue, self.share(depth), window)

    def along(self, path: Sequence[Point], radius: float) -> tuple[Window, Array, Array]:
        """Of a tube: its window, the distance from its surface, and how far behind its middle a voxel lies, mm."""
        points = np.array(path, np.float32)
        window = self._around(points, radius)
        offsets = [inside.start for inside in window]
        shape = tuple(inside.stop - inside.start for inside in window)
        nearest, behind = np.full(shape, np.float32(_FAR_MM)), np.zeros(shape, np.float32)
        for start, end in pairwise(points):
            part = self._around(np.stack([start, end]), radius)
            x, y, z = self.at(part)
            place = ((x - start[0]) * (end[0] - start[0]) + (y - start[1]) * (end[1] - start[1])) + (z - start[2]) * (
                end[2] - start[2]
            )
            place = np.clip(place / ((end - start) ** 2).sum(), 0, 1)
            off = [at - start[n] - place * (end[n] - start[n]) for n, at in enumerate((x, y, z))]
            distance = np.sqrt(off[0] ** 2 + off[1] ** 2 + off[2] ** 2)
            within = tuple(slice(one.start - at, one.stop - at) for one, at in zip(part, offsets, strict=True))
            closer = distance < nearest[within]
            behind[within] = np.where(closer, off[1], behind[within])
            nearest[within] = np.where(closer, distance, nearest[within])
        return window, nearest - np.float32(radius), behind

    def _around(self, points: Array, radius: float) -> Window:
        low, high = points.min(axis=0) - radius, points.max(axis=0) + radius
        middle, reach = ((low + high) / 2).tolist(), ((high - low) / 2).tolist()
        return self.window((middle[0], middle[1], middle[2]), (reach[0], reach[1], reach[2]))
