"""A method that trains a number: real stages, real store, no torch. Its optimum is known.

The last stage's Dice is 1 - (log10(a) - 1)^2 / 4 - (b - 0.5)^2, so a = 10, b = 0.5 is the best; `wide` adds 0.01.
Every stage run appends a line to `executions.txt` in the home, so a test can count what was trained.
"""

import json
import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from medsearch.cohorts.atomic_folder import CASES, made_once
from medsearch.cohorts.cohort import Roster
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import Diverged
from medsearch.core.ranges import PositiveFloat, PositiveInt
from medsearch.core.recipes import recipe
from medsearch.core.records import append_line, read_json, write_json
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Epoch, Outcome, Stage, Training
from medsearch.study.engine.jobs import StudyEnvironment
from tests.study.headers import ABOUT


@recipe
class Weights:
    a: PositiveFloat = 1.0
    b: float = 0.0


@recipe
class Translation:
    epochs: PositiveInt = 2
    breaks: bool = False
    seconds: float = 0.0


@recipe
class Segmentation:
    epochs: PositiveInt = 4
    weights: Weights = field(default_factory=Weights)
    crossing: bool = False
    """Whether the better configurations start slower."""
    accident: str = ""
    """"diverge", "bug", "memory", "allocate", "die" or "die once", for b above 0.9."""
    seconds: float = 0.0
    """Per epoch, for tests that kill in the middle of one."""


@recipe
class Polish:
    epochs: PositiveInt = 1
    wide: bool = False


@recipe
class ToyRecipe:
    translation: Translation = field(default_factory=Translation)
    segmentation: Segmentation = field(default_factory=Segmentation)
    polish: Polish = field(default_factory=Polish)


def quality(weights: Weights) -> float:
    return 1 - (math.log10(weights.a) - 1) ** 2 / 4 - (weights.b - 0.5) ** 2


@dataclass(frozen=True)
class ToyStage(Stage):
    recipe: Any

    version: ClassVar[int] = 1

    def _epochs(self, context: StageContext, count: int, seconds: float) -> Any:
        """Epoch numbers that are left; each is kept in the checkpoint."""
        state = context.checkpoint / "state.json"
        done = read_json(state)["epoch"] if state.exists() else 0
        home, key = context.directory.parents[2], context.directory.parent.name
        append_line(home / "executions.txt", {"stage": self.name, "key": key, "from": done, "pid": os.getpid()})
        for epoch in range(done + 1, count + 1):
            time.sleep(seconds)
            write_json(state, {"epoch": epoch})
            yield epoch

    def reads(self) -> frozenset[str]:
        return frozenset(
            {"source.train.images", "source.train.masks", "target.train.images", "target.validation.masks"}
        )


@dataclass(frozen=True)
class TranslationStage(ToyStage):
    recipe: Translation
    name: ClassVar[str] = "toy-translation"

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.images", "target.train.images"})

    def train(self, context: StageContext) -> Training:
        if self.recipe.breaks:
            msg = "toy translation diverged"
            raise Diverged(msg)
        for epoch in self._epochs(context, self.recipe.epochs, self.recipe.seconds):
            yield Epoch(epoch, {"train/cycle": 1 / epoch})
        return Outcome({"validation/psnr": 20.0})


@dataclass(frozen=True)
class SegmentationStage(ToyStage):
    recipe: Segmentation
    name: ClassVar[str] = "toy-segmentation"

    def train(self, context: StageContext) -> Training:
        of, best = self.recipe, quality(self.recipe.weights)
        assert context.task.image("source", "train", context.task.subjects("source", "train")[0]).ndim == 3
        for epoch in self._epochs(context, of.epochs, of.seconds):
            if of.weights.b > 0.9:
                accident(of.accident, context)
            pace = 0.2 + max(best, 0) if of.crossing else 0.5
            dice = best * (1 - math.exp(-epoch / of.epochs / pace * 2))
            yield Epoch(epoch, {"train/dice": 1 - dice, "validation/dice": dice})
        return Outcome({"validation/dice": best})


