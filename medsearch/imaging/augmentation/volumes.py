"""The 3D set of the released code, for half-brain crops: nnU-Net's of batchgenerators, without elastic deformation.

Rotation and scale, noise, blur, brightness, contrast, low resolution, inverted gamma, gamma, mirror, in this order.
Never mirrored left to right: a half keeps its side.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from medsearch.core.ranges import Fraction, NonNegativeFloat, PositiveFloat, Range, Rising
from medsearch.core.recipes import recipe
from medsearch.imaging.augmentation import intensities

Image = NDArray[np.float32]
Mask = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Span = Annotated[tuple[PositiveFloat, PositiveFloat], Rising()]
Amounts = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], Rising()]

MIRRORED = (0, 1)  # z and y


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
    from scipy import ndimage

    result: Image = ndimage.affine_transform(image, matrix, _offset(image.shape, matrix), order=3, mode="constant")
    return result


def moved_mask(mask: Mask, matrix: Matrix) -> Mask:
    """`mask` moved as `moved` does an image: the nearest voxel, background beyond the edges."""
    from scipy import ndimage

    result: Mask = ndimage.affine_transform(mask, matrix, _offset(mask.shape, matrix), order=0, mode="constant")
    return result


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
    if rng.random() < r.p_noise:
        image = intensities.noisy(image, rng.uniform(*r.noise), rng)
    if rng.random() < r.p_blur:
        image = intensities.blurred(image, rng.uniform(*r.blur))
    if rng.random() < r.p_brightness:
        image = intensities.brightened(image, rng.uniform(*r.brightness))
    if rng.random() < r.p_contrast:
        image = intensities.stretched(image, _about_one(r.contrast, rng))
    if rng.random() < r.p_low_resolution:
        image = intensities.coarsened(image, rng.uniform(*r.low_resolution))
    if rng.random() < r.p_inverted_gamma:
        image = intensities.bent(image, _about_one(r.gamma, rng), inverted=True)
    if rng.random() < r.p_gamma:
        image = intensities.bent(image, _about_one(r.gamma, rng))
    return image


def _about_one(span: Span, rng: np.random.Generator) -> float:
    """Below 1 as often as above, whatever the range's middle."""
    low, high = span
    return rng.uniform(low, min(1.0, high)) if rng.random() < 0.5 and low < 1 else rng.uniform(max(1.0, low), high)


def _offset(shape: tuple[int, ...], matrix: Matrix) -> Matrix:
    centre = (np.array(shape) - 1) / 2
    return np.asarray(centre - matrix @ centre, dtype=np.float64)
