"""What one step looks at: diseased and healthy slices of each modality."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medsearch.cohorts.patches import cycled, hemisphere_slices, hemisphere_volumes
from medsearch.cohorts.views import Domain, TaskView
from medsearch.core.errors import BadInput
from medsearch.losses.weights import annotated_share
from medsearch.methods.mgenseg.recipe import SegmentationRecipe
from medsearch.training.adversarial import emphasis
from medsearch.training.crops import CropBatch, Crops
from medsearch.training.prefetch import TensorBatch


@dataclass(frozen=True)
class Side(TensorBatch):
    """Slices of one modality: diseased `p`, annotated ones first, healthy `a`, and sampled codes `u` for these."""

    p: CropBatch
    a: CropBatch
    u: Tensor
    emphasis: float = 1.0
    """Of the Dice, where this is a part of a batch that has not its share of the masks."""

    def __getitem__(self, part: slice) -> "Side":
        """The slices `part` of diseased and of healthy ones alike: a micro-batch."""
        p, share = self.p[part], len(range(len(self))[part]) / len(self)
        return Side(p, self.a[part], self.u[part], emphasis(len(p.y), len(self.p.y), share=share))


@dataclass(frozen=True)
class Batch:
    """As many slices of every modality."""

    sides: Mapping[Domain, Side]

    def __len__(self) -> int:
        return max(len(side) for side in self.sides.values())

    def __getitem__(self, part: slice) -> "Batch":
        """The slices `part` of every modality: a micro-batch."""
        return Batch({domain: side[part] for domain, side in self.sides.items()})

    def to(self, device: str) -> "Batch":
        """The same tensors on `device`, such as "cuda"."""
        return Batch({domain: side.to(device) for domain, side in self.sides.items()})


@dataclass(frozen=True)
class Lists:
    """The training slices of one modality."""

    diseased: Crops
    healthy: Crops


class Drawing:
    """Draws batches; an epoch is one pass over the diseased slices of the modality that has more of them.

    annotated_fraction: of the training volumes of a modality, in the one with more of them.

    Raises:
        BadInput: a modality has no diseased or no healthy slice, or nothing is annotated.

    """

    def __init__(self, recipe: SegmentationRecipe, task: TaskView) -> None:
        self.recipe = recipe
        self.lists: dict[Domain, Lists] = {}
        shares = []
        for domain in recipe.domains:
            volumes = hemisphere_volumes(task, domain, "train")
            diseased, healthy = hemisphere_slices(volumes, recipe.slices)
            self.lists[domain] = Lists(Crops(diseased), Crops(healthy))
            known = sum(volumes.mask(subject) is not None for subject in volumes.subjects)
            shares.append(annotated_share(known, len(volumes.subjects)))
        self.annotated_fraction = max(shares)
        for domain, lists in self.lists.items():
            for kind, crops in vars(lists).items():
                if not len(crops):
                    msg = (
                        f"no training slice of the {domain} is {kind} under segmentation.slices; add cases, lower "
                        "least_brain or diseased_share, or change task.split_seed"
                    )
                    raise BadInput(msg)
        if not any(lists.diseased.annotated for lists in self.lists.values()):
            msg = "no diseased training slice is annotated; raise task.source_labels or task.target_labels"
            raise BadInput(msg)

    def __len__(self) -> int:
        """How many optimiser steps an epoch has."""
        return math.ceil(max(len(lists.diseased) for lists in self.lists.values()) / self.recipe.batch)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """One epoch; every list is cycled to its length."""
        size, steps = self.recipe.batch, len(self)
        orders = {
            domain: list(zip(*(cycled(len(crops), size, steps, rng) for crops in vars(lists).values()), strict=True))
            for domain, lists in self.lists.items()
        }
        augmenting = rng if self.recipe.augment else None
        halved = 2 ** (len(self.recipe.network.channels) - 1)
        for step in range(steps):
            sides: dict[Domain, Side] = {}
            for domain, order in orders.items():
                diseased, healthy = order[step]
                a = self.lists[domain].healthy.load(healthy, augmenting)
                coarsest = (-(-side // halved) for side in a.x.shape[2:])  # rows and columns of the bottleneck
                shape = (len(healthy), self.recipe.network.unique, *coarsest)
                u = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
                sides[domain] = Side(self.lists[domain].diseased.load(diseased, augmenting), a, u)
            yield Batch(sides)
