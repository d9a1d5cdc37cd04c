"""A stage that needs a known amount of memory a sample, and fails as torch does when its share has not that much.

No torch: what it "takes" is numbers. One epoch is one line in `eaten.txt` beside the stages.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from medsearch.core.recipes import recipe
from medsearch.core.records import append_line, read_json, write_json
from medsearch.stages.context import StageContext
from medsearch.stages.stage import Epoch, Outcome, Stage, Training

CAPACITY = 16_000
"""Bytes of the pretended device."""


@recipe
class Appetite:
    epochs: int = 4
    batch: int = 8
    sample: int = 1_000
    """Bytes a sample takes."""
    base: int = 0
    """Bytes that the networks take whatever the micro-batch."""
    from_epoch: int = 1
    """Before it, nothing is taken."""
    weight: float = 1.0


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
        line = {"epoch": epoch, "at_once": at_once, "share": context.runtime.share, "took": took}
        append_line(context.directory.parents[1] / "eaten.txt", {"key": context.directory.parent.name, **line})
        if took > CAPACITY * context.runtime.share:
            msg = f"CUDA out of memory. Tried to allocate {took} bytes\nand so on"
            raise error(msg)
        write_json(state, {"epoch": epoch})
        yield Epoch(epoch, {"train/loss": 1 / epoch, "validation/dice": epoch / of.epochs}, 2, 0.5)
    assert held is not None
    return Outcome({"validation/dice": 1.0})
