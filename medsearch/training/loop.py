"""The loop that every stage runs: epochs of steps, validation, the best state so far, a checkpoint to go on from."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.core.seeds import seed
from medsearch.training.checkpoints import Checkpoint, module_tensors
from medsearch.training.epochs import Epoch

CHECKPOINT_SECONDS = 20.0
"""A kill loses at most this much training and the running epoch; a stop loses the running epoch."""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What a stage gives to the loop.

    `steps(epoch)` runs one epoch, yielding the loss terms of each step; `validate()` returns metrics, of which
    `best` picks the best epoch (`better` is `max` or `min`; the earlier one if they are equal). Without a `best` the
    last epoch is kept, whatever it measures.
    """

    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, torch.optim.Optimizer]
    steps: Callable[[int], Iterator[Mapping[str, Tensor]]]
    validate: Callable[[], Mapping[str, float]]
    epochs: int
    validate_every: int = 1
    best: str = "validation/dice"
    better: Callable[[float, float], float] = max
    keep: tuple[str, ...] = ()
    """Names of the modules whose best weights are kept; all of them when empty."""

    def kept(self) -> dict[str, Tensor]:
        """A copy of the weights that are kept, as they are now, by `<module>/<parameter>`."""
        modules = {name: self.modules[name] for name in self.keep or self.modules}
        return {name: tensor.detach().clone() for name, tensor in module_tensors(modules).items()}


@dataclass(frozen=True)
class Best:
    """The best epoch so far; the last one's value is not a number where nothing picks."""

    epoch: int
    value: float
    tensors: Mapping[str, Tensor]
    measured: Mapping[str, float] = field(default_factory=dict)
    """What validation said of the last epoch, where nothing picks."""


def run(loop: Loop, *, root: int, checkpoint: Path) -> Generator[Epoch, None, Best]:
    """Train to the end, from `checkpoint` if it holds a state; return the weights of the best epoch, or of the last.

    Every epoch draws from its own stream of `root`, so a resumed run repeats an uninterrupted one. Closing the
    generator saves the last epoch.

    Raises:
        BadInput: there is no epoch to train.

    """
    for knob, value in (("epochs", loop.epochs), ("validate_every", loop.validate_every)):
        if value < 1:
            msg = f"{knob} = {value} leaves nothing to train; it must be 1 or more"
            raise BadInput(msg)
    store = Checkpoint(checkpoint, loop.modules, loop.optimisers)
    done, best = 0, None
    if (loaded := store.load()) is not None:
        state, tensors = loaded
        done, best = state["epoch"], Best(**state["best"], tensors=tensors) if state["best"] else None
    measured: Mapping[str, float] | None = None
    saved = time.monotonic()
    for number in range(done + 1, loop.epochs + 1):
        torch.manual_seed(seed(root, "epoch", number))
        began = time.monotonic()
        sums: dict[str, Tensor] = {}
        steps = 0
        for terms in loop.steps(number):
            steps += 1
            for name, term in terms.items():
                sums[name] = sums.get(name, torch.zeros((), device=term.device)) + term.detach().float()
        metrics = {f"train/{name}": (total / steps).item() for name, total in sums.items()}
        stepping = time.monotonic() - began  # to the end of a GPU's work, for the mean has been read
        if number % loop.validate_every == 0 or number == loop.epochs:
            measured = loop.validate()
            metrics |= measured
            if not loop.best:
                best = None
            elif best is None or loop.better(best.value, metrics[loop.best]) != best.value:
                best = Best(number, metrics[loop.best], loop.kept())
        sound = all(math.isfinite(value) for value in metrics.values())  # what diverged is not worth going on from
        if due := sound and time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save(store, number, best)
            saved = time.monotonic()
        try:
            yield Epoch(number, metrics, steps, stepping)
        except GeneratorExit:
            if sound and not due:
                _save(store, number, best)
            raise
    if best is not None:
        return best
    return Best(loop.epochs, math.nan, loop.kept(), loop.validate() if measured is None else measured)


def _save(store: Checkpoint, number: int, best: Best | None) -> None:
    state = {"epoch": number, "best": None if best is None else {"epoch": best.epoch, "value": best.value}}
    store.save(state, best.tensors if best else None)
