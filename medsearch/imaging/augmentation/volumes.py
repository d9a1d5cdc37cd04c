"""The 3D set of the released code, for half-brain crops: nnU-Net's of batchgenerators, without elastic deformation.

Rotation and scale, noise, blur, brightness, contrast, low resolution, inverted gamma, gamma, mirror, in this order.
Never mirrored left to right: a half keeps its side. Statistics include the background.

MONAI's Affine (splines of order 3), AdjustContrast, ScaleIntensityFixedMean and ScaleIntensity give these numbers to
1e-6; its blur pads with zeros (up to 0.4 apart at an edge, at a sigma of 1), its low resolution comes back linearly and
displaced (0.1 apart in the mean). The transforms here stay: rounding and MONAI's own random stream would move every
number that was trained on augmented crops.
"""

from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.core.ranges import Fraction, NonNegativeFloat, PositiveFloat, Range, Rising
from medsearch.core.recipes import recipe

Image = NDArray[np.float32]
Mask = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Span = Annotated[tuple[PositiveFloat, PositiveFloat], Rising()]
Amounts = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], Rising()]

MIRRORED = (0, 1)  # z and y
TINY = 1e-7


@recipe
class VolumeAugmentation:
    """Probability (`p_`) and range of every transform; blur and low resolution hold one channel's effective ones.

    rotation: largest angle about each axis, degrees. scale: of the look-up, per axis; above 1 the brain shrinks.
    noise: standard deviation; the library calls it variance and uses it as the SD. blur: sigma, voxels.
    """

    p_rotation: Fraction = 0.2
    rotation: Annotated[float, Range(0, 180)] = 30.0
    p_scale: Fraction = 0.2
    scale: Span = (0.7, 1.4)
    p_noise: Fraction = 0.1
    noise: Amounts = (0.0, 0.1)
    p_blur: Fraction = 0.2 * 0.5
    blur: Amounts = (0.5, 1.0)
    p_brightness: Fraction = 0.15
    brightness: Span = (0.75, 1.25)
    p_contrast: Fraction = 0.15
    contrast: Span = (0.75, 1.25)
    p_low_resolution: Fraction = 0.25 * 0.5
    low_resolution: Span = (0.5, 1.0)
    p_inverted_gamma: Fraction = 0.1
    p_gamma: Fraction = 0.3
    gamma: Span = (0.7, 1.5)
    p_mirror: Fraction = 0.5


DEFAULT = VolumeAugmentation()


def augment_volume(
    image: Image, mask: Mask | None, rng: np.random.Generator, recipe: VolumeAugmentation = DEFAULT
) -> tuple[Image, Mask | None]:
    """A random variant of `image` (Z, Y, X) in [-1, 1], and its `mask` (Z, Y, X) moved alike."""
    matrix = _matrix(rng, recipe)
    if matrix is not None:
        image, mask = moved(image, matrix), None if mask is None else moved_mask(mask, matrix)
    image = np.clip(_recoloured(image, rng, recipe), -1, 1)
    axes = tuple(axis for axis in MIRRORED if rng.random() < recipe.p_mirror)
    mask = None if mask is None else np.ascontiguousarray(np.flip(mask, axes))
    return np.ascontiguousarray(np.flip(image, axes)), mask


def moved(image: Image, matrix: Matrix) -> Image:
    """`image` looked up at `matrix` (3, 3) times the position from its centre: cubic splines, 0 beyond the edges."""
    return _looked_up(image, matrix, order=3)


def moved_mask(mask: Mask, matrix: Matrix) -> Mask:
    """`mask` moved as `moved` does an image: the nearest voxel, background beyond the edges."""
    return _looked_up(mask, matrix, order=0)


