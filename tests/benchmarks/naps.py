"""A method of one stage that sleeps, and writes down when: the least that a stage run can be."""

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from medsearch.core.recipes import recipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import BY_MASKS, Selection
from medsearch.stages.pipelines import Node, Pipeline
from medsearch.stages.stage import Epoch, Outcome, Stage, Training


@recipe
class NapRecipe:
    seconds: float = 1.0
    number: int = 0


@dataclass(frozen=True)
class Nap(Stage):
    recipe: NapRecipe
    name: ClassVar[str] = "nap"
    version: ClassVar[int] = 1

    def reads(self) -> frozenset[str]:
        return frozenset({"target.test.images"})

    def train(self, context: StageContext) -> Training:
        sleep(self.recipe.seconds, context.directory.parents[2] / "naps.txt")
        yield Epoch(1, {})
        return Outcome({"test/dice": 0.5})


@dataclass(frozen=True, kw_only=True)
class Napping:
    """The method."""

    recipe: NapRecipe = field(default_factory=NapRecipe)
    scale: str = "tiny"
    rules: ClassVar[tuple[Selection, ...]] = BY_MASKS

    @property
    def name(self) -> str:
        return "napping"

    @property
    def task_knobs(self) -> dict[str, Any]:
        return {}

    def at(self, scale: str) -> "Napping":
        return replace(self, scale=scale)

    def pipeline(self, recipe: NapRecipe, *, selection: Selection, test: bool = False) -> Pipeline:
        return Pipeline((Node("test", Nap(recipe)),))

    def reported(self) -> dict[str, Any]:
        return {}


def sleep(seconds: float, file: Path) -> None:
    """Sleep, then append who slept, from when to when, without pushing it to the disk."""
    began = time.time()
    time.sleep(seconds)
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{os.getpid()} {began} {time.time()}\n".encode())
    os.close(handle)
