"""How every baseline trains: an epoch of its steps, and epochs until the best is known."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from medsearch.core.seeds import generator, seed
from medsearch.methods.baselines.drawing import Drawing, Pair
from medsearch.methods.baselines.optimising import set_rate
from medsearch.methods.baselines.recipe import AdamRecipe
from medsearch.methods.baselines.selecting import training_mode
from medsearch.stages.context import StageContext
from medsearch.training.adversarial import AdversarialStep, Terms
from medsearch.training.epochs import Epoch
from medsearch.training.loop import Best, Loop, run
from medsearch.training.prefetch import micro_batches


@runtime_checkable
class Lengths(Protocol):
    """What a stage's recipe says of its epochs."""

    @property
    def optimiser(self) -> AdamRecipe:
        """Of all networks."""

    @property
    def epochs(self) -> int:
        """In all."""

    @property
    def validate_every(self) -> int:
        """Epochs."""

    @property
    def batch(self) -> int:
        """Slices of each contrast, or of the one list."""

    @property
    def augment(self) -> bool:
        """Whether slices are augmented."""


@runtime_checkable
class Fitted(Protocol):
    """What a stage holds while it trains."""

    context: StageContext
    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Adam]

    @property
    def recipe(self) -> Lengths:
        """Of the stage."""

    def steps(self, epoch: int) -> Iterator[Mapping[str, Tensor]]:
        """One epoch."""

    def validate(self) -> dict[str, float]:
        """What picks the best epoch."""


@runtime_checkable
class Adversarial(Fitted, Protocol):
    """The same, of two contrasts, with discriminators."""

    drawing: Drawing

    @property
    def judges(self) -> Sequence[nn.Module]:
        """The discriminators."""

    @property
    def forward(self) -> Callable[[Pair], Any]:
        """What terms look at."""

    @property
    def d_terms(self) -> Callable[[Any], Terms]:
        """Of discriminators."""

    @property
    def g_terms(self) -> Callable[[Any], Terms]:
        """Of all other networks."""


def begin_epoch(training: Fitted, epoch: int) -> None:
    """Set the rate and the mode of an epoch."""
    recipe = training.recipe
    set_rate(training.optimisers.values(), recipe.optimiser, epoch, recipe.epochs)
    training_mode(training.modules.values(), on=True)


def adversarial_steps(training: Adversarial, epoch: int, *names: str) -> Generator[Mapping[str, Tensor], None, None]:
    """One epoch; `names` are of the stream that it draws from."""
    recipe, context = training.recipe, training.context
    begin_epoch(training, epoch)
    step = AdversarialStep(
        forward=training.forward,
        d_terms=training.d_terms,
        g_terms=training.g_terms,
        optimiser_d=training.optimisers["d"],
        optimiser_g=training.optimisers["g"],
        generators=[module for module in training.modules.values() if module not in training.judges],
        discriminators=training.judges,
    )
    rng = generator(context.seed, *names, "epoch", epoch)
    batches = training.drawing.batches(recipe.batch, augment=recipe.augment, rng=rng)
    yield from map(step, micro_batches(batches, context.runtime))


def fitted(
    training: Fitted,
    *names: str,
    keep: tuple[str, ...] = (),
    best: str = "validation/dice",
    better: Callable[[float, float], float] = max,
) -> Generator[Epoch, None, Best]:
    """Train to the end; the weights of the modules to `keep`, all by default, at the best epoch."""
    recipe, context = training.recipe, training.context
    loop = Loop(
        modules=training.modules,
        optimisers=training.optimisers,
        steps=training.steps,
        validate=training.validate,
        epochs=recipe.epochs,
        validate_every=recipe.validate_every,
        best=best,
        better=better,
        keep=keep,
    )
    return (yield from run(loop, root=seed(context.seed, *names), checkpoint=context.checkpoint))
