"""How near a synthesised volume comes to the real one: MSE, PSNR, SSIM, and MAE in HU.

Volumes are stacks (Z, Y, X) of axial slices, normalised to [-1, 1] by the task's HU window, so the data range is 2. A
volume's score is the mean over its slices, background included; a function whose convention is another says so in its
name. SSIM and PSNR depend on the range and SSIM on where its zero lies (the same pair on [0, 1] at range 1 scores
higher), hence every table prints the `*_FORM` of what it shows.

The PSNR of a slice that equals the real one has no bound, and one such slice (air above air, say) would make the mean
infinite. So `psnr_of_slices` is over the slices that differ, `identical_slices` counts the others, and None stands for
a volume in which none differ, as everywhere for what is undefined; such cases are counted beside the mean.
"""

from collections.abc import Callable, Iterator
from functools import partial
from math import log10
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput

Volume = NDArray[np.generic]
Slice = NDArray[np.float64]

DATA_RANGE = 2.0
K1, K2 = 0.01, 0.03  # Wang et al. 2004, as both libraries
UNIFORM_WIDTH = 7
GAUSSIAN_SIGMA, GAUSSIAN_RADIUS = 1.5, 5

_PLACE = "intensities on [−1, 1], mean over a volume's axial slices"
MSE_FORM = f"MSE: {_PLACE}"
PSNR_SLICES_FORM = f"PSNR: dB at data range 2 of each slice, {_PLACE}; slices equal to the real ones left out"
PSNR_VOLUME_FORM = "PSNR: dB at data range 2 of the volume's MSE, intensities on [−1, 1]"
SSIM_UNIFORM_FORM = f"SSIM: 7 × 7 uniform window, sample covariance, 3 px border left out, data range 2, {_PLACE}"
SSIM_GAUSSIAN_FORM = f"SSIM: 11 × 11 Gaussian window, σ = 1.5, 5 px border left out, data range 2, {_PLACE}"
MAE_HU_FORM = "MAE: HU, both volumes clipped to the window of the task, mean over a volume's axial slices"


def mse(prediction: Volume, truth: Volume) -> float:
    """Mean squared error on [-1, 1], in [0, 4]; a volume's is the mean of its slices'.

    Raises:
        BadInput: The two differ in shape, or are no stacks of slices.
    """
    return fmean(_errors(prediction, truth))


def psnr_of_slices(prediction: Volume, truth: Volume) -> float | None:
    """Mean of the slices' peak signal-to-noise ratios, dB, over those that differ; None where none does.

    Raises:
        BadInput: As `mse`.
    """
    ratios = [_decibels(error) for error in _errors(prediction, truth) if error]
    return fmean(ratios) if ratios else None


def psnr_of_volume(prediction: Volume, truth: Volume) -> float | None:
    """Peak signal-to-noise ratio of the whole volume's MSE, dB; None where the two are equal.

    Where all slices differ it is never above `psnr_of_slices`, and equals it where all have the same error.

    Raises:
        BadInput: As `mse`.
    """
    error = mse(prediction, truth)
    return _decibels(error) if error else None


def identical_slices(prediction: Volume, truth: Volume) -> int:
    """How many slices equal the real ones, which `psnr_of_slices` leaves out.

    Raises:
        BadInput: As `mse`.
    """
    return _errors(prediction, truth).count(0)


def ssim_uniform(prediction: Volume, truth: Volume) -> float:
    """Structural similarity as scikit-image computes it by default, slice by slice, in [-1, 1].

    Raises:
        BadInput: As `mse`; or slices are smaller than the window.
    """
    from scipy.ndimage import uniform_filter

    pixels, smooth = UNIFORM_WIDTH**2, partial(uniform_filter, size=UNIFORM_WIDTH)
    pairs = _slices(prediction, truth, least=UNIFORM_WIDTH)
    unbiased, border = pixels / (pixels - 1), UNIFORM_WIDTH // 2
    return fmean(_ssim(*pair, smooth=smooth, unbiased=unbiased, border=border) for pair in pairs)


def ssim_gaussian(prediction: Volume, truth: Volume) -> float:
    """Structural similarity of Wang et al. 2004, which is MONAI's default, slice by slice, in [-1, 1].

    Raises:
        BadInput: As `mse`; or slices are smaller than the window.
    """
    from scipy.ndimage import gaussian_filter

    smooth = partial(gaussian_filter, sigma=GAUSSIAN_SIGMA, radius=GAUSSIAN_RADIUS)
    pairs = _slices(prediction, truth, least=2 * GAUSSIAN_RADIUS + 1)
    return fmean(_ssim(*pair, smooth=smooth, unbiased=1.0, border=GAUSSIAN_RADIUS) for pair in pairs)


def mae_hu(prediction: Volume, truth: Volume, *, window: tuple[float, float]) -> float:
    """Mean absolute error, HU, of volumes on [-1, 1] that stand for the HU of `window` (lowest, highest).

    Raises:
        BadInput: As `mse`.
    """
    lowest, highest = window
    error = fmean(float(np.abs(one - other).mean()) for one, other in _slices(prediction, truth))
    return error * (highest - lowest) / DATA_RANGE


def _errors(prediction: Volume, truth: Volume) -> list[float]:
    """The mean squared error of every axial slice, in order."""
    return [float(np.square(one - other).mean()) for one, other in _slices(prediction, truth)]


def _decibels(error: float) -> float:
    return 10 * (log10(DATA_RANGE**2) - log10(error))


def _ssim(one: Slice, other: Slice, *, smooth: Callable[[Slice], Slice], unbiased: float, border: int) -> float:
    """SSIM of a slice without the `border` in which windows leave it; `unbiased` multiplies (co)variances."""
    mean, other_mean = smooth(one), smooth(other)
    variance, other_variance, covariance = (
        unbiased * (smooth(product) - of_means)
        for product, of_means in (
            (one * one, mean * mean),
            (other * other, other_mean * other_mean),
            (one * other, mean * other_mean),
        )
    )
    c1, c2 = (K1 * DATA_RANGE) ** 2, (K2 * DATA_RANGE) ** 2
    likeness = (2 * mean * other_mean + c1) * (2 * covariance + c2)
    most = (mean * mean + other_mean * other_mean + c1) * (variance + other_variance + c2)
    inner = slice(border, -border)
    return float((likeness / most)[inner, inner].mean())


def _slices(prediction: Volume, truth: Volume, *, least: int = 1) -> Iterator[tuple[Slice, Slice]]:
    """Pairs of slices in double precision, one after the other; refused before the first."""
    if prediction.shape != truth.shape:
        msg = f"synthesised {prediction.shape} and real {truth.shape} lie on different grids; place both on one"
        raise BadInput(msg)
    if truth.ndim != 3 or not truth.size:
        msg = f"shape {truth.shape} is no stack (Z, Y, X) of axial slices; give volumes whose first axis counts slices"
        raise BadInput(msg)
    if min(truth.shape[1:]) < least:
        size = " × ".join(str(side) for side in truth.shape[1:])
        msg = f"slices of {size} px are smaller than SSIM's window of {least} × {least}; raise geometry.slice_size"
        raise BadInput(msg)
    return ((np.asarray(one, float), np.asarray(other, float)) for one, other in zip(prediction, truth, strict=True))
