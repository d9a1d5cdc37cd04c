"""Smooth random fields that do not depend on the grid on which they are looked at.

Cubic B-splines with random coefficients: the same subject can be drawn at any voxel size.
"""

from dataclasses import dataclass

import numpy as np

from medsearch.data.phantoms.grids import Array

_LOW_MM = (-100.0, -136.0, -93.0)
_HIGH_MM = (100.0, 108.0, 104.0)
_STEP_PER_SIGMA = 3**0.5
"""A cubic B-spline with knots h apart has the variance h^2 / 3."""
_POWER = (151 / 315) ** 1.5
"""Root mean square of a field with coefficients of variance one: the integral of the squared B-spline, per axis."""


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A random field over the head with mean 0, SD 1, smooth like white noise behind a Gaussian of `sigma` mm."""

    sigma: float
    coefficients: Array

    @classmethod
    def draw(cls, rng: np.random.Generator, sigma: float) -> "SmoothField":
        """A field drawn from `rng`."""
        step = sigma * _STEP_PER_SIGMA
        knots = [int(np.ceil((high - low) / step)) + 4 for low, high in zip(_LOW_MM, _HIGH_MM, strict=True)]
        return cls(sigma, (rng.standard_normal(knots) / _POWER).astype(np.float32))

    def on(self, axes: tuple[Array, Array, Array]) -> Array:
        """The field at head coordinates (mm) given per axis: (x, y, z)."""
        step = self.sigma * _STEP_PER_SIGMA
        field = self.coefficients
        for axis in (2, 1, 0):
            weights = _weights((axes[axis] - _LOW_MM[axis]) / step, self.coefficients.shape[axis])
            field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
        return field


def _weights(positions: Array, knots: int) -> Array:
    """The B-spline weight of every knot at every position (in knot steps): (positions, knots)."""
    distance = np.abs(positions[:, None] - (np.arange(knots) - 1)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)
