"""What is done about tumours that are rare or look alike: another brightness, and more turns in an epoch.

The thesis (section 5.5.1) says that both were done for vestibular schwannomas; the released code holds the first
behind a switch that is off, and nothing of the second. Pure functions of arrays in 2D or 3D and of plain numbers.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medsearch.core.errors import BadInput

Image = NDArray[np.float32]
Mask = NDArray[np.generic]

REACH = 0.3
"""The released code's: factors between 0.7 and 1.3."""
_HETEROGENEOUS = 0.5


def vary_tumour(image: Image, mask: Mask, *, rng: np.random.Generator, reach: float = REACH) -> Image:
    """`image` with its tumour voxels (where `mask` is 1) times one factor of U(1 - reach, 1 + reach); no-op at 0.

    It comes before the rest of a set of augmentations, which clips to [-1, 1]; values here may leave that range.

    Raises:
        BadInput: `mask` lies on another grid.
    """
    _same_grid(image, mask)
    factor = np.float32(rng.uniform(1 - reach, 1 + reach))
    varied: Image = np.where(mask == 1, image * factor, image)
    return varied


def heterogeneity(image: Image, mask: Mask) -> float:
    """The standard deviation of `image` inside the tumour (`mask` 1), without its outermost voxels if others are left.

    The outermost voxels hold partial volumes, which would make every small tumour heterogeneous. 0 without a tumour.

    Raises:
        BadInput: `mask` lies on another grid.
    """
    from scipy import ndimage

    _same_grid(image, mask)
    tumour = mask == 1
    inner = ndimage.binary_erosion(tumour)
    values = image[inner if inner.any() else tumour]
    return float(values.std(dtype=np.float64)) if values.size else 0.0


def repeats(
    volumes: Sequence[float],
    heterogeneities: Sequence[float],
    *,
    times: int = 2,
    small: float = 1 / 3,
    large: float = 1 / 3,
) -> tuple[int, ...]:
    """How often each unit comes in an epoch: `times` if its tumour is small, or large and heterogeneous; else once.

    volumes: of each unit's tumour, any unit of measure. heterogeneities: of the same tumours, as `heterogeneity`.
    The rule is ours, for the thesis gives none: small is among the `small` share of least volumes; large among the
    `large` share of greatest, and of those the more heterogeneous half counts. Shares are rounded down and never split
    equals: where a tie reaches beyond a share, none of the tied is in it. No-op at `times` 1.

    Raises:
        BadInput: the sequences differ in length, a share lies outside [0, 1], or `times` is below 1.
    """
    if len(volumes) != len(heterogeneities):
        msg = f"{len(volumes)} volumes but {len(heterogeneities)} heterogeneities; give both for every unit"
        raise BadInput(msg)
    if times < 1 or not (0 <= small <= 1 and 0 <= large <= 1):
        msg = f"tumours repeated {times} times, shares {small} and {large}; take 1 or more times, shares in [0, 1]"
        raise BadInput(msg)
    smallest = _lowest(volumes, small)
    largest = sorted(_lowest([-volume for volume in volumes], large))
    varied = _lowest([-heterogeneities[unit] for unit in largest], _HETEROGENEOUS)
    chosen = smallest | {largest[place] for place in varied}
    return tuple(times if unit in chosen else 1 for unit in range(len(volumes)))


def _lowest(values: Sequence[float], share: float) -> set[int]:
    """Places of the lowest values that together are at most `share` of all; equals are in or out together."""
    room = math.floor(share * len(values) + 1e-9)
    ordered = sorted(values)
    if room == len(values):
        return set(range(len(values)))
    return {place for place, value in enumerate(values) if value < ordered[room]}


def _same_grid(image: Image, mask: Mask) -> None:
    if image.shape != mask.shape:
        msg = f"image {image.shape} and mask {mask.shape} lie on different grids; cut both with one window"
        raise BadInput(msg)
