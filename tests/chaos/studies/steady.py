"""A method that iterates a number: every epoch depends on all before it, on the seed, the recipe and what came before.

One epoch lost, done twice or begun from a wrong checkpoint changes every digit of the table, and so do data that are
not whole. What is trained is written down in STEADY_WORK/<home>.jsonl, epoch by epoch, when it begins and when it ends.
STEADY_PACE is the length of an epoch in seconds; it is no part of the recipe, so a hurried run has the same numbers.
"""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from medsearch.core.recipes import recipe
from medsearch.core.records import append_line, read_json, write_json
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Epoch, Outcome, Stage, Training

CASES = 6


@recipe
class Iteration:
    epochs: int = 4
    rate: float = 3.7
    """Of the logistic map; between 3.6 and 4 it is chaotic."""


@recipe
class SteadyRecipe:
    translation: Iteration = field(default_factory=lambda: Iteration(epochs=3))
    segmentation: Iteration = field(default_factory=Iteration)


@dataclass(frozen=True)
class SteadyStage(Stage):
    recipe: Iteration

    version: ClassVar[int] = 1

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.images", "target.train.images", "target.validation.masks"})

    def train(self, context: StageContext) -> Training:
        """All that is known of a life is in its checkpoint, the outcome included: a kill may come after the end."""
        file = context.checkpoint / "state.json"
        state = read_json(file) if file.exists() else {"epoch": 0, "x": _from(context)}
        for number in range(state["epoch"] + 1, self.recipe.epochs + 1):
            _note(context, self.name, number, "begun")
            time.sleep(float(os.environ.get("STEADY_PACE", "0")))
            push = 0.02 * np.random.default_rng((context.seed, number)).random()
            state = {"epoch": number, "x": self.recipe.rate * state["x"] * (1 - state["x"]) * 0.98 + push}
            write_json(file, state)
            _note(context, self.name, number, "ended")
            yield Epoch(number, {"train/x": state["x"], **_validation(state)})
        return Outcome(_validation(state))


@dataclass(frozen=True)
class SteadyTranslation(SteadyStage):
    name: ClassVar[str] = "steady-translation"

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.images", "target.train.images"})


@dataclass(frozen=True)
class SteadySegmentation(SteadyStage):
    name: ClassVar[str] = "steady-segmentation"


@dataclass(frozen=True)
class SteadyTest(Stage):
    recipe: Any = None
    name: ClassVar[str] = "steady-test"
    version: ClassVar[int] = 1

    def reads(self) -> frozenset[str]:
        return frozenset({"target.test.images", "target.test.masks"})

    def train(self, context: StageContext) -> Training:
        _note(context, self.name, 1, "begun")
        mean = context.upstream["model"].metrics["validation/dice"]
        shifts = np.random.default_rng(context.seed).normal(0, 0.02, CASES)
        rows = [{"subject": f"case-{at}", "dice": mean + shift, "assd": 1 - mean} for at, shift in enumerate(shifts)]
        (context.directory / "volumes.txt").write_text(f"{mean!r}\n")
        yield Epoch(1, {})
        _note(context, self.name, 1, "ended")
        metrics = {f"test/{name}": float(np.mean([row[name] for row in rows])) for name in ("dice", "assd")}
        return Outcome(metrics, notes={"cases": rows})


def make_nodes(recipe: SteadyRecipe, selection: Selection) -> Iterator[Node]:
    yield Node("translation", SteadyTranslation(recipe.translation))
    yield Node("segmentation", SteadySegmentation(recipe.segmentation), {"translator": "translation"})
    yield Node("test", SteadyTest(), {"model": "segmentation"})


STEADY = Method(
    name="steady", make_recipe=lambda scale: SteadyRecipe(), make_nodes=make_nodes, settings={"scale": "tiny"}
)


def _validation(state: Mapping[str, float]) -> dict[str, float]:
    return {"validation/dice": 0.5 + 0.4 * state["x"]}


def _from(context: StageContext) -> float:
    """Where the iteration begins: in (0, 1), by the seed, by what came before, and by the images."""
    before = sum(artifact.metrics["validation/dice"] for artifact in context.upstream.values())
    images = (context.task.image("source", "train", subject) for subject in context.task.subjects("source", "train"))
    seen = sum(float(np.abs(image).mean(dtype=np.float64)) for image in images)
    start: float = np.random.default_rng(context.seed).random()
    return 0.1 + 0.8 * ((start + before + seen) % 1.0)


def _note(context: StageContext, stage: str, epoch: int, what: str) -> None:
    key, home = context.directory.parent.name, context.directory.parents[2].name
    line = {"key": key, "stage": stage, "epoch": epoch, "what": what, "pid": os.getpid(), "time": time.time()}
    append_line(Path(os.environ["STEADY_WORK"]) / f"{home}.jsonl", {**line, "device": context.runtime.device})
