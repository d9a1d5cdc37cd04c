"""One subject's anatomy: a template under a smooth random deformation of its own."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsearch.phantoms.fields import SmoothField
from medsearch.phantoms.grids import Array, Lattice
from medsearch.phantoms.templates import Template

_SCALE_SD, _TURN_SD_DEGREES, _SHIFT_SD_MM = 0.025, 1.5, 0.7
_WARPS = ((28.0, 3.5), (13.0, 1.5))
"""Scale in mm and SD in mm of the deformation's parts: the shape of the head, and of its convolutions."""
_FOLD_SIGMA_MM, _FOLDING, _SHARPNESS = 3.0, 0.6, 2.5
"""An average brain is cut into one subject's folds: probabilities to a power, times a log-normal field per tissue."""


@dataclass(frozen=True, eq=False)
class Push:
    """Mass effect: tissue around `centre` (head coordinates, mm) moved outward by up to `strength` of its distance."""

    centre: tuple[float, float, float]
    strength: float
    reach: float


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A subject's head: the template, an affine and a smooth deformation, and the noise that folds its cortex."""

    template: Template
    matrix: Array
    shift: Array
    warps: tuple[tuple[SmoothField, SmoothField, SmoothField], ...]
    folds: tuple[SmoothField, ...]

    @classmethod
    def draw(cls, template: Template, rng: np.random.Generator) -> "Anatomy":
        """The head of a subject: `template` under an affine and a deformation that are drawn from `rng`."""
        size = template.scale * np.exp(_SCALE_SD * rng.standard_normal(3))
        matrix = np.diag(1 / size) @ turned(np.deg2rad(_TURN_SD_DEGREES) * rng.standard_normal(3))
        shift = _SHIFT_SD_MM * rng.standard_normal(3)
        warps = tuple(
            (SmoothField.draw(rng, sigma, sd), SmoothField.draw(rng, sigma, sd), SmoothField.draw(rng, sigma, sd))
            for sigma, sd in _WARPS
        )
        folds = tuple(SmoothField.draw(rng, _FOLD_SIGMA_MM, _FOLDING) for _ in range(4)) if template.blurred else ()
        return cls(template, matrix.astype(np.float32), shift.astype(np.float32), warps, folds)

    def on(self, grid: Lattice, push: Push | None = None) -> Array:
        """Partial volumes of the template's tissues (tissue, x, y, z) on `grid`: one in sum inside it, else zero."""
        from scipy import ndimage

        voxels = self.places(grid, push)
        maps = np.zeros((len(self.template.partial_volumes), *grid.shape), dtype=np.float32)
        for number, source in enumerate(self.template.partial_volumes):
            if source.any():
                ndimage.map_coordinates(source, voxels, output=maps[number], order=1, prefilter=False)
        inside = maps.sum(axis=0) > 127
        for number, fold in enumerate(self.folds):
            maps[number] = (maps[number] / 255) ** _SHARPNESS * np.exp(fold.on(grid.axes))
        if self.folds:
            maps[len(self.folds) :] /= 255
        return np.where(inside, maps / np.maximum(maps.sum(axis=0), 1e-6), 0)

    def places(self, grid: Lattice, push: Push | None = None) -> Array:
        """Where in the template each voxel of `grid` comes from: (3, x, y, z) in template voxels."""
        points = [*grid.points()]
        if push is not None:
            outward = [axis - centre for axis, centre in zip(points, push.centre, strict=True)]
            inward = push.strength * np.exp(-sum(axis**2 for axis in outward) / (2 * push.reach**2))
            points = [axis - inward * away for axis, away in zip(points, outward, strict=True)]
        source = [
            sum(self.matrix[row, column] * (points[column] - self.shift[column]) for column in range(3))
            + sum(warp[row].on(grid.axes) for warp in self.warps)
            for row in range(3)
        ]
        to = self.template.to_voxels.astype(np.float32)
        return np.stack([sum(to[row, column] * source[column] for column in range(3)) + to[row, 3] for row in range(3)])


def turned(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The rotation by three angles (radians) about x, y and z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (other for other in range(3) if other != axis)
        part = np.eye(3)
        part[first, first] = part[second, second] = np.cos(angle)
        part[first, second], part[second, first] = -np.sin(angle), np.sin(angle)
        matrix = part @ matrix
    return matrix
