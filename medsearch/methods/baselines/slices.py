"""Diseased slices of both contrasts: what an epoch draws and a step is trained on, and what picks the best epoch."""

import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from medsearch.cohorts.patches import SliceRule, cycled, hemisphere_slices, hemisphere_source
from medsearch.cohorts.views import Domain, SplitName, TaskView
from medsearch.core.errors import BadInput
from medsearch.methods.baselines.reads import SelectedOn, sides
from medsearch.methods.baselines.recipe import AdamRecipe
from medsearch.stages.context import StageContext
from medsearch.training import optimisers
from medsearch.training.adversarial import emphasis
from medsearch.training.crops import CropBatch, Crops
from medsearch.training.fitting import AdversarialTraining
from medsearch.training.prefetch import TensorBatch

SHARE = "lower segmentation.slices.diseased_share"
"""What helps where no slice is diseased."""


@dataclass(frozen=True)
class Pair(TensorBatch):
    """Slices of both contrasts, of which the first ones of each are annotated.

    emphasis: of the terms that masks have a part in, where this is a part of a batch that has not its share of them.
    """

    source: CropBatch
    target: CropBatch
    emphasis: float = 1.0

    def __len__(self) -> int:
        return max(len(self.source.x), len(self.target.x))

    @property
    def y(self) -> Tensor:
        """All masks of the batch, the source's first: (b, 1, h, w)."""
        return torch.cat([self.source.y, self.target.y])

    def __getitem__(self, part: slice) -> "Pair":
        """Some of either."""
        share = len(range(len(self))[part]) / len(self)
        source, target = self.source[part], self.target[part]
        some, every = len(source.y) + len(target.y), len(self.source.y) + len(self.target.y)
        return Pair(source, target, emphasis(some, every, share=share))


@dataclass(frozen=True)
class Drawing:
    """Lists of slices to train on, annotated or not.

    An epoch counts the longer one. So rows of an ablation that differ in annotation train for equally many steps.
    """

    source: Crops
    target: Crops

    def steps(self, size: int) -> int:
        """Of an epoch in batches of `size` slices of each contrast."""
        return math.ceil(max(len(self.source), len(self.target)) / size)

    def batches(self, size: int, *, augment: bool, rng: np.random.Generator) -> Iterator[Pair]:
        """One epoch in batches of `size` slices of each contrast; every list is cycled to its length."""
        length, augmenting = self.steps(size), rng if augment else None
        lists = (cycled(len(crops), size, length, rng) for crops in (self.source, self.target))
        for source, target in zip(*lists, strict=True):
            yield Pair(self.source.load(source, augmenting), self.target.load(target, augmenting))


def diseased(task: TaskView, domain: Domain, split: SplitName, rule: SliceRule, *, masks: bool = True) -> Crops:
    """The diseased slices of whole hemispheres; with `masks=False` no mask is asked for."""
    return Crops(hemisphere_slices(hemisphere_source(task, domain, split, masks=masks), rule)[0])


def only_annotated(crops: Crops) -> Crops:
    """Those that have masks."""
    units = tuple(unit for index, unit in enumerate(crops.halves.units) if index in crops.annotated)
    return replace(crops, halves=replace(crops.halves, units=units))


def require(crops: Crops, what: str, remedy: str) -> Crops:
    """The slices, of which there must be some.

    Raises:
        BadInput: there is none.
    """
    if not len(crops):
        raise missing(what, remedy)
    return crops


def missing(what: str, remedy: str) -> BadInput:
    """That a split leaves none of what is needed, and what helps."""
    return BadInput(f"the split leaves no {what}; {remedy}, add cases, or change task.split_seed")


def both_contrasts(task: TaskView, rule: SliceRule, *, masks: bool = True) -> Drawing:
    """Diseased training slices of both contrasts; with `masks=False` no mask is asked for, and none is needed.

    Raises:
        BadInput: the split leaves none of one, or no mask.
    """
    source, target = (
        require(diseased(task, domain, "train", rule, masks=masks), f"diseased {domain} slice to train on", SHARE)
        for domain in sides("both")
    )
    if masks and not source.annotated and not target.annotated:
        what = "annotated slice to learn from"
        raise missing(what, "raise task.source_labels")
    return Drawing(source, target)


def validation_slices(task: TaskView, of: SelectedOn, rule: SliceRule) -> dict[Domain, Crops]:
    """The diseased validation slices of the domains that are meant.

    Raises:
        BadInput: there is none in one of them.
    """
    return {
        domain: require(diseased(task, domain, "validation", rule), f"diseased {domain} slice to select on", SHARE)
        for domain in sides(of)
    }


class ContrastsTraining(AdversarialTraining[StageContext]):
    """Everything that a stage holds while it trains; its recipe has `batch` and `augment`."""

    drawing: Drawing

    def steps(self, epoch: int) -> Generator[Mapping[str, Tensor], None, None]:
        """One epoch."""
        self.begin_epoch(epoch)
        batches = self.drawing.batches(self.recipe.batch, augment=self.recipe.augment, rng=self.rng(epoch))
        yield from self.adversarial(batches)


def adam(modules: Iterable[nn.Module], settings: AdamRecipe) -> torch.optim.Adam:
    """With AMSGrad or without, as the recipe says."""
    return optimisers.adam(modules, settings, amsgrad=settings.amsgrad)
