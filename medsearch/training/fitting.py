"""What stages hold while they train: networks and optimisers, an epoch of steps, and epochs until the best is known."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, final

import numpy as np
import torch
from torch import Tensor, nn

from medsearch.cohorts.patches import SliceRule, batches, hemisphere_slices, hemisphere_volumes
from medsearch.cohorts.views import Domain, SplitName
from medsearch.core.errors import BadInput
from medsearch.core.seeds import generator, seed
from medsearch.training.adversarial import AdversarialStep, supervised_step
from medsearch.training.checkpoints import save_tensors
from medsearch.training.crops import CropBatch, Crops
from medsearch.training.epochs import WEIGHTS, Epoch, Outcome
from medsearch.training.inference import micro_dice
from medsearch.training.loop import Best, Loop, run
from medsearch.training.optimisers import amsgrad, set_rate
from medsearch.training.precision import autocast, prepare_torch
from medsearch.training.prefetch import Parted, micro_batches

C = TypeVar("C", bound=Any)
"""Of the context of the stage that trains: with `seed`, `runtime` and `checkpoint`."""


class NetworkTraining(ABC, Generic[C]):
    """Networks in training.

    Random numbers are drawn from the streams `names` of the run's seed: the first weights, once this is initialised,
    and every epoch. A subclass builds `modules` and `optimisers`, by name.
    """

    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, torch.optim.Optimizer]

    def __init__(self, recipe: Any, context: C, *names: str) -> None:
        prepare_torch(context.runtime)
        torch.manual_seed(seed(context.seed, *names, "initialisation"))
        self.recipe, self.context, self.names, self.device = recipe, context, names, context.runtime.device

    @abstractmethod
    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One epoch, counted from 1: the loss terms of every step."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """What picks the best epoch, or is measured of the last."""

    def begin_epoch(self, epoch: int) -> None:
        """Put all networks into training mode, and set the epoch's learning rate where the recipe has a `rate`."""
        training_mode(self.modules.values(), on=True)
        if rate := getattr(self.recipe, "rate", None):
            set_rate(self.optimisers.values(), rate(epoch))

    def rng(self, epoch: int) -> np.random.Generator:
        """What the batches of an epoch are drawn by."""
        return generator(self.context.seed, *self.names, "epoch", epoch)

    def supervised(
        self, batches: Iterator[Any], loss: Callable[[Any], Mapping[str, Tensor]]
    ) -> Iterator[Mapping[str, Tensor]]:
        """A step on every batch, by the optimiser "g"."""
        for parts in micro_batches(batches, self.context.runtime):
            yield supervised_step(parts, loss, self.optimisers["g"])

    def fit(
        self,
        *names: str,
        epochs: int | None = None,
        best: str = "validation/dice",
        better: Callable[[float, float], float] = max,
        keep: tuple[str, ...] = (),
    ) -> Generator[Epoch, None, Best]:
        """Train to the end: as many epochs as the recipe says, unless given, and the best of them as `Loop` picks it.

        Where nothing picks, only the last epoch is validated. names: of the stream that epochs draw from, if another.
        """
        epochs = epochs or self.recipe.epochs
        loop = Loop(
            modules=self.modules,
            optimisers=self.optimisers,
            steps=self.steps,
            validate=self.validate,
            epochs=epochs,
            validate_every=self.recipe.validate_every if best else epochs,
            best=best,
            better=better,
            keep=keep,
        )
        root = seed(self.context.seed, *(names or self.names))
        return (yield from run(loop, root=root, checkpoint=self.context.checkpoint))


