"""What the translation stage looks at: slices of both contrasts to train on, diseased source slices to select by."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medsearch.core.errors import BadInput
from medsearch.data.augmentation.slices import augment_slice
from medsearch.data.patches import Image, Mask, Slices, batches, cycled, domain_source
from medsearch.data.views import TaskView
from medsearch.methods.modatts.recipe import TranslationRecipe
from medsearch.methods.modatts.translator import SliceBatch


class Drawing:
    """Training slices; no mask of the target is asked for."""

    def __init__(self, recipe: TranslationRecipe, task: TaskView) -> None:
        self.recipe = recipe
        self.source = Slices(domain_source(task, "source", "train"))
        self.target = Slices(domain_source(task, "target", "train", masks=False))

    def batches(self, rng: np.random.Generator) -> Iterator[SliceBatch]:
        """One pass over the source slices, each batch beside as many random target slices."""
        order = list(batches(len(self.source), self.recipe.batch, rng))
        others = cycled(len(self.target), self.recipe.batch, len(order), rng)
        for source, target in zip(order, others, strict=True):
            yield self.load(source, target[: len(source)], rng)

    def load(self, source: Sequence[int], target: Sequence[int], rng: np.random.Generator) -> SliceBatch:
        """Cut and augment slices; keep the masks that Eq. 5.3 counts, and put their slices first."""
        loaded = [self._augmented(self.source[index], rng) for index in source]
        loaded.sort(key=lambda one: not self._counts(one[1]))
        y_s = [y for _, y in loaded if y is not None and self._counts(y)]
        x_s = _tensor([x for x, _ in loaded])
        x_t = _tensor([self._augmented(self.target[index], rng)[0] for index in target])
        return SliceBatch(x_s, x_t, _tensor(y_s) if y_s else x_s[:0])

    def _counts(self, mask: Mask | None) -> bool:
        return mask is not None and (self.recipe.empty_slices or bool(mask.any()))

    def _augmented(self, one: tuple[Image, Mask | None], rng: np.random.Generator) -> tuple[Image, Mask | None]:
        return augment_slice(*one, rng) if self.recipe.augment else one


class Diseased:
    """The source's validation slices with tumour.

    Raises:
        BadInput: there is none.

    """

    def __init__(self, task: TaskView) -> None:
        self.slices = Slices(domain_source(task, "source", "validation"))
        masks = ((index, self.slices.mask(index)) for index in range(len(self.slices)))
        self.indices = [index for index, mask in masks if mask is not None and mask.any()]
        if not self.indices:
            msg = "no validation slice of the source holds a tumour to select by; add cases or change task.split_seed"
            raise BadInput(msg)

    def __len__(self) -> int:
        return len(self.indices)

    def load(self, part: slice) -> tuple[Tensor, Tensor]:
        """Some slices and their masks."""
        pairs = [self.slices[index] for index in self.indices[part]]
        return _tensor([x for x, _ in pairs]), _tensor([y for _, y in pairs if y is not None])


def _tensor(arrays: Sequence[NDArray[Any]]) -> Tensor:
    """(n, 1, H, W)."""
    return torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32))
