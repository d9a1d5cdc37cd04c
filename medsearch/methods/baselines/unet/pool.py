"""Annotated slices of one domain or several, drawn as one list."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from medsearch.data.patches import SliceRule, cycled
from medsearch.data.views import Domain, TaskView
from medsearch.methods.baselines.drawing import diseased, only_annotated
from medsearch.methods.baselines.reads import Supervision, sides
from medsearch.training.crops import CropBatch, Crops


@dataclass(frozen=True)
class Pool:
    """Annotated diseased slices by domain; `epoch` counts those without a mask too."""

    parts: dict[Domain, Crops]
    epoch: int

    @staticmethod
    def of(task: TaskView, supervision: Supervision, rule: SliceRule) -> "Pool":
        """The training slices of the domains that supervise."""
        every = {domain: diseased(task, domain, "train", rule) for domain in sides(supervision)}
        annotated = {domain: only_annotated(crops) for domain, crops in every.items()}
        return Pool(annotated, sum(map(len, every.values())))

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    @property
    def annotated(self) -> Supervision | None:
        """The domains that have masks to show."""
        found = [domain for domain, crops in self.parts.items() if len(crops)]
        return None if not found else found[0] if len(found) == 1 else "both"

    def batches(self, size: int, *, augment: bool, rng: np.random.Generator) -> Iterator[CropBatch]:
        """One epoch; the list is cycled to its length."""
        for which in cycled(len(self), size, math.ceil(self.epoch / size), rng):
            yield self.load(which, rng if augment else None)

    def load(self, which: Sequence[int], rng: np.random.Generator | None) -> CropBatch:
        """Slices by their numbers in the list of all domains."""
        loaded, first = [], 0
        for crops in self.parts.values():
            own = [index - first for index in which if first <= index < first + len(crops)]
            first += len(crops)
            if own:
                loaded.append(crops.load(own, rng))
        return CropBatch(torch.cat([part.x for part in loaded]), torch.cat([part.y for part in loaded]))