@dataclass(frozen=True)
class PolishStage(ToyStage):
    recipe: Polish
    name: ClassVar[str] = "toy-polish"

    def train(self, context: StageContext) -> Training:
        before = context.upstream["model"].metrics["validation/dice"]
        noise = np.random.default_rng(context.seed).normal() * 1e-3
        dice = before + 0.01 * self.recipe.wide + noise
        for epoch in self._epochs(context, self.recipe.epochs, 0.0):
            yield Epoch(epoch, {"validation/dice": dice})
        return Outcome({"validation/dice": dice, "validation/cost": 2.0 if self.recipe.wide else 1.0})


@dataclass(frozen=True)
class TestStage(ToyStage):
    recipe: Any = None
    name: ClassVar[str] = "toy-test"

    def reads(self) -> frozenset[str]:
        return frozenset({"target.test.images", "target.test.masks"})

    def train(self, context: StageContext) -> Training:
        for epoch in self._epochs(context, 1, 0.0):
            yield Epoch(epoch, {})
        return Outcome({"test/dice": context.upstream["model"].metrics["validation/dice"] - 0.05})


def accident(kind: str, context: StageContext) -> None:
    if kind == "diverge":
        msg = "train/dice = nan at epoch 1: training diverged"
        raise Diverged(msg)
    if kind == "bug":
        msg = "a bug\nin two lines"
        raise ValueError(msg)
    if kind == "memory":
        msg = "CUDA out of memory. Tried to allocate 20.00 GiB"
        raise RuntimeError(msg)
    if kind == "allocate":
        assert np.ones(3_000_000_000, dtype=np.uint8)[-1] == 1
    mark = context.directory.parents[1] / f"died-{context.directory.parent.name}"
    if kind == "die" or (kind == "die once" and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def make_nodes(recipe: ToyRecipe, selection: Selection) -> Iterator[Node]:
    yield Node("translation", TranslationStage(recipe.translation))
    yield Node("segmentation", SegmentationStage(recipe.segmentation), {"translator": "translation"})
    yield Node("polish", PolishStage(recipe.polish), {"model": "segmentation"})
    yield Node("test", TestStage(), {"model": "polish"})


TOY = Method(
    name="toy",
    title="Toy",
    make_recipe=lambda base, scale: base,
    make_nodes=make_nodes,
    settings={"base": ToyRecipe(), "scale": "tiny"},
)
"""The method. `base` is its recipe, so that a test may set anything."""


def study_environment(home: Path, subjects: int = 12) -> StudyEnvironment:
    """A prepared cohort of tiny random volumes in `home`, made once."""
    names = tuple(f"S{index:02d}" for index in range(subjects))
    return StudyEnvironment(
        home=home,
        cohort="toy-cohort",
        roster=Roster(names),
        prepared=Prepared(home / "cohorts" / "toy", names),
        about=ABOUT,
    )


@dataclass(frozen=True)
class Prepared:
    directory: Path
    subjects: tuple[str, ...]

    def __call__(self, task: CrossModalityTask) -> Path:
        made_once(self.directory, CASES, self._write)
        return self.directory

    def _write(self, folder: Path) -> None:
        shape = (len(self.subjects), 4, 6, 6)
        rng = np.random.default_rng(0)
        for contrast in ("t1", "t2"):
            np.save(folder / f"image-{contrast}.npy", rng.uniform(-1, 1, shape).astype(np.float16))
        np.save(folder / "mask.npy", rng.integers(0, 2, shape).astype(np.uint8))
        (folder / CASES).write_text(json.dumps(self._record(shape)))

    def _record(self, shape: tuple[int, ...]) -> dict[str, Any]:
        statistics = {"t1": [0.0, 1.0], "t2": [0.0, 1.0]}
        case = {"box": [[0, 4], [0, 6], [0, 6]], "presence": [True, True], "annotated": True, "statistics": statistics}
        cases = [{"subject": name, **case} for name in self.subjects]
        return {"contrasts": ["t1", "t2"], "shape": list(shape[1:]), "spacing": [4.0] * 3, "cases": cases}


def executions(home: Path) -> list[dict[str, Any]]:
    """Every stage run that trained, in order."""
    path = home / "executions.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
