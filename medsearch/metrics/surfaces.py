"""Distances between the surfaces of two masks, in millimetres: their average (ASSD), and the 95 % Hausdorff (HD95).

A surface voxel has a face neighbour outside the mask, or lies on the border of the image. Both come in two forms that
differ, so a table names its own:

            "pooled": all distances, of both masks, together     "directed": one way, then the other
    ASSD    their mean (medpy 0.5, MONAI)                        mean of the two means (medpy 0.4, as CrossMoDA scored)
    HD95    their 95th percentile (medpy)                        larger of the two 95th percentiles (MONAI)

Empty masks, on which libraries raise or return NaN or infinity, are alike in all: both empty 0; only the prediction
`missed`, which by default leaves it undefined (CrossMoDA takes 350 mm); only the truth undefined. None means undefined;
such cases are counted beside the mean.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medsearch.metrics.overlap import Marked, Mask, marked_in

Distances = NDArray[np.float64]
Spacing = float | Sequence[float]
Form = Literal["pooled", "directed"]

HD95_FORMS: Mapping[Form, str] = {
    "pooled": "95th percentile over the surface voxels of both masks together (medpy)",
    "directed": "larger of the two directed 95th percentiles (MONAI)",
}
"""How a table that shows HD95 names it."""


def assd(
    prediction: Mask, truth: Mask, spacing: Spacing, *, form: Form = "pooled", missed: float | None = None
) -> float | None:
    """Average symmetric surface distance, mm; `spacing` is the voxel size along the arrays' own axes.

    Raises:
        BadInput: The masks lie on different grids.
    """

    def average(there: Distances, back: Distances) -> float:
        if form == "directed":
            return float((there.mean() + back.mean()) / 2)
        return float(np.concatenate([there, back]).mean())

    return _scored(prediction, truth, spacing, score=average, missed=missed)


def hd95(
    prediction: Mask, truth: Mask, spacing: Spacing, *, form: Form = "pooled", missed: float | None = None
) -> float | None:
    """95 % Hausdorff distance, mm, interpolated linearly; `spacing` is the voxel size along the arrays' own axes.

    Raises:
        BadInput: The masks lie on different grids.
    """

    def percentile(there: Distances, back: Distances) -> float:
        if form == "directed":
            return float(max(np.percentile(there, 95), np.percentile(back, 95)))
        return float(np.percentile(np.concatenate([there, back]), 95))

    return _scored(prediction, truth, spacing, score=percentile, missed=missed)


def surface_distances(one: Marked, other: Marked, spacing: Spacing) -> tuple[Distances, Distances]:
    """The distance of every surface voxel of each mask to the other's surface, mm; neither may be empty."""
    from scipy import ndimage

    (around,) = ndimage.find_objects(
        (one | other).astype(np.uint8)
    )  # nothing outside can be nearest: a tumour is small
    one, other = surface(one[around]), surface(other[around])
    to_one = ndimage.distance_transform_edt(~one, sampling=spacing)
    to_other = ndimage.distance_transform_edt(~other, sampling=spacing)
    return to_other[one], to_one[other]


def surface(mask: Marked) -> Marked:
    """The voxels of a mask with a face neighbour that is not, or that is beyond the image."""
    from scipy import ndimage

    edge: Marked = mask & ~ndimage.binary_erosion(mask)
    return edge


def _scored(
    prediction: Mask,
    truth: Mask,
    spacing: Spacing,
    *,
    score: Callable[[Distances, Distances], float],
    missed: float | None,
) -> float | None:
    found, marked = marked_in(prediction, truth)
    if found.any() and marked.any():
        return score(*surface_distances(found, marked, spacing))
    if found.any():
        return None
    return missed if marked.any() else 0.0
