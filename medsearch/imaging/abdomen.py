"""The body in a CT, and the slices of its abdomen: paper 000's automatic region, from lungs to bowel.

Volumes are (Z, Y, X) in HU, slices from superior to inferior. Both landmarks are dark pixels inside the body (section
2: "la première coupe des poumons et la dernière coupe de la zone intestinale ... forte présence de pixels noirs"); the
paper gives no thresholds, so they are knobs.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from medsearch.core.errors import BadInput
from medsearch.core.ranges import HounsfieldUnits, NonNegativeFloat, Range
from medsearch.core.recipes import recipe

Mask = npt.NDArray[np.bool_]
Volume = npt.NDArray[np.number]


@recipe
class BodyRule:
    """What of a slice is body.

    above: HU of tissue. opening: the radius in mm of what is wiped away, so that a table which touches the back does
    not belong to it; less than a pixel wipes one.
    """

    above: HounsfieldUnits = -500.0
    opening: NonNegativeFloat = 3.0


@recipe
class RegionRule:
    """Which slices are abdomen.

    lung_below, lung_share: lung where so much of the body's area is darker than this, HU; gut with air in it is lung
    too, so the share is large. bases: so far below the last such slice, mm, what is dark is lung still.
    bowel_below, bowel_share: the same of gas in the bowel, further down.
    """

    lung_below: HounsfieldUnits = -500.0
    lung_share: Annotated[float, Range(0, 1, above=True, below=True)] = 0.08
    bases: NonNegativeFloat = 60.0
    bowel_below: HounsfieldUnits = -800.0
    bowel_share: Annotated[float, Range(0, 1, above=True, below=True)] = 0.001


@dataclass(frozen=True)
class Region:
    """The first and the last slice of the abdomen, both included; and whether each landmark was found.

    Without lungs the region begins with the first slice, without gas in the bowel it ends with the last.
    """

    first: int
    last: int
    lungs: bool
    bowel: bool

    @property
    def found(self) -> bool:
        """Whether neither end had to be guessed."""
        return self.lungs and self.bowel


def body_mask(hu: Volume, spacing: tuple[float, float, float], rule: BodyRule | None = None) -> Mask:
    """The body (Z, Y, X), the air within it included. `spacing`: mm along z, y and x.

    Slice by slice the holes of tissue are filled, so that lungs and bowel belong to it, and thin bridges opened; its
    largest part in 3D is kept, and filled again. All False where there is no tissue.
    """
    from scipy import ndimage

    rule = rule or BodyRule()
    # Filled first: opening alone breaks a thin wall in front of a bowel full of gas, which then is no hole any more.
    tissue = ndimage.binary_opening(_filled(hu > rule.above), _disc(rule.opening, spacing))
    parts, count = ndimage.label(tissue)
    if not count:
        return np.zeros(hu.shape, bool)
    sizes = sum(np.bincount(plane.ravel(), minlength=count + 1) for plane in parts)  # all at once would be copied
    largest = parts == np.asarray(sizes)[1:].argmax() + 1
    return _filled(largest)


def _filled(mask: Mask) -> Mask:
    """A mask (Z, Y, X) whose slices, each for itself, have no holes."""
    from scipy import ndimage

    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def abdominal_region(hu: Volume, body: Mask, spacing: float, rule: RegionRule | None = None) -> Region:
    """The slices from the first with lungs to the last with gas in the bowel, of `hu` within `body` (Z, Y, X).

    `spacing`: mm between slices.

    Raises:
        BadInput: the two have other sizes, or there is no slice.
    """
    if hu.shape != body.shape or not len(hu):
        msg = f"HU {hu.shape} and body {body.shape} must be of one size and hold a slice; pass the body of this volume"
        raise BadInput(msg)
    rule = rule or RegionRule()
    lungs = _share(hu, body, rule.lung_below) >= rule.lung_share
    gas = _share(hu, body, rule.bowel_below) >= rule.bowel_share
    first, below = 0, 0
    if lungs.any():
        first = int(lungs.argmax())
        clear = np.flatnonzero(~lungs[first:])  # slices from the first with lungs on that show none
        below = first + (int(clear[0]) if clear.size else len(lungs) - first) + round(rule.bases / spacing)
    bowel = gas[below:]
    last = below + int(np.flatnonzero(bowel)[-1]) if bowel.any() else len(hu) - 1
    return Region(first, last, bool(lungs.any()), bool(bowel.any()))


def _share(hu: Volume, body: Mask, below: float) -> npt.NDArray[np.float64]:
    """Of each slice, how much of the body is darker than `below`; 0 without a body."""
    area = np.count_nonzero(body, axis=(1, 2))
    dark = np.count_nonzero((hu < below) & body, axis=(1, 2))
    return np.asarray(np.divide(dark, area, out=np.zeros(len(area)), where=area > 0))


def _disc(radius: float, spacing: tuple[float, float, float]) -> Mask:
    """(1, Y, X): the pixels within `radius` mm of one, and its four neighbours at least."""
    reach = [max(1, int(radius / edge)) for edge in spacing[1:]]
    y, x = (np.arange(-size, size + 1) for size in reach)
    away = np.hypot(y[:, None] * spacing[1], x[None, :] * spacing[2])
    return np.asarray((away <= max(radius, *spacing[1:]))[None])
