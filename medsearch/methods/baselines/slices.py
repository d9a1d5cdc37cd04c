"""Diseased slices of both contrasts: what an epoch draws, and trainings that are selected on them."""

import math
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from medsearch.cohorts.patches import SliceRule, cycled, hemisphere_slices, hemisphere_volumes
from medsearch.cohorts.views import Domain, SplitName, TaskView
from medsearch.core.errors import BadInput
from medsearch.methods.baselines.recipe import SelectedOn, sides
from medsearch.stages.context import WEIGHTS, StageContext
from medsearch.stages.stage import Outcome, Training
from medsearch.training import optimisers
from medsearch.training.adversarial import emphasis
from medsearch.training.checkpoints import save_tensors
from medsearch.training.crops import CropBatch, Crops
from medsearch.training.fitting import AdversarialTraining, NetworkTraining, training_mode
from medsearch.training.inference import Segment, micro_dice
from medsearch.training.prefetch import TensorBatch

SHARE = "lower segmentation.slices.diseased_share"
"""The remedy where no slice is diseased."""

Needed = TypeVar("Needed", bound=Sized)


@dataclass(frozen=True)
class Pair(TensorBatch):
    """Slices of both contrasts, of which the first ones of each are annotated.

    emphasis: of the terms that masks have a part in, where this is a part of a batch that has not its share of them.
    """

    source: CropBatch
    target: CropBatch
    emphasis: float = 1.0

    @property
    def y(self) -> Tensor:
        """All masks of the batch, the source's first: (b, 1, h, w)."""
        return torch.cat([self.source.y, self.target.y])

    def __getitem__(self, part: slice) -> "Pair":
        """The slices of `part`, counted in either contrast."""
        share = len(range(len(self))[part]) / len(self)
        source, target = self.source[part], self.target[part]
        return Pair(source, target, emphasis(len(source.y) + len(target.y), len(self.y), share=share))


@dataclass(frozen=True)
class Drawing:
    """Lists of slices to train on, annotated or not.

    An epoch counts the longer one. So rows of an ablation that differ in annotation train for equally many steps.
    """

    source: Crops
    target: Crops

    def steps(self, size: int) -> int:
        """How many batches of `size` slices of each contrast an epoch has."""
        return math.ceil(max(len(self.source), len(self.target)) / size)

    def batches(self, size: int, *, augment: bool, rng: np.random.Generator) -> Iterator[Pair]:
        """One epoch in batches of `size` slices of each contrast; every list is cycled to its length."""
        length, augmenting = self.steps(size), rng if augment else None
        lists = (cycled(len(crops), size, length, rng) for crops in (self.source, self.target))
        for source, target in zip(*lists, strict=True):
            yield Pair(self.source.load(source, augmenting), self.target.load(target, augmenting))


def diseased(task: TaskView, domain: Domain, split: SplitName, rule: SliceRule, *, masks: bool = True) -> Crops:
    """The diseased slices of whole hemispheres; with `masks=False` no mask is asked for."""
    return Crops(hemisphere_slices(hemisphere_volumes(task, domain, split, masks=masks), rule)[0])


def require(needed: Needed, what: str, remedy: str) -> Needed:
    """`needed`, unless it is empty.

    Raises:
        BadInput: the split leaves none of `what`; the text ends in the `remedy`.
    """
    if not len(needed):
        msg = f"the split leaves no {what}; {remedy}, add cases, or change task.split_seed"
        raise BadInput(msg)
    return needed


def both_contrasts(task: TaskView, rule: SliceRule, *, masks: bool = True) -> Drawing:
    """Diseased training slices of both contrasts; with `masks=False` no mask is asked for, and none is needed.

    Raises:
        BadInput: the split leaves none of one, or no mask.
    """
    source, target = (
        require(diseased(task, domain, "train", rule, masks=masks), f"diseased {domain} slice to train on", SHARE)
        for domain in sides("both")
    )
    if masks:
        require(source.annotated or target.annotated, "annotated slice to learn from", "raise task.source_labels")
    return Drawing(source, target)


def validation_slices(task: TaskView, selected_on: SelectedOn, rule: SliceRule) -> dict[Domain, Crops]:
    """The diseased validation slices of the domains that a training is selected on.

    Raises:
        BadInput: there is none in one of them.
    """
    return {
        domain: require(diseased(task, domain, "validation", rule), f"diseased {domain} slice to select on", SHARE)
        for domain in sides(selected_on)
    }


class SelectedByDice(NetworkTraining[StageContext]):
    """A training that keeps the module `kept` as of the epoch with the highest Dice of validation slices.

    validation: the slices, by domain. at_once: so many are segmented together; None: the recipe's batch.
    notes: what the manifest says of the training beside its best epoch.
    """

    kept: ClassVar[str] = "network"
    at_once: ClassVar[int | None] = None
    validation: Mapping[Domain, Crops]
    notes: Mapping[str, object] = {}

    @abstractmethod
    def segments(self) -> Mapping[Domain, Segment]:
        """How the slices of each domain that is validated are segmented; networks are in eval mode."""

    def validate(self) -> dict[str, float]:
        """Dice over the slices of all domains that it is selected on, together."""
        training_mode(self.modules.values(), on=False)
        segments = self.segments()
        routes = [(segments[domain], crops) for domain, crops in self.validation.items()]
        return micro_dice(routes, self.context.runtime, batch=self.at_once or self.recipe.batch)

    @classmethod
    def train(cls, *args: Any, **kwargs: Any) -> Training:
        """Begin with these arguments and train to the end; write the weights of the best epoch."""
        training = cls(*args, **kwargs)
        best = yield from training.fit(keep=(cls.kept,))
        save_tensors(training.context.directory / WEIGHTS, best.tensors)
        notes = {"best_epoch": best.epoch, "selected_on": list(training.validation), **training.notes}
        return Outcome({"validation/dice": best.value}, notes)


class ContrastsTraining(AdversarialTraining[StageContext]):
    """An adversarial training on slices of both contrasts; its recipe has `batch`, `augment` and `optimiser`."""

    drawing: Drawing

    def hold(self, judges: Mapping[str, nn.Module], **generators: nn.Module) -> None:
        """Take all modules to the device, in training mode; one Adam for the `judges`, one for all others."""
        self.modules = {**generators, **judges}
        self.judges = list(judges.values())
        training_mode((module.to(self.device) for module in self.modules.values()), on=True)
        adam, amsgrad = self.recipe.optimiser, self.recipe.optimiser.amsgrad
        self.optimisers = {
            "g": optimisers.adam(generators.values(), adam, amsgrad=amsgrad),
            "d": optimisers.adam(self.judges, adam, amsgrad=amsgrad),
        }

    def steps(self, epoch: int) -> Generator[Mapping[str, Tensor], None, None]:
        """The loss terms of every step of an epoch, counted from 1."""
        self.begin_epoch(epoch)
        batches = self.drawing.batches(self.recipe.batch, augment=self.recipe.augment, rng=self.rng(epoch))
        yield from self.adversarial(batches)
