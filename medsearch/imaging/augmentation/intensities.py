"""What the 3D set does to intensities: pure functions of an image (Z, Y, X) and a strength.

They follow the nnU-Net set of batchgenerators, which the released code uses; statistics include the background.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

TINY = 1e-7


def noisy(image: Image, sd: float, rng: np.random.Generator) -> Image:
    """Gaussian noise of standard deviation `sd` on every voxel; no-op at 0."""
    return image + np.float32(sd) * rng.standard_normal(image.shape, dtype=np.float32)


def blurred(image: Image, sigma: float) -> Image:
    """Gaussian smoothing, `sigma` in voxels; no-op at 0."""
    from scipy import ndimage

    smooth: Image = ndimage.gaussian_filter(image, sigma)
    return smooth


def brightened(image: Image, factor: float) -> Image:
    """Intensities times `factor`; no-op at 1."""
    brighter: Image = image * np.float32(factor)
    return brighter


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
