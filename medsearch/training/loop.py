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
    _require_epochs(loop)
    store = Checkpoint(checkpoint, loop.modules, loop.optimisers)
    done, best = _resume(store)
    measured: Mapping[str, float] | None = None
    saved = time.monotonic()
    for number in range(done + 1, loop.epochs + 1):
        torch.manual_seed(seed(root, "epoch", number))
        began = time.monotonic()
        terms, steps = _mean(loop.steps(number))
        stepping = time.monotonic() - began  # to the end of a GPU's work, for the mean has been read
        metrics = {f"train/{term}": value for term, value in terms.items()}
        if number % loop.validate_every == 0 or number == loop.epochs:
            measured = loop.validate()
            metrics |= measured
            best = _better(loop, best, number, metrics[loop.best]) if loop.best else None
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
    return Best(loop.epochs, math.nan, _kept(loop), loop.validate() if measured is None else measured)


def _require_epochs(loop: Loop) -> None:
    for knob, value in (("epochs", loop.epochs), ("validate_every", loop.validate_every)):
        if value < 1:
            msg = f"{knob} = {value} leaves nothing to train; it must be 1 or more"
            raise BadInput(msg)


def _mean(steps: Iterator[Mapping[str, Tensor]]) -> tuple[dict[str, float], int]:
    """The mean of every term over the steps, and their number."""
    sums: dict[str, Tensor] = {}
    count = 0
    for terms in steps:
        count += 1
        for term, value in terms.items():
            sums[term] = sums.get(term, torch.zeros((), device=value.device)) + value.detach().float()
    return {term: (total / count).item() for term, total in sums.items()}, count


def _kept(loop: Loop) -> dict[str, Tensor]:
    modules = {name: loop.modules[name] for name in loop.keep or loop.modules}
    return {name: tensor.detach().clone() for name, tensor in module_tensors(modules).items()}


def _better(loop: Loop, best: Best | None, number: int, value: float) -> Best:
    if best is not None and loop.better(best.value, value) == best.value:
        return best
    return Best(number, value, _kept(loop))


def _save(store: Checkpoint, number: int, best: Best | None) -> None:
    state = {"epoch": number, "best": None if best is None else {"epoch": best.epoch, "value": best.value}}
    store.save(state, best.tensors if best else None)


def _resume(store: Checkpoint) -> tuple[int, Best | None]:
    loaded = store.load()
    if loaded is None:
        return 0, None
    state, extra = loaded
    best = state["best"]
    return state["epoch"], Best(best["epoch"], best["value"], extra) if best else None