@final
class SegmentorTraining(NetworkTraining[Any]):
    """A network that segments axial slices of hemispheres, trained on the annotated diseased ones of one domain.

    An epoch shows every such slice once, augmented. recipe: has `optimiser`, `batch`, `epochs` and `validate_every`.
    context: of a stage that reads images, masks and weak labels of the domain's training and validation cases.
    build: makes the network, which takes images (b, 1, y, x) to probabilities of tumour of the same shape; it is called
        when the random numbers of the first weights are seeded.
    loss: from masks and probabilities, (b, 1, y, x) each, to named terms, already weighted; their sum is descended.

    Raises:
        BadInput: the split leaves no annotated diseased slice to train on, or none to select on.

    """

    def __init__(
        self,
        recipe: Any,
        context: Any,
        *,
        build: Callable[[], nn.Module],
        loss: Callable[[Tensor, Tensor], Mapping[str, Tensor]],
        domain: Domain = "target",
    ) -> None:
        super().__init__(recipe, context, "segmentor")
        self.network, self.loss = build().to(self.device), loss
        self.modules, self.optimisers = {"network": self.network}, {"g": amsgrad([self.network], recipe.optimiser)}
        self.crops: dict[str, Crops] = {}
        splits: tuple[SplitName, ...] = ("train", "validation")
        for split in splits:
            diseased, _ = hemisphere_slices(hemisphere_volumes(context.task, domain, split), SliceRule())
            crops = Crops(diseased)
            annotated = tuple(unit for index, unit in enumerate(diseased.units) if index in crops.annotated)
            self.crops[split] = Crops(replace(diseased, units=annotated))
            if not annotated:
                remedy = f"raise task.{domain}_labels, add cases, or change task.split_seed"
                msg = f"the split leaves no annotated diseased {domain} slice in its {split} cases; {remedy}"
                raise BadInput(msg)

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """Train for one epoch; the terms of the loss of every step."""
        self.begin_epoch(epoch)
        crops, rng = self.crops["train"], self.rng(epoch)
        loaded = (crops.load(which, rng) for which in batches(len(crops), self.recipe.batch, rng))
        yield from self.supervised(loaded, self.terms)

    def terms(self, batch: CropBatch) -> Mapping[str, Tensor]:
        """The loss of a batch, in fp32."""
        with autocast(self.context.runtime):
            y_hat = self.network(batch.x).float()
        return self.loss(batch.y, y_hat)

    def validate(self) -> dict[str, float]:
        """Dice over the voxels of all validation slices, at 0.5."""
        training_mode(self.modules.values(), on=False)
        return micro_dice([(self.network, self.crops["validation"])], self.context.runtime, batch=self.recipe.batch)

    def train(self) -> Generator[Epoch, None, Outcome]:
        """Keep the epoch with the highest validation Dice, as `weights.safetensors` of the stage, module "network"."""
        best = yield from self.fit()
        save_tensors(self.context.directory / WEIGHTS, best.tensors)
        return Outcome({"validation/dice": best.value}, {"best_epoch": best.epoch})


class AdversarialTraining(NetworkTraining[C]):
    """The same against discriminators, the `judges`, which the optimiser "d" steps; "g" steps all other networks."""

    judges: Sequence[nn.Module]

    @abstractmethod
    def forward(self, batch: Any) -> Any:
        """What the terms are computed of: images made of a batch, say; no discriminator is run."""

    @abstractmethod
    def d_terms(self, of: Any) -> dict[str, Tensor]:
        """The terms that the discriminators minimise together, already weighted, by name."""

    @abstractmethod
    def g_terms(self, of: Any) -> dict[str, Tensor]:
        """The terms that all other networks minimise together, already weighted, by name."""

    def adversarial(self, batches: Iterator[Parted]) -> Generator[Mapping[str, Tensor], None, None]:
        """A step of the discriminators on every batch, then one of the other networks."""
        step = AdversarialStep(
            forward=self.forward,
            d_terms=self.d_terms,
            g_terms=self.g_terms,
            optimiser_d=self.optimisers["d"],
            optimiser_g=self.optimisers["g"],
            generators=[module for module in self.modules.values() if module not in self.judges],
            discriminators=self.judges,
        )
        yield from map(step, micro_batches(batches, self.context.runtime))


def training_mode(modules: Iterable[nn.Module], *, on: bool) -> None:
    """Put modules into training or eval mode."""
    for module in modules:
        module.train(on)
