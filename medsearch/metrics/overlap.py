"""Dice, per case and over a whole split.

Masks are arrays of any shape; what is not 0 counts as marked.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput

Mask = NDArray[np.generic]
Marked = NDArray[np.bool_]

SMOOTH = 1.0  # as in the papers' loss and in the released code's score


def dice(prediction: Mask, truth: Mask) -> float:
    """Volumetric Dice of one case, in [0, 1]: 1 when both are empty, 0 when only one is."""
    both, sizes = _counts(prediction, truth)
    return 2 * both / sizes if sizes else 1.0


@dataclass
class MicroDice:
    """Dice over all scored units as if they were one volume (the papers' reported Dice).

    (2 I + 1) / (P + T + 1), with I, P and T summed over units. Which units are scored is the caller's protocol: the
    papers score only those with tumour.
    """

    both: float = 0
    sizes: float = 0
    units: int = 0

    def add(self, prediction: Mask, truth: Mask) -> None:
        """Count one more unit by its masks, which are of one shape."""
        self.count(*_counts(prediction, truth))

    def count(self, both: float, sizes: float) -> None:
        """Count one more unit by its overlap and the sum of its two sizes, which may be those of probabilities."""
        self.both, self.sizes, self.units = self.both + both, self.sizes + sizes, self.units + 1

    @property
    def value(self) -> float:
        """The score so far, in (0, 1].

        Raises:
            BadInput: no unit was scored; smoothing would call that perfect.

        """
        if not self.units:
            msg = "no unit was scored for Dice: the split holds no tumour here; add cases or change task.split_seed"
            raise BadInput(msg)
        return (2 * self.both + SMOOTH) / (self.sizes + SMOOTH)


def marked_in(prediction: Mask, truth: Mask) -> tuple[Marked, Marked]:
    """Which elements the prediction and the truth mark.

    Raises:
        BadInput: they lie on different grids.

    """
    if prediction.shape != truth.shape:
        msg = f"prediction {prediction.shape} and truth {truth.shape} lie on different grids; place both in one volume"
        raise BadInput(msg)
    return np.asarray(prediction != 0), np.asarray(truth != 0)


def _counts(prediction: Mask, truth: Mask) -> tuple[int, int]:
    found, marked = marked_in(prediction, truth)
    return int(np.count_nonzero(found & marked)), int(np.count_nonzero(found)) + int(np.count_nonzero(marked))
