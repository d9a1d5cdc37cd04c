"""Crops as tensors: loaded, augmented, with the masks that are known and the voxels that count."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from medsearch.cohorts.patches import HemispherePatches, Image, Mask, PatchIndex
from medsearch.imaging.augmentation.slices import augment_slice
from medsearch.imaging.augmentation.tumours import vary_tumour
from medsearch.imaging.augmentation.volumes import augment_volume
from medsearch.training.prefetch import TensorBatch

IGNORED = 2
"""In a pseudo-mask: neither tumour nor background, no part of the loss. No mask is ever interpolated."""


@dataclass(frozen=True)
class CropBatch(TensorBatch):
    """Crops `x`, of which the first ones are annotated; `y` are their masks. `counted` is False at ignored voxels."""

    x: Float[Tensor, "crops 1 *space"]
    y: Float[Tensor, "annotated 1 *space"]
    counted: Bool[Tensor, "annotated 1 *space"] | None = None


@dataclass(frozen=True)
class Crops:
    """Half-brain crops, or slices of them; `pseudo` gives masks for those that have none of their own.

    With augmentation, tumours become brighter or darker by up to the share `tumour_intensity`.
    """

    halves: HemispherePatches
    pseudo: Callable[[PatchIndex], Mask | None] = lambda _: None
    tumour_intensity: float = 0.0

    def __len__(self) -> int:
        return len(self.halves)

    def none(self) -> "Crops":
        """A list of the same kind without any crop."""
        return replace(self, halves=replace(self.halves, units=()))

    @cached_property
    def annotated(self) -> frozenset[int]:
        """Which crops have a mask, true or pseudo."""
        known = {subject: self.halves.volumes.mask(subject) is not None for subject, *_ in self.halves.units}
        return frozenset(
            index
            for index, unit in enumerate(self.halves.units)
            if known[unit.subject] or self.pseudo(unit) is not None
        )

    def load(self, which: Sequence[int], rng: np.random.Generator | None) -> CropBatch:
        """Cut crops, and augment them when a generator is given."""
        pairs = sorted((self._one(index, rng) for index in which), key=lambda pair: pair[1] is None)
        masks = [mask for _, mask in pairs if mask is not None]
        x = np.stack([image for image, _ in pairs])[:, None] if pairs else np.zeros((0, 1))
        y = np.stack(masks)[:, None] if masks else x[:0]
        ignored = y == IGNORED
        return CropBatch(_tensor(x), _tensor(y == 1), torch.from_numpy(~ignored) if ignored.any() else None)

    def each(self, size: int) -> Iterator[CropBatch]:
        """All crops in batches, as they are."""
        for start in range(0, len(self), size):
            yield self.load(range(start, min(start + size, len(self))), None)

    def _one(self, index: int, rng: np.random.Generator | None) -> tuple[Image, Mask | None]:
        image, mask = self.halves[index]
        if mask is None:
            mask = self.pseudo(self.halves.units[index])
        if rng is None:
            return image, mask
        if mask is not None and self.tumour_intensity:
            image = vary_tumour(image, mask, rng=rng, reach=self.tumour_intensity)
        return augment_slice(image, mask, rng) if image.ndim == 2 else augment_volume(image, mask, rng)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
