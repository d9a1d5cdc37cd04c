"""Back from the prepared grid to a case's own file: where a prediction belongs that others are to read."""

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput
from medsearch.data.edges import Matrix
from medsearch.data.prepared import PreparedCohort
from medsearch.data.resampling import MAJORITY


def to_native(prepared: PreparedCohort, subject: str, mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Matrix]:
    """A mask (Z, Y, X) of a registered case on the grid of its file: (x, y, z) of 0 and 1, and the file's affine.

    Between voxels the mask is interpolated and cut at a half, so that fine files get no coarse steps.

    Raises:
        BadInput: the cohort was not registered, or the mask is not on its grid.

    """
    from scipy.ndimage import affine_transform

    own = prepared.case(subject)
    if "native" not in own:
        msg = f"case {subject} of {prepared.directory.name} was not registered; its file lies on the prepared grid"
        raise BadInput(msg)
    if mask.shape != prepared.shape:
        msg = f"case {subject}: the mask has (z, y, x) grid {mask.shape}, the cohort {prepared.shape}; place it there"
        raise BadInput(msg)
    affine = np.array(own["native"]["affine"])
    steps = np.linalg.inv(np.array(own["laid"]) @ np.array(prepared.record["affine"])) @ affine
    shape = tuple(own["native"]["shape"])
    marked = mask.T.astype(np.float32)
    found = affine_transform(marked, steps[:3, :3], steps[:3, 3], output_shape=shape, order=1, mode="grid-constant")
    return (found >= MAJORITY).astype(np.uint8), affine
