"""Where a registration begins: two volumes' edges, which say in any contrast where skin, skull and brain end.

Edges are the gradients' magnitudes of smoothed volumes. Unlike mutual information they have no far optimum in which two
slabs of a head hardly overlap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import SimpleITK as sitk  # noqa: N813

Matrix = NDArray[np.float64]  # (4, 4)

LEAST_OVERLAP = 0.5
_SMOOTHING_MM, _SHRINK = 2.5, 2
_UP_MM, _BACK_MM = range(-36, 37, 6), (-12, 0, 12)
_STARTS = 2
_EVERY = 3  # edges are compared at every so many voxels


def edges_of(image: "sitk.Image") -> "sitk.Image":
    """The magnitude of the gradient, at half the resolution."""
    import SimpleITK as sitk  # noqa: N813

    return sitk.BinShrink(sitk.GradientMagnitudeRecursiveGaussian(image, _SMOOTHING_MM), [_SHRINK] * 3)


def probed(affine: Callable[[tuple[float, ...]], Sequence[float]]) -> Matrix:
    """The matrix of a function of points that is affine."""
    origin, *ends = (np.array(affine(tuple(point))) for point in np.vstack([np.zeros(3), np.eye(3)]))
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([end - origin for end in ends], axis=1)
    matrix[:3, 3] = origin
    return matrix


def matched(fixed: "sitk.Image", transform: "sitk.Transform", moving: "sitk.Image") -> Matrix:
    """From voxels (x, y, z) of one volume to voxels of the other."""
    return (
        np.linalg.inv(probed(moving.TransformContinuousIndexToPhysicalPoint))
        @ probed(transform.TransformPoint)
        @ probed(fixed.TransformContinuousIndexToPhysicalPoint)
    )


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of two volumes, and how well they fall on each other under a transform from the first to the second."""

    fixed: "sitk.Image"
    moving: "sitk.Image"

    def starts(self) -> "list[sitk.Euler3DTransform]":
        """The best of many shifts along the body and from front to back, where fields of view differ most."""
        import SimpleITK as sitk  # noqa: N813

        kinds = sitk.CenteredTransformInitializerFilter
        tried = []
        for kind in (kinds.GEOMETRY, kinds.MOMENTS):  # the middles of the fields of view, or of what they show
            middle = sitk.CenteredTransformInitializer(self.fixed, self.moving, sitk.Euler3DTransform(), kind)
            for up, back in product(_UP_MM, _BACK_MM):
                start = sitk.Euler3DTransform(middle)
                start.SetTranslation(np.add(start.GetTranslation(), (0, back, up)).tolist())
                tried.append(start)
        return sorted(tried, key=self.score, reverse=True)[:_STARTS]

    def score(self, transform: "sitk.Transform") -> float:
        """Squared correlation, less where less overlaps: on a thin slice of air any two volumes agree."""
        seen = self._seen(transform)
        inside = np.isfinite(seen)
        if inside.mean() < LEAST_OVERLAP:
            return -1.0
        return float(inside.mean() * np.corrcoef(self._probes[1][inside], seen[inside])[0, 1] ** 2)

    def overlap(self, transform: "sitk.Transform") -> float:
        """The share of the first volume that lies within the second."""
        return float(np.isfinite(self._seen(transform)).mean())

    def _seen(self, transform: "sitk.Transform") -> NDArray[np.float64]:
        """The second volume where the probes of the first lie in it; NaN outside."""
        from scipy import ndimage

        there = matched(self.fixed, transform, self.moving)
        at = there[:3, :3] @ self._probes[0] + there[:3, 3:]
        seen: NDArray[np.float64] = ndimage.map_coordinates(self._moving, at, order=1, cval=np.nan)
        return seen

    @cached_property
    def _probes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Indices (x, y, z) of every so many voxels of the first volume, (3, n), and its values there."""
        values = _array(self.fixed)
        at = np.stack(np.meshgrid(*(np.arange(0, size, _EVERY) for size in values.shape), indexing="ij")).reshape(3, -1)
        return at.astype(np.float64), values[tuple(at)]

    @cached_property
    def _moving(self) -> NDArray[np.float64]:
        return _array(self.moving)


def _array(image: "sitk.Image") -> NDArray[np.float64]:
    import SimpleITK as sitk  # noqa: N813

    array: NDArray[np.float64] = sitk.GetArrayFromImage(image).T.astype(np.float64)
    return array
