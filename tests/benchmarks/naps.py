"""A method of one stage that sleeps, and writes down when: the least that a stage run can be."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from medsearch.core.recipes import recipe
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Node
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


def make_nodes(recipe: NapRecipe, selection: Selection) -> Iterator[Node]:
    yield Node("test", Nap(recipe))


NAPPING = Method(
    name="napping", make_recipe=lambda scale: NapRecipe(), make_nodes=make_nodes, settings={"scale": "tiny"}
)


def sleep(seconds: float, file: Path) -> None:
    """Sleep, then append who slept, from when to when, without pushing it to the disk."""
    began = time.time()
    time.sleep(seconds)
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{os.getpid()} {began} {time.time()}\n".encode())
    os.close(handle)
