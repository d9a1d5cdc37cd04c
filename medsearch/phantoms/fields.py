"""Fields over a head or a trunk: smooth random ones, and depths whose levels bound a body.

A smooth field consists of cubic B-splines with random coefficients and does not depend on the grid on which it is
looked at: the same subject can be drawn at any voxel size. Of a depth, what is less deep than a level is inside.
"""

from dataclasses import dataclass

import numpy as np

from medsearch.phantoms.grids import Array

_LOW_MM = (-100.0, -136.0, -93.0)
_HIGH_MM = (100.0, 108.0, 104.0)
_STEP_PER_SIGMA = 3**0.5
"""A cubic B-spline with knots h apart has the variance h^2 / 3."""
_POWER = (151 / 315) ** 1.5
"""Root mean square of a field with coefficients of variance one: the integral of the squared B-spline, per axis."""


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A random field over the head with mean 0, smooth like white noise behind a Gaussian of `sigma` mm."""

    sigma: float
    coefficients: Array

    @classmethod
    def draw(cls, rng: np.random.Generator, sigma: float, sd: float = 1.0) -> "SmoothField":
        """A field of that smoothness (mm) and standard deviation, its coefficients drawn from `rng`."""
        step = sigma * _STEP_PER_SIGMA
        knots = [int(np.ceil((high - low) / step)) + 4 for low, high in zip(_LOW_MM, _HIGH_MM, strict=True)]
        return cls(sigma, (sd / _POWER * rng.standard_normal(knots)).astype(np.float32))

    def on(self, axes: tuple[Array, Array, Array]) -> Array:
        """The field at head coordinates (mm) given per axis: (x, y, z); beyond the head it goes on as at its edge."""
        step = self.sigma * _STEP_PER_SIGMA
        field = self.coefficients
        for axis in (0, 1, 2):
            inside = np.clip(axes[axis], _LOW_MM[axis], _HIGH_MM[axis])
            field = _along(field, axis, (inside - np.float32(_LOW_MM[axis])) / np.float32(step))
        return field


def _along(field: Array, axis: int, positions: Array) -> Array:
    """The field between its knots: `axis` is replaced by positions, in knot steps from the second knot.

    Written out, as four knots reach each position: a matrix product over all knots costs more, and BLAS threads fight.
    """
    first = np.floor(positions)
    knots = first.astype(np.intp)
    shape = [-1 if other == axis else 1 for other in range(3)]
    parts = [
        np.take(field, knots + number, axis=axis) * _bspline(np.abs(positions - first + 1 - number)).reshape(shape)
        for number in range(4)
    ]
    return np.asarray(sum(parts[1:], start=parts[0]))


def _bspline(distance: Array) -> Array:
    """The cubic B-spline at a distance in knot steps."""
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


_EDGE_MM = 1.5


def inside(depth: Array, below: float) -> Array:
    """One where `depth` is less than `below`, zero where more, with an edge of `_EDGE_MM`."""
    return np.asarray(np.clip((below - depth) / _EDGE_MM + 0.5, 0, 1), dtype=np.float32)


def level(depth: Array, available: Array, voxels: float) -> float:
    """The level of `depth` below which the available shares add up to `voxels` (or all there is)."""
    candidates = np.isfinite(depth) & (available > 0)
    order = np.argsort(depth[candidates])
    filled = np.cumsum(available[candidates][order], dtype=np.float64)
    if not len(filled):
        return -np.inf
    last = min(int(np.searchsorted(filled, voxels)), len(filled) - 1)
    return float(depth[candidates][order[last]])
