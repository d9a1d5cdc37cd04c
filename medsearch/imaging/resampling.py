"""From a file's grid to the grid of a task: axes turned to (z, y, x) of LPS, voxels averaged by area.

LPS (x to the patient's left, y to the back, z up) is the orientation of the BraTS files, where turning does nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.imaging.geometry import Spacing
from medsearch.imaging.image_files import Volume

SAME = 0.01  # spacings closer than this (relative) are one grid
MAJORITY = 0.5


@dataclass(frozen=True)
class Image:
    """One contrast on the task's grid: `values` (Z, Y, X), 0 outside `brain` (Z, Y, X)."""

    values: NDArray[np.float32]
    brain: NDArray[np.bool_]


def image_on_grid(volume: Volume, spacing: Spacing) -> Image:
    """The mean of each new voxel's brain part; brain is where the file is not 0, for at least half of the new voxel.

    Averaging over brain only keeps the rim of a skull-stripped brain from fading into the background.

    Raises:
        BadInput: values that are not finite, or voxels larger than `spacing` (z, y, x; mm).

    """
    values, sizes = finite(volume)
    known = values != 0
    weights = _all_weights(volume, values.shape, sizes, spacing)
    share = averaged(known.astype(np.float32), weights)
    brain = share >= MAJORITY
    mean = np.divide(averaged(values, weights), share, out=np.zeros_like(share), where=brain)
    return Image(mean, brain)


def mask_on_grid(volume: Volume, spacing: Spacing, tumour: Sequence[int]) -> NDArray[np.uint8]:
    """The labels `tumour` by majority: (Z, Y, X) of 0 and 1."""
    values, sizes = upright(volume)
    weights = _all_weights(volume, values.shape, sizes, spacing)
    return (averaged(np.isin(np.rint(values), tumour).astype(np.float32), weights) >= MAJORITY).astype(np.uint8)


def finite(volume: Volume) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """As `upright`, of an image.

    Raises:
        BadInput: values that are not finite.

    """
    values, sizes = upright(volume)
    if not np.isfinite(values).all():
        msg = f"{volume.path}: holds values that are not finite; export it again or exclude the case"
        raise BadInput(msg)
    return values, sizes


def upright(volume: Volume) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """The array as (z, y, x) of LPS, and its voxel sizes in that order, mm. NIfTI's world is RAS."""
    axes = volume.affine[:3, :3]
    sizes = np.linalg.norm(axes, axis=0)
    order: list[int] = []  # of the file's axes: which runs along z, y and x
    for world in (2, 1, 0):
        free = [axis for axis in range(3) if axis not in order]
        order.append(max(free, key=lambda axis: abs(axes[world, axis] / sizes[axis])))
    signs = zip((2, 1, 0), order, (1, -1, -1), strict=True)
    backwards = tuple(place for place, (world, axis, sign) in enumerate(signs) if axes[world, axis] * sign < 0)
    array = np.transpose(np.asarray(volume.array, dtype=np.float32), order)
    return np.flip(array, backwards), tuple(float(sizes[axis]) for axis in order)


def _all_weights(
    volume: Volume, shape: tuple[int, ...], sizes: tuple[float, ...], spacing: Spacing
) -> list[NDArray[np.float32] | None]:
    for edge, wanted in zip(sizes, spacing, strict=True):
        if edge > wanted * (1 + SAME):
            msg = (
                f"{volume.path}: its voxels ({edge:g} mm) are larger than the task's {wanted:g} mm; "
                f"choose a geometry of {edge:g} mm or more (--scale), or finer files"
            )
            raise BadInput(msg)
    return [area_weights(size, wanted / edge) for size, edge, wanted in zip(shape, sizes, spacing, strict=True)]


def area_weights(size: int, ratio: float, *, same: float = SAME) -> NDArray[np.float32] | None:
    """Rows of overlap between new voxels (`ratio` old ones long) and old voxels, each row summing to 1.

    None where the two are one, up to `same` of their length.
    """
    if abs(ratio - 1) <= same:
        return None
    low = np.arange(max(1, round(size / ratio)))[:, None] * ratio
    old = np.arange(size)[None, :]
    overlap = np.clip(np.minimum(low + ratio, old + 1) - np.maximum(low, old), 0, None)
    rows: NDArray[np.float32] = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


def averaged(array: NDArray[np.float32], weights: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    """The weighted means along every axis, (size, ...) -> (rows, ...); None leaves an axis as it is."""
    for axis, rows in enumerate(weights):
        if rows is not None:
            array = np.moveaxis(np.tensordot(rows, array, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(array)
