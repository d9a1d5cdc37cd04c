"""How every baseline trains: an epoch of its steps, and epochs until the best is known."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from medsearch.core.seeds import generator, seed
from medsearch.methods.baselines.recipe import AdamRecipe
from medsearch.methods.baselines.slices import Drawing
from medsearch.stages.context import StageContext
from medsearch.training import optimisers
from medsearch.training.adversarial import AdversarialStep
from medsearch.training.epochs import Epoch
from medsearch.training.loop import Best, Loop, run
from medsearch.training.precision import prepare_torch
from medsearch.training.prefetch import micro_batches


class BaselineTraining(ABC):
    """Everything that a stage holds while it trains.

    The recipe is one of `TrainedByAdam`, with `batch`, `augment` and `validate_every`. All random numbers are drawn
    from the streams `names` of the run's seed, those of the networks' first weights at once.
    """

    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Adam]

    def __init__(self, recipe: Any, context: StageContext, *names: str) -> None:
        prepare_torch(context.runtime)
        torch.manual_seed(seed(context.seed, *names, "initialisation"))
        self.recipe, self.context, self.names, self.device = recipe, context, names, context.runtime.device

    @abstractmethod
    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One epoch."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """What picks the best epoch."""

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate of an epoch, counted from 1, and put all modules into training mode."""
        optimisers.set_rate(self.optimisers.values(), self.recipe.optimiser.rate(epoch, self.recipe.epochs))
        training_mode(self.modules.values(), on=True)

    def fit(
        self,
        *,
        keep: tuple[str, ...] = (),
        best: str = "validation/dice",
        better: Callable[[float, float], float] = max,
    ) -> Generator[Epoch, None, Best]:
        """Train to the end; the weights of the modules to `keep`, all by default, at the best epoch."""
        loop = Loop(
            modules=self.modules,
            optimisers=self.optimisers,
            steps=self.steps,
            validate=self.validate,
            epochs=self.recipe.epochs,
            validate_every=self.recipe.validate_every,
            best=best,
            better=better,
            keep=keep,
        )
        return (yield from run(loop, root=seed(self.context.seed, *self.names), checkpoint=self.context.checkpoint))


class AdversarialTraining(BaselineTraining):
    """The same, of two contrasts, whose networks are trained against discriminators, the `judges`."""

    drawing: Drawing
    judges: Sequence[nn.Module]

    @abstractmethod
    def forward(self, batch: Any) -> Any:
        """What terms look at."""

    @abstractmethod
    def d_terms(self, of: Any) -> dict[str, Tensor]:
        """What discriminators minimise, by term."""

    @abstractmethod
    def g_terms(self, of: Any) -> dict[str, Tensor]:
        """What all other networks minimise, by term."""

    def steps(self, epoch: int) -> Generator[Mapping[str, Tensor], None, None]:
        """One epoch."""
        self.begin_epoch(epoch)
        step = AdversarialStep(
            forward=self.forward,
            d_terms=self.d_terms,
            g_terms=self.g_terms,
            optimiser_d=self.optimisers["d"],
            optimiser_g=self.optimisers["g"],
            generators=[module for module in self.modules.values() if module not in self.judges],
            discriminators=self.judges,
        )
        rng = generator(self.context.seed, *self.names, "epoch", epoch)
        batches = self.drawing.batches(self.recipe.batch, augment=self.recipe.augment, rng=rng)
        yield from map(step, micro_batches(batches, self.context.runtime))


def adam(modules: Iterable[nn.Module], settings: AdamRecipe) -> torch.optim.Adam:
    """With AMSGrad or without, as the recipe says."""
    return optimisers.adam(modules, settings, amsgrad=settings.amsgrad)


def training_mode(modules: Iterable[nn.Module], *, on: bool) -> None:
    """Put modules into training or eval mode."""
    for module in modules:
        module.train(on)
