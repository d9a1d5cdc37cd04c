"""Average symmetric surface distance, in millimetres.

A surface voxel has a face neighbour outside the mask, or lies on the border of the image. Two forms are in use:
"pooled", the mean over the surface points of both masks together (medpy 0.5, MONAI), and "directed", the mean of the
two one-way means (medpy 0.4, with which CrossMoDA was scored). They differ, so a table names its form.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput

Mask = NDArray[np.generic]
Marked = NDArray[np.bool_]


def assd(
    prediction: Mask,
    truth: Mask,
    spacing: float | Sequence[float],
    *,
    form: Literal["pooled", "directed"] = "pooled",
    missed: float | None = None,
) -> float | None:
    """Average symmetric surface distance, mm; `spacing` is the voxel size along the arrays' own axes.

    Both masks empty: 0. Only the prediction empty: `missed`, which by default leaves it undefined (CrossMoDA takes
    350 mm). Only the truth empty: undefined. None means undefined; such cases are counted beside the mean.
    """
    if prediction.shape != truth.shape:
        msg = f"prediction {prediction.shape} and truth {truth.shape} lie on different grids; place both in one volume"
        raise BadInput(msg)
    found, marked = prediction != 0, truth != 0
    if not (found.any() and marked.any()):
        return _without_surface(empty_prediction=not found.any(), empty_truth=not marked.any(), missed=missed)
    there, back = surface_distances(found, marked, spacing)
    if form == "directed":
        return float((there.mean() + back.mean()) / 2)
    return float(np.concatenate([there, back]).mean())


def surface_distances(
    one: Marked, other: Marked, spacing: float | Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The distance of every surface voxel of each mask to the other's surface, mm; neither may be empty."""
    from scipy import ndimage

    around = _around(one | other)  # nothing outside can be nearest, and a tumour is a small part of a head
    one, other = surface(one[around]), surface(other[around])
    to_one = ndimage.distance_transform_edt(~one, sampling=spacing)
    to_other = ndimage.distance_transform_edt(~other, sampling=spacing)
    return to_other[one], to_one[other]


def surface(mask: Marked) -> Marked:
    """The voxels of a mask with a face neighbour that is not, or that is beyond the image."""
    from scipy import ndimage

    edge: Marked = mask & ~ndimage.binary_erosion(mask)
    return edge


def _without_surface(*, empty_prediction: bool, empty_truth: bool, missed: float | None) -> float | None:
    if empty_prediction and empty_truth:
        return 0.0
    return missed if empty_prediction else None


def _around(where: Marked) -> tuple[slice, ...]:
    """The smallest box of slices that holds every True."""
    sides = []
    for axis in range(where.ndim):
        hit = np.flatnonzero(where.any(axis=tuple(other for other in range(where.ndim) if other != axis)))
        sides.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(sides)
