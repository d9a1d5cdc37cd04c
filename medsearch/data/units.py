"""What a network trains on: axial slices of whole volumes, and half-brain crops, with their masks where they are known.

A unit is named by subject and place. Units are cut from memory-mapped volumes when they are asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsearch.data.geometry import Box, Geometry, halves, padded_slices

Image = NDArray[np.float32]
Mask = NDArray[np.uint8]
Volume = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where units come from: images (Z, Y, X) by subject, masks or None where they may not be seen, brain boxes."""

    subjects: tuple[str, ...]
    image: Callable[[str], Volume]
    mask: Callable[[str], Mask | None]
    box: Callable[[str], Box]
    geometry: Geometry


@dataclass(frozen=True)
class Slices:
    """Every axial slice of the depth range, padded to a square, also the empty ones (facts of the released code)."""

    source: Source

    def __len__(self) -> int:
        low, high = self.source.geometry.depth
        return len(self.source.subjects) * (high - low)

    def __getitem__(self, index: int) -> tuple[Image, Mask | None]:
        """Image and mask of one slice, (S, S) each; the mask is None where it is unknown."""
        low, high = self.source.geometry.depth
        subject, z = self.source.subjects[index // (high - low)], low + index % (high - low)
        one = Geometry(**{**vars(self.source.geometry), "depth": (z, z + 1)})
        image = padded_slices(self.source.image(subject), one)[0].astype(np.float32)
        mask = self.source.mask(subject)
        return image, None if mask is None else padded_slices(mask, one)[0]


@dataclass(frozen=True)
class Halves:
    """Half-brain crops; `sides` lists (subject, side)."""

    source: Source
    sides: tuple[tuple[str, int], ...]

    def __len__(self) -> int:
        return len(self.sides)

    def __getitem__(self, index: int) -> tuple[Image, Mask | None]:
        """Image and mask of one crop, (z, y, x) each; the mask is None where it is unknown."""
        subject, side = self.sides[index]
        geometry, box = self.source.geometry, self.source.box(subject)
        image = halves(self.source.image(subject), geometry, box)[side].astype(np.float32)
        mask = self.source.mask(subject)
        return image, None if mask is None else halves(mask, geometry, box)[side]


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """A random order of `count` units in batches of `size`; the last one may be smaller."""
    order = rng.permutation(count).tolist()
    for start in range(0, count, size):
        yield order[start : start + size]


def cycled(count: int, size: int, length: int, rng: np.random.Generator) -> Iterator[Sequence[int]]:
    """`length` batches of `size` from `count` units, reshuffled whenever all have been used; empty ones if count is 0."""
    order: list[int] = []
    for _ in range(length):
        while count and len(order) < size:
            order += rng.permutation(count).tolist()
        yield order[:size]
        order = order[size:]
