"""The sizes that a method sees, and where it looks in a volume: padded slices, half-brain crops, and the way back.

`Geometry` is of volumes on one grid, `AxialGeometry` of stacks of axial slices, each on a grid of its own.

Arrays are indexed (z, y, x). An image and its mask go through the same windows, so they cannot come apart
(the released code cuts masks one slice off its images). Windows may reach beyond the volume: what lies there is 0,
the background, and is dropped on the way back.
"""

from typing import Annotated, TypeVar

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.core.ranges import HounsfieldUnits, NonNegativeInt, PositiveFloat, PositiveInt, Range
from medsearch.core.recipes import recipe

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # (low, high) per axis z, y, x; high excluded
Shape = tuple[int, int, int]  # voxels along z, y and x
Voxel = tuple[int, int, int]  # (z, y, x); negative before the first of the grid
Spacing = tuple[float, float, float]  # voxel size along z, y and x, mm
Scalar = TypeVar("Scalar", bound=np.generic)


@recipe
class Geometry:
    """The sizes that a method sees (thesis section 5.5.1; released code where it is silent).

    spacing: voxel size along z, y and x, mm.
    slice_size: side of the square that axial slices are zero-padded to, voxels (a multiple of the ViT's 16).
    depth: the axial slices in use, first included, last excluded.
    crop: (z, y, x) of one half of the brain, voxels.
    """

    spacing: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0)
    slice_size: PositiveInt = 256
    depth: tuple[NonNegativeInt, NonNegativeInt] = (30, 126)
    crop: tuple[PositiveInt, PositiveInt, PositiveInt] = (96, 160, 64)

    def __post_init__(self) -> None:
        """Refuse a depth that holds no slice.

        Raises:
            BadInput: it ends where it begins, or before.
        """
        if not self.depth[0] < self.depth[1]:
            msg = f"geometry {self} has no slice; depth is (first, last + 1), depth[0] < depth[1]"
            raise BadInput(msg)

    @property
    def finest_voxel(self) -> float:
        """The shortest edge of a voxel, mm."""
        return min(self.spacing)


FIELD_OF_VIEW = 432.0
"""Width of a slice that holds a grown body, mm."""
MULTIPLE = 4
"""Generators halve a slice twice."""


@recipe
class AxialGeometry:
    """What becomes of a CT slice before a network sees it.

    slice_size: the side to which square slices are resized, pixels (paper 000, section 3: 512 to 128).
    window: the HU that become -1 and 1; what lies beyond is cut off. Paper 000 states none: air to dense bone.
    """

    slice_size: Annotated[int, Range(MULTIPLE, step=MULTIPLE)] = 128
    window: tuple[HounsfieldUnits, HounsfieldUnits] = (-1000.0, 1000.0)

    def __post_init__(self) -> None:
        """Refuse a window that holds no value.

        Raises:
            BadInput: it ends where it begins, or below.
        """
        if not self.window[0] < self.window[1]:
            msg = f"geometry {self}: the window is (low, high) in HU, low < high"
            raise BadInput(msg)

    @property
    def finest_voxel(self) -> float:
        """The edge of a pixel where a slice is as wide as a body needs, mm."""
        return FIELD_OF_VIEW / self.slice_size


SCALES = ("tiny", "small", "paper")
"""The sizes in which every layout, and every method, exists."""


def padded_slices(volume: NDArray[Scalar], g: Geometry) -> NDArray[Scalar]:
    """The axial slices of `g.depth`, centred in squares: (Z, Y, X) -> (D, S, S)."""
    size = g.depth[1] - g.depth[0], g.slice_size, g.slice_size
    return _cut(volume, _slice_start(volume.shape, g), size)


def unpad_slices(slices: NDArray[Scalar], shape: Shape, g: Geometry) -> NDArray[Scalar]:
    """Slices back in their volume: (D, S, S) -> (Z, Y, X); 0 outside the depth range."""
    return _paste(np.zeros(shape, slices.dtype), slices, _slice_start(shape, g))


def halves(volume: NDArray[Scalar], g: Geometry, box: Box) -> NDArray[Scalar]:
    """Both half-brain crops: (Z, Y, X) -> (2, *g.crop), side 0 at low x, neither mirrored.

    The columns next to the midline on each side, the rows centred on the brain's `box`, the slices of `g.depth`.
    """
    return np.stack([_cut(volume, start, g.crop) for start in half_starts(volume.shape, g, box)])


def place_halves(crops: NDArray[Scalar], shape: Shape, g: Geometry, box: Box) -> NDArray[Scalar]:
    """Two crops back in their volume: (2, *g.crop) -> (Z, Y, X); 0 outside them. Undoes `halves` inside the crops."""
    whole = np.zeros(shape, crops.dtype)
    for crop, start in zip(crops, half_starts(shape, g, box), strict=True):
        _paste(whole, crop, start)
    return whole


def half_starts(shape: tuple[int, ...], g: Geometry, box: Box) -> tuple[Voxel, Voxel]:
    """The first voxel (z, y, x) of the low-x and of the high-x crop; negative where a crop reaches beyond."""
    deep, high, wide = g.crop
    z = g.depth[0] + (g.depth[1] - g.depth[0] - deep) // 2
    y = sum(box[1]) // 2 - high // 2
    spare = shape[1] - high
    y = spare // 2 if spare < 0 else min(max(y, 0), spare)  # a crop that fits stays inside: no row is wasted
    middle = shape[2] // 2
    return (z, y, middle - wide), (z, y, middle)


def outside_crops(mask: NDArray[Scalar], g: Geometry, box: Box) -> int:
    """How many mask voxels neither crop holds: tumour that a network cannot find, to be stated with its score."""
    return int(np.count_nonzero(mask) - np.count_nonzero(halves(mask, g, box)))


def presence(mask: NDArray[Scalar]) -> tuple[bool, bool]:
    """Whether any voxel is marked left and right of the midline (low x, high x), over all slices (section 5.5.1)."""
    middle = mask.shape[2] // 2
    return bool(mask[..., :middle].any()), bool(mask[..., middle:].any())


def bounding_box(where: NDArray[np.bool_]) -> Box:
    """The smallest box that holds every True; the whole grid when there is none."""
    sides = []
    for axis, size in enumerate(where.shape):
        hit = np.flatnonzero(where.any(axis=tuple(other for other in range(3) if other != axis)))
        sides.append((int(hit[0]), int(hit[-1]) + 1) if hit.size else (0, size))
    return sides[0], sides[1], sides[2]


def _slice_start(shape: tuple[int, ...], g: Geometry) -> Voxel:
    return g.depth[0], (shape[1] - g.slice_size) // 2, (shape[2] - g.slice_size) // 2


def _cut(volume: NDArray[Scalar], start: Voxel, size: Shape) -> NDArray[Scalar]:
    window = np.zeros(size, volume.dtype)
    inside, within = _overlap(volume.shape, start, size)
    window[within] = volume[inside]
    return window


def _paste(whole: NDArray[Scalar], window: NDArray[Scalar], start: Voxel) -> NDArray[Scalar]:
    inside, within = _overlap(whole.shape, start, window.shape)
    whole[inside] = window[within]
    return whole


def _overlap(
    shape: tuple[int, ...], start: Voxel, size: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The part that volume and window share, in the volume's and in the window's own indices."""
    inside, within = [], []
    for extent, first, length in zip(shape, start, size, strict=True):
        low = min(max(first, 0), extent)
        high = max(min(first + length, extent), low)
        inside.append(slice(low, high))
        within.append(slice(low - first, high - first) if high > low else slice(0, 0))
    return tuple(inside), tuple(within)
