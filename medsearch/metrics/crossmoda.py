"""How CrossMoDA scored a case: Dice and ASSD of the vestibular schwannoma (challenges of 2021 and 2022).

The challenge called medpy as it was then (0.4), so these are medpy 0.4's forms, also where today's differ: the ASSD is
the mean of the two directed means, not of all distances together, and nothing found is charged, not left out.

    found   marked     Dice    ASSD
    yes     yes        2I/(P+T)  mean of the two directed means
    no      yes        0       350 mm
    no      no         0       350 mm: the charge looks at the prediction only
    yes     no         0       undefined (None): medpy raised; no case of the challenge is without a tumour
"""

from collections.abc import Sequence

import numpy as np

from medsearch.metrics.overlap import Mask, dice
from medsearch.metrics.surfaces import assd

MISSED_MM = 350.0
"""What a case costs in which nothing was found."""

ASSD_FORM = "mean of the two directed means (medpy 0.4), 350 mm where nothing was found"
"""How a table that shows `crossmoda_assd` names it."""


def crossmoda_dice(prediction: Mask, truth: Mask) -> float:
    """Dice of one case in [0, 1]; 0 as soon as one mask is empty, also when both are.

    Raises:
        BadInput: the masks lie on different grids.
    """
    overlap = dice(prediction, truth)
    return overlap if np.any(truth) else 0.0


def crossmoda_assd(prediction: Mask, truth: Mask, spacing: float | Sequence[float]) -> float | None:
    """ASSD of one case, mm, in the form of medpy 0.4; `spacing` is the voxel size along the arrays' own axes, mm.

    350 mm where nothing was found; None where something was and nothing is marked. (The challenge took the spacing
    from the diagonal of the file's affine, which is the voxel size as long as no axes are swapped.)

    Raises:
        BadInput: the masks lie on different grids.
    """
    if prediction.shape == truth.shape and not np.any(prediction):
        return MISSED_MM
    return assd(prediction, truth, spacing, form="directed")
