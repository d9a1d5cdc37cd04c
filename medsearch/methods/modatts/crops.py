"""Crops as tensors: loaded, augmented, with the masks that are known and the voxels that count."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medsearch.data.augmentation.volumes import augment_volume
from medsearch.data.units import Halves

IGNORED = 2
"""In a pseudo-mask: neither tumour nor background, no part of the loss."""


@dataclass(frozen=True)
class CropBatch:
    """Crops x (b, 1, z, y, x); masks y of those at the indices `annotated`; `counted` is False at ignored voxels."""

    x: Tensor
    y: Tensor
    annotated: Tensor
    counted: Tensor | None = None


@dataclass(frozen=True)
class Crops:
    """Half-brain crops; `pseudo` gives masks by unit for those that have none of their own."""

    halves: Halves
    pseudo: Callable[[tuple[str, int]], np.ndarray | None] = lambda _: None

    def __len__(self) -> int:
        return len(self.halves)

    def none(self) -> "Crops":
        """The same list, empty."""
        return Crops(replace(self.halves, sides=()))

    def load(self, which: Sequence[int], rng: np.random.Generator | None, device: str) -> CropBatch:
        """Cut crops, and augment them when a generator is given."""
        pairs = [self._one(index, rng) for index in which]
        annotated = [i for i, (_, mask) in enumerate(pairs) if mask is not None]
        shape = (1, *self.halves.source.geometry.crop)
        x = _stack([image for image, _ in pairs], shape, device)
        y = _stack([np.asarray(pairs[i][1]) for i in annotated], shape, device)
        counted = y != IGNORED
        known = torch.tensor(annotated, dtype=torch.long, device=device)
        return CropBatch(x, (y == 1).float(), known, None if counted.all() else counted)

    def each(self, size: int, device: str) -> Iterator[tuple[Tensor, Tensor]]:
        """All annotated crops in batches, as they are."""
        for start in range(0, len(self), size):
            batch = self.load(range(start, min(start + size, len(self))), None, device)
            yield batch.x[batch.annotated], batch.y

    def _one(self, index: int, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray | None]:
        image, mask = self.halves[index]
        if mask is None:
            mask = self.pseudo(self.halves.sides[index])
        return (image, mask) if rng is None else augment_volume(image, mask, rng)


def _stack(arrays: Sequence[np.ndarray], shape: tuple[int, ...], device: str) -> Tensor:
    if not arrays:
        return torch.zeros((0, *shape), device=device)
    return torch.from_numpy(np.stack(arrays).astype(np.float32)).unsqueeze(1).to(device)
