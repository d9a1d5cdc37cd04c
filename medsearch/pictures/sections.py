"""Which part of a volume is shown: the slice with the most tumour, the brain's own window, grey values' limits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsearch.imaging.geometry import Box, Geometry, halves
from medsearch.metrics.scoring import TestCase
from medsearch.pictures.panels import Mask, Panel, Plane

MARGIN = 2
"""Voxels around the brain."""

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Half:
    """The crop of a case with the most tumour, (z, y, x): image, true and predicted masks, and the slice to show."""

    image: NDArray[np.float32]
    truth: Mask
    prediction: Mask
    z: int


def half(case: TestCase, geometry: Geometry) -> Half:
    """The half with the most tumour; of a case without a mask, with the most predicted."""
    image, found = (halves(volume, geometry, case.box) for volume in (case.image, case.prediction))
    truth = np.zeros_like(found) if case.truth is None else halves(case.truth, geometry, case.box)
    telling = truth if truth.any() else found
    side = int(telling.sum((1, 2, 3)).argmax())
    return Half(image[side], truth[side], found[side], fullest(telling[side]))


def fullest(mask: Mask) -> int:
    """The axial slice with the most tumour; the middle one where there is none."""
    sizes = mask.reshape(len(mask), -1).sum(1)
    return int(sizes.argmax()) if sizes.any() else len(mask) // 2


def limits(volume: Plane) -> tuple[float, float]:
    """The values that all but a hundredth of the brain lies between, on either side."""
    low, high = np.quantile(volume[volume != 0], (0.01, 0.99))
    return float(low), float(high)


def window(boxes: Sequence[Box]) -> Window:
    """Rows and columns that hold every brain, so that all are drawn at one scale."""
    rows, columns = (
        slice(max(0, min(box[axis][0] for box in boxes) - MARGIN), max(box[axis][1] for box in boxes) + MARGIN)
        for axis in (1, 2)
    )
    return rows, columns


def grey(plane: Plane, of: tuple[float, float], *outlines: Mask, heat: Plane | None = None) -> Panel:
    """An image between limits, black where it is 0."""
    return Panel(image=plane, brain=plane != 0, limits=of, outlines=outlines, heat=heat)


def shades(heat: Plane, where: NDArray[np.bool_]) -> Plane:
    """A map as colours take it: its least value `where` it is shown becomes 0, its greatest 1."""
    low, high = (heat[where].min(), heat[where].max()) if where.any() else (0.0, 1.0)
    scaled: Plane = np.clip((heat - low) / max(high - low, np.finfo(np.float32).tiny), 0, 1)
    return scaled
