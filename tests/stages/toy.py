"""A stage that counts: no torch, no data but what it declares."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import recipe
from medsearch.stages.context import StageContext
from medsearch.stages.pipelines import StageRun
from medsearch.stages.stage import Epoch, Outcome, Stage, Training
from tests.micro import TASK


@recipe
class Inner:
    a: float = 1.0


@recipe
class Counting:
    epochs: int = 3
    diverges_at: int = 0
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True, kw_only=True)
class Counter(Stage):
    """Epochs with the metric `count`, resumed from a file after every one; writes `result.json` and a folder."""

    name: ClassVar[str] = "counter"
    version: ClassVar[int] = 1
    recipe: Counting = field(default_factory=Counting)
    parts: tuple[str, ...] = ("source.train.presence",)

    def reads(self) -> frozenset[str]:
        return frozenset(self.parts)

    def train(self, context: StageContext) -> Training:
        for number in self._numbers(context.checkpoint):
            note(context, number)
            yield Epoch(number, {"count": math.nan if number == self.recipe.diverges_at else float(number)})
        (context.directory / "result.json").write_text(json.dumps({"seed": context.seed}))
        (context.directory / "folder").mkdir()
        (context.directory / "folder" / "inner.txt").write_text("inner")
        return Outcome({"last": float(self.recipe.epochs)}, {"subjects": context.task.subjects("source", "train")})

    def _numbers(self, checkpoint: Path) -> Iterator[int]:
        checkpoint.mkdir(exist_ok=True)
        done = len(list(checkpoint.iterdir()))
        for number in range(done + 1, self.recipe.epochs + 1):
            yield number
            (checkpoint / str(number)).touch()


def note(context: StageContext, number: int) -> None:
    """Leave a trace of a trained epoch beside the stages."""
    with (context.directory.parents[1] / "trained.txt").open("a") as file:
        file.write(f"{number}\n")


def run_of(
    stage: Stage, seed: int = 0, upstream: dict[str, str] | None = None, task: CrossModalityTask = TASK
) -> StageRun:
    return StageRun("counting", stage, seed, task, dict.fromkeys(stage.reads(), "part"), upstream or {})
