"""Made-up pairs of a synthesised and a real volume on [-1, 1]: smooth structures, and noise on top."""

import numpy as np
from scipy.ndimage import gaussian_filter

Pair = tuple[np.ndarray, np.ndarray]


def pair(seed: int, *, shape: tuple[int, int, int] = (3, 24, 21), noise: float = 0.1) -> Pair:
    """The synthesised volume and the real one, (Z, Y, X)."""
    rng = np.random.default_rng(seed)
    truth = np.tanh(8 * gaussian_filter(rng.standard_normal(shape), (0, 3, 3)))
    return np.clip(truth + noise * rng.standard_normal(shape), -1, 1), truth


def offsets(*decibels: float, size: int = 16) -> Pair:
    """A volume whose slices are off by a constant, so that each has the PSNR that is asked for."""
    errors = np.array([2 * 10 ** (-asked / 20) for asked in decibels])
    return np.zeros((len(decibels), size, size)) + errors[:, None, None], np.zeros((len(decibels), size, size))
