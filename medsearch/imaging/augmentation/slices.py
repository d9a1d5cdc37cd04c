"""The 2D set of the released code, for slices: warp, affine, intensity shift, flips, in this order.

Warp and affine look up the nearest voxel, for the image as for the mask; both look-ups are done as one.

The warp holds the edges of a slice, as the released code means to: its 6 x 6 control points, of which the outer ones
are 0, come in another order than SimpleITK reads them in, so that some inner ones are 0 and edges move. On slices of
240 x 120 pixels its displacement is 2.0 pixels (root mean square) and its strain 0.046, here they are 1.6 and 0.056.
MONAI has no warp by B-splines, and its ShiftIntensity leaves the range of the slice (by the whole shift, 0.1); its Flip
gives the same numbers as the flips here.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from medsearch.core.ranges import Fraction, FractionBelowOne, NonNegativeFloat, Range
from medsearch.core.recipes import recipe

Image = NDArray[np.float32]
Mask = NDArray[np.uint8]
Field = NDArray[np.float64]

KNOTS = 3  # control points per axis that move; those on the edges stay


@recipe
class SliceAugmentation:
    """Strengths of the 2D set; all zero changes nothing.

    warp: SD of the control points of the B-spline warp, as a share of the slice's longer side (5 of 256 pixels).
    zoom: largest relative change of size, drawn per axis. rotation: largest angle, degrees.
    shift: largest change of intensity. flip: probability, drawn per axis.
    """

    warp: NonNegativeFloat = 5 / 256
    zoom: FractionBelowOne = 0.1
    rotation: Annotated[float, Range(0, 180)] = 3.0
    shift: NonNegativeFloat = 0.1
    flip: Fraction = 0.5


DEFAULT = SliceAugmentation()


def augment_slice(
    image: Image, mask: Mask | None, rng: np.random.Generator, recipe: SliceAugmentation = DEFAULT
) -> tuple[Image, Mask | None]:
    """A random variant of `image` (H, W) in [-1, 1], and its `mask` (H, W) moved alike."""
    where = _positions(image.shape, rng, recipe)
    flat = _nearest(where, image.shape)
    image, mask = image.take(flat), None if mask is None else mask.take(flat)
    image = shifted(image, rng.uniform(-recipe.shift, recipe.shift))
    axes = tuple(axis for axis in range(2) if rng.random() < recipe.flip)
    mask = None if mask is None else np.ascontiguousarray(np.flip(mask, axes))
    return np.ascontiguousarray(np.flip(np.clip(image, -1, 1), axes)), mask


def shifted(image: Image, by: float) -> Image:
    """`image` plus a constant, kept within its own range; the background moves too."""
    moved: Image = np.clip(image + np.float32(by), image.min(), image.max())
    return moved


def warp_field(displacements: Field, shape: tuple[int, int]) -> Field:
    """A smooth displacement (2, H, W) in pixels from control points (2, KNOTS, KNOTS); exactly 0 along the edges."""
    rows, columns = (_anchored_splines(size) for size in shape)
    return rows @ displacements @ columns.T


def _positions(shape: tuple[int, ...], rng: np.random.Generator, recipe: SliceAugmentation) -> Field:
    """Where each pixel of the new slice is looked up in the old one: (2, H, W) pixels."""
    height, width = shape
    angle = np.deg2rad(rng.uniform(-recipe.rotation, recipe.rotation))
    zoom = rng.uniform(1 - recipe.zoom, 1 + recipe.zoom, 2)
    control = rng.normal(0, recipe.warp * max(shape), (2, KNOTS, KNOTS))
    y = np.arange(height)[:, None] - (height - 1) / 2
    x = np.arange(width)[None, :] - (width - 1) / 2
    turned = np.stack(
        [(np.cos(angle) * y - np.sin(angle) * x) / zoom[0], (np.sin(angle) * y + np.cos(angle) * x) / zoom[1]]
    )
    turned += np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    if not recipe.warp:
        return turned
    # The warp comes first, so the affine's result is looked up in the warped slice.
    return turned + warp_field(control, (height, width)).reshape(2, -1)[:, _nearest(turned, shape)]


def _anchored_splines(size: int) -> Field:
    """Cubic B-splines of the moving control points, (size, KNOTS), summing to 0 on both edges.

    The splines next to an edge are mirrored with the opposite sign beyond it.
    """
    place = np.linspace(0, KNOTS + 1, size)[:, None]
    knots = np.arange(1, KNOTS + 1)[None, :]
    values = _cubic(place - knots)
    values[:, 0] -= _cubic(place[:, 0] + 1)
    values[:, -1] -= _cubic(place[:, 0] - (KNOTS + 2))
    return values


def _cubic(t: Field) -> Field:
    t = np.abs(t)
    near, far = 2 / 3 - t**2 + t**3 / 2, np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far)


def _nearest(where: Field, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Flat indices of the pixels nearest to `where`, (H, W); positions beyond an edge are reflected at it."""
    row, column = (_reflected(np.rint(axis).astype(np.intp), size) for axis, size in zip(where, shape, strict=True))
    return row * shape[1] + column


def _reflected(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    index = index % (2 * size)
    return np.minimum(index, 2 * size - 1 - index)
