"""Made-up abdomens: an ellipsoid with organs, cut into slices, under an affine of the body and in two contrasts."""

import numpy as np
from numpy.typing import NDArray

from medsearch.methods.ssbr_cyclegan.selection import Patient

Array = NDArray[np.floating]
SIDE, LENGTH = 300.0, 300.0
"""Of the field of view, mm."""


def organs(seed: int = 0) -> list[tuple[Array, float, float, float]]:
    """Centres, radii (mm), and both contrasts' values."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform((-110, -55, -70), (110, 55, 70), (24, 3))
    return [(centre, *rng.uniform((14, -0.6, -0.6), (30, 0.9, 0.9))) for centre in centres]


def body_at(places: Array, contrast: int = 0) -> Array:
    """Values in [-1, 1] at places (3, ...): z downwards, y and x from the middle, mm."""
    z, y, x = places
    inside = (y / 80) ** 2 + (x / (100 + 15 * np.sin(z / 40))) ** 2 < 1
    values = np.where(inside, 0.05 - 0.15 * contrast, -1.0)
    for centre, radius, *levels in organs():
        apart = np.sqrt(sum((axis - of) ** 2 for axis, of in zip(places, centre, strict=True)))
        values = np.where(inside, values + (levels[contrast] - values) / (1 + np.exp((apart - radius) / 2)), values)
    return np.clip(values, -1, 1)


def patient(
    name: str, slices: int, side: int, *, moved: Array | None = None, contrast: int = 0, length: float = LENGTH
) -> Patient:
    """A region of `length` mm; `moved` (3, 4) takes its places, in (z, y, x) from its middle, to those of the body."""
    spacing = (length / slices, SIDE / side, SIDE / side)
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip((slices, side, side), spacing, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"))
    if moved is not None:
        places = np.einsum("ij,j...->i...", moved[:, :3], places) + moved[:, 3].reshape(3, 1, 1, 1)
    values = body_at(places, contrast)
    noise = np.random.default_rng(len(name)).normal(0, 0.02, values.shape)
    return Patient(name, np.clip(values + noise, -1, 1).astype(np.float32), spacing)
