"""A stage that needs a known amount of memory a sample, and fails as torch does when its share has not that much.

No torch: what it "takes" is numbers, and `Balance` weighs them. One epoch is one line in `eaten.txt` beside the stages.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from medsearch.core.recipes import recipe
from medsearch.core.records import append_line, read_json, write_json
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Stage, Training

CAPACITY = 16_000
"""MiB of the pretended device."""

TAKEN = [0]
"""The most that was taken in this process, in MiB."""


@recipe
class Appetite:
    epochs: int = 4
    batch: int = 8
    sample: int = 1_000
    """MiB that a sample takes."""
    base: int = 0
    """MiB that the networks take whatever the micro-batch."""
    from_epoch: int = 1
    """Before it, nothing is taken."""
    later: int = 0
    """MiB more from the third epoch on."""
    weight: float = 1.0
    seconds: float = 0.0
    """Of an epoch."""


@dataclass(frozen=True)
class Balance:
    """A meter of what is pretended to be taken."""

    def begin(self) -> None:
        TAKEN[0] = 0

    def peak(self) -> int:
        return TAKEN[0] << 20

    def device(self) -> tuple[str, int]:
        return "pretended", CAPACITY << 20


class Held:
    """Stands for tensors: a test looks whether it is still alive."""


@dataclass(frozen=True, kw_only=True)
class Hungry(Stage):
    name: ClassVar[str] = "hungry"
    version: ClassVar[int] = 1
    recipe: Appetite = field(default_factory=Appetite)

    @property
    def batch(self) -> int | None:
        return self.recipe.batch or None

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.presence"})

    def train(self, context: StageContext) -> Training:
        return eat(self.recipe, context)


def eat(
    of: Appetite,
    context: StageContext,
    *,
    error: Callable[[str], BaseException] = RuntimeError,
    hold: Callable[[Held], object] = id,
) -> Training:
    state = context.checkpoint / "state.json"
    done = read_json(state)["epoch"] if state.exists() else 0
    held = Held()
    hold(held)
    at_once = context.runtime.at_once(of.batch)
    for epoch in range(done + 1, of.epochs + 1):
        took = of.base + of.sample * at_once if epoch >= of.from_epoch else 0
        took += of.later if epoch > 2 else 0
        began, out = time.time(), took > CAPACITY * context.runtime.share
        time.sleep(0 if out else of.seconds)
        line = {"epoch": epoch, "at_once": at_once, "share": context.runtime.share, "out": out}
        line |= {"key": context.directory.parent.name, "pid": os.getpid(), "began": began, "ended": time.time()}
        append_line(context.directory.parents[1] / "eaten.txt", line)
        if out:
            msg = f"CUDA out of memory. Tried to allocate {took} MiB\nand so on"
            raise error(msg)
        TAKEN[0] = max(TAKEN[0], took)
        if of.batch:  # a single pass keeps nothing to go on from
            write_json(state, {"epoch": epoch})
        yield Epoch(epoch, {"train/loss": 1 / epoch, "validation/dice": epoch / of.epochs}, 2, 0.5)
    assert held is not None
    return Outcome({"validation/dice": 1.0})