def rotation(angles: Matrix) -> Matrix:
    """The matrix that turns about z, then y, then x by `angles` (3,), radians."""
    (cz, cy, cx), (sz, sy, sx) = np.cos(angles), np.sin(angles)
    about_z = np.array([[1, 0, 0], [0, cz, -sz], [0, sz, cz]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[cx, -sx, 0], [sx, cx, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z, dtype=np.float64)


def _matrix(rng: np.random.Generator, recipe: VolumeAugmentation) -> Matrix | None:
    """Rotation and scale as one look-up; None when neither is drawn, as for most samples."""
    turns, scales = rng.random() < recipe.p_rotation, rng.random() < recipe.p_scale
    if not (turns or scales):
        return None
    matrix = np.eye(3)
    if turns:
        matrix = rotation(np.deg2rad(rng.uniform(-recipe.rotation, recipe.rotation, 3)))
    if scales:
        matrix = matrix * np.array([_about_one(recipe.scale, rng) for _ in range(3)])[:, None]
    return matrix


def _recoloured(image: Image, rng: np.random.Generator, r: VolumeAugmentation) -> Image:
    """The intensity transforms, each by its own chance."""
    from scipy import ndimage

    if rng.random() < r.p_noise:
        sd = np.float32(rng.uniform(*r.noise))
        image = image + sd * rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < r.p_blur:
        image = ndimage.gaussian_filter(image, rng.uniform(*r.blur))
    if rng.random() < r.p_brightness:
        image = image * np.float32(rng.uniform(*r.brightness))
    if rng.random() < r.p_contrast:
        image = stretched(image, _about_one(r.contrast, rng))
    if rng.random() < r.p_low_resolution:
        image = coarsened(image, rng.uniform(*r.low_resolution))
    if rng.random() < r.p_inverted_gamma:
        image = bent(image, _about_one(r.gamma, rng), inverted=True)
    if rng.random() < r.p_gamma:
        image = bent(image, _about_one(r.gamma, rng))
    return image


def _about_one(span: Span, rng: np.random.Generator) -> float:
    """Below 1 as often as above, whatever the range's middle."""
    low, high = span
    return rng.uniform(low, min(1.0, high)) if rng.random() < 0.5 and low < 1 else rng.uniform(max(1.0, low), high)


def _looked_up(array: NDArray[Any], matrix: Matrix, *, order: Literal[0, 3]) -> NDArray[Any]:
    from scipy import ndimage

    centre = (np.array(array.shape) - 1) / 2
    offset = centre - matrix @ centre
    result: NDArray[Any] = ndimage.affine_transform(array, matrix, offset, order=order, mode="constant")
    return result


def stretched(image: Image, factor: float) -> Image:
    """Contrast about the mean times `factor`, within the image's own range; no-op at 1."""
    mean = image.mean(dtype=np.float64).astype(np.float32)
    wider: Image = np.clip((image - mean) * np.float32(factor) + mean, image.min(), image.max())
    return wider


def coarsened(image: Image, zoom: float) -> Image:
    """Sampled on a grid `zoom` times as fine (nearest voxel), then back by cubic splines; no-op at 1."""
    for axis, size in enumerate(image.shape):
        rows = _there_and_back(size, max(1, round(size * zoom)))
        image = np.moveaxis(np.tensordot(rows, image, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(image)


def bent(image: Image, exponent: float, *, inverted: bool = False) -> Image:
    """Gamma correction over the image's own range, mean and SD kept; no-op at 1. `inverted` bends the negative."""
    if inverted:
        return -bent(-image, exponent)
    low, mean, sd = image.min(), image.mean(dtype=np.float64), image.std(dtype=np.float64)
    reach = image.max() - low
    if reach < TINY:
        return image
    curve = np.power((image - low) / reach, np.float32(exponent)) * reach
    scale = sd / (curve.std(dtype=np.float64) + TINY)
    kept: Image = ((curve - curve.mean(dtype=np.float64)) * scale + mean).astype(np.float32)
    return kept


@lru_cache(maxsize=1024)
def _there_and_back(size: int, fewer: int) -> Image:
    """The linear map of one axis to `fewer` samples and back, (size, size): splines are separable."""
    from scipy import ndimage

    if fewer == size:
        return np.eye(size, dtype=np.float32)
    kept = np.minimum((np.arange(fewer) + 0.5) * size / fewer, size - 1).astype(int)
    place = (np.arange(size) + 0.5) * fewer / size - 0.5
    spread = np.empty((size, fewer))
    for column, unit in enumerate(np.eye(fewer)):
        spread[:, column] = ndimage.map_coordinates(unit, [place], order=3, mode="nearest")
    rows = np.zeros((size, size), np.float32)
    np.add.at(rows.T, kept, spread.T.astype(np.float32))
    return rows
