"""What stages hold while they train: networks and optimisers, an epoch of steps, and epochs until the best is known."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from medsearch.core.seeds import generator, seed
from medsearch.training.adversarial import AdversarialStep, supervised_step
from medsearch.training.epochs import Epoch
from medsearch.training.loop import Best, Loop, run
from medsearch.training.optimisers import set_rate
from medsearch.training.precision import prepare_torch
from medsearch.training.prefetch import Parted, micro_batches
from medsearch.training.runtime import Runtime


@runtime_checkable
class Running(Protocol):
    """What a training needs to know of the stage that runs it."""

    @property
    def seed(self) -> int:
        """Of all that is drawn."""

    @property
    def runtime(self) -> Runtime:
        """How to compute."""

    @property
    def checkpoint(self) -> Path:
        """Where a resumable state lies."""


C = TypeVar("C", bound=Running)


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


class AdversarialTraining(NetworkTraining[C]):
    """The same against discriminators, the `judges`, which the optimiser "d" steps; "g" steps all other networks."""

    judges: Sequence[nn.Module]

    @abstractmethod
    def forward(self, batch: Any) -> Any:
        """All that terms look at; no discriminator is run."""

    @abstractmethod
    def d_terms(self, of: Any) -> dict[str, Tensor]:
        """What discriminators minimise, by term."""

    @abstractmethod
    def g_terms(self, of: Any) -> dict[str, Tensor]:
        """What all other networks minimise, by term."""

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
