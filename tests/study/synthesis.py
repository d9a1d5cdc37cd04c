"""A toy of unpaired synthesis: no Dice, no masks, no supervised reference; nothing is looked at to select it.

A wider generator is better and slower, so that no width wins: SSIM rises with its logarithm, hours with the width. The
best weight is cyc = 10. `weights.idt` above 0.9 is an accident of the kind that the recipe names. `MOVED` stands in for
chance: a seed moves a score by as much.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import override, recipe
from medsearch.core.reported import Reported
from medsearch.stages.context import StageContext
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.samplers import NSGA2
from medsearch.study.declare.schedulers import FullLength
from medsearch.study.declare.search import Search
from medsearch.study.declare.spaces import integers, loguniform, uniform
from medsearch.study.declare.variants import Variant
from tests.study.toy import ToyStage, accident

OBJECTIVES = {"validation/ssim": "maximize", "training/hours": "minimize"}
METRICS = ("test/mse", "test/psnr", "test/ssim", "test/mae", "test/training_hours")
GIVEN = {"mse": 0.0123, "ssim": 0.45678}
FORMS = {"ssim": "SSIM: 7 × 7 uniform window, data range 2", "mse": "MSE: intensities on [−1, 1]"}
CASES = 8
MOVED = 0.004


@recipe
class Regressor:
    epochs: int = 1


@recipe
class Weights:
    cyc: float = 10.0
    idt: float = 0.5


@recipe
class Cyclegan:
    epochs: int = 2
    width: int = 32
    weights: Weights = field(default_factory=Weights)
    accident: str = ""
    seconds: float = 0.0


@recipe
class SynthesisRecipe:
    regressor: Regressor = field(default_factory=Regressor)
    cyclegan: Cyclegan = field(default_factory=Cyclegan)


@dataclass(frozen=True)
class RegressorStage(ToyStage):
    recipe: Regressor
    name: ClassVar[str] = "toy-regressor"

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.images", "target.train.images"})

    def train(self, context: StageContext) -> Training:
        for epoch in self._epochs(context, self.recipe.epochs, 0.0):
            yield Epoch(epoch, {"train/regression": 1 / epoch})
        return Outcome({"training/hours": 0.5})


@dataclass(frozen=True)
class CycleganStage(ToyStage):
    recipe: Cyclegan
    name: ClassVar[str] = "toy-cyclegan"

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.images", "target.train.images"})

    def train(self, context: StageContext) -> Training:
        of = self.recipe
        ssim = 0.5 + 0.05 * math.log2(of.width / 4) - 0.05 * (math.log10(of.weights.cyc) - 1) ** 2
        ssim += MOVED * float(np.random.default_rng(context.seed).normal())
        for epoch in self._epochs(context, of.epochs, of.seconds):
            if of.weights.idt > 0.9:
                accident(of.accident, context)
            yield Epoch(epoch, {"train/cycle": 1 / epoch, "validation/ssim": ssim * epoch / of.epochs})
        before = context.upstream["regressor"].metrics["training/hours"]
        return Outcome({"validation/ssim": ssim, "training/hours": before + of.width / 16})


@dataclass(frozen=True)
class PairedTest(ToyStage):
    recipe: Any = None
    name: ClassVar[str] = "toy-paired-test"

    def reads(self) -> frozenset[str]:
        return frozenset({"target.test.images"})

    def train(self, context: StageContext) -> Training:
        metrics = context.upstream["model"].metrics
        for epoch in self._epochs(context, 1, 0.0):
            yield Epoch(epoch, {})
        cases = [_case(index, metrics["validation/ssim"]) for index in range(CASES)]
        means = {
            f"test/{name}": float(np.mean([case[name] for case in cases])) for name in cases[0] if name != "subject"
        }
        return Outcome(
            {**means, "test/training_hours": metrics["training/hours"]},
            notes={"cases": cases, "forms": FORMS, "given": GIVEN},
        )


def _case(index: int, ssim: float) -> dict[str, Any]:
    found = ssim + 0.01 * (index - (CASES - 1) / 2) + 0.002 * (-1) ** index
    return {
        "subject": f"P{index:02d}",
        "mse": 0.2 * (1 - found),
        "psnr": 10 + 12 * found,
        "ssim": found,
        "mae": 200 * (1 - found),
    }


def make_nodes(recipe: SynthesisRecipe, selection: Selection) -> Iterator[Node]:
    yield Node("regressor", RegressorStage(recipe.regressor))
    yield Node("cyclegan", CycleganStage(recipe.cyclegan), {"regressor": "regressor"})
    yield Node("test", PairedTest(), {"model": "cyclegan"})


TOY_SYNTHESIS = Method(
    name="toy_synthesis",
    title="ToySynthesis",
    make_recipe=lambda base, scale: base,
    make_nodes=make_nodes,
    settings={"base": SynthesisRecipe(), "scale": "tiny"},
    rules=("none",),
)
"""The method. `base` is its recipe, so that a test may set anything."""


def weight_search(**changes: Any) -> Search:
    """SSIM against training time over weights and width."""
    method = TOY_SYNTHESIS.configured(base=override(SynthesisRecipe(), changes.pop("toy", {})))
    declared: dict[str, Any] = {
        "name": "toy_weight_search",
        "question": "Which weights and which width are worth their time?",
        "method": method,
        "task": CrossModalityTask(),
        "space": {
            "cyclegan.weights.cyc": loguniform(1, 100),
            "cyclegan.weights.idt": uniform(0, 1),
            "cyclegan.width": integers(8, 64),
        },
        "selection": "none",
        "sampler": NSGA2(population=6),
        "scheduler": FullLength(because="a front has no order to stop by"),
        "objectives": OBJECTIVES,
        "trials": 14,
        "finalists": 3,
        "seeds": (0, 1),
        "searched_stage": "cyclegan",
        "weights": ("cyclegan.weights.cyc", "cyclegan.weights.idt"),
        "published": {"cyclegan.weights.cyc": 10.0, "cyclegan.weights.idt": 0.5, "cyclegan.width": 64},
        "published_in": "paper 000",
        "references": (Variant("Narrow", {"cyclegan.width": 8}),),
    }
    return Search(**{**declared, **changes}).at("tiny")


PAPER = Reported(
    paper="000", where="Table 1", page=5, row="", column="CT → ceCT", metric="", value=0.0, selection="none",
    cohort="brats2020",
)  # fmt: skip
FORTH, REQUEUED = "CT → ceCT", "ceCT → CT"


def reported() -> tuple[Reported, ...]:
    """A paper's values of both rows in one direction."""
    values = {
        "PBS": {
            "mse": (0.1005, 0.0289),
            "psnr": (16.14, 1.15),
            "ssim": (0.576, 0.065),
            "training_hours": (3.033, None),
        },
        "Wide": {
            "mse": (0.0637, 0.0201),
            "psnr": (18.14, 1.23),
            "ssim": (0.681, 0.062),
            "training_hours": (7.917, None),
        },
    }
    return tuple(
        replace(
            PAPER, row=row, metric=metric, value=value, spread=sd, spread_of="cases" if sd else "", n=10 if sd else None
        )
        for row, of in values.items()
        for metric, (value, sd) in of.items()
    )


def table(**changes: Any) -> Ablation:
    """Two rows in two directions, every metric that the test reports."""
    declared: dict[str, Any] = {
        "name": "toy_table_1",
        "question": "What does a wider generator bring?",
        "method": TOY_SYNTHESIS,
        "tasks": {
            FORTH: CrossModalityTask(source="t1", target="t2"),
            REQUEUED: CrossModalityTask(source="t2", target="t1"),
        },
        "variants": (
            Variant("PBS", {"cyclegan.width": 8}),
            Variant("Wide", {"cyclegan.width": 64}, against="PBS"),
        ),
        "seeds": (0, 1),
        "selection": "none",
        "metrics": METRICS,
        "objective": "validation/ssim",
        "reported": reported(),
    }
    return Ablation(**{**declared, **changes}).at("tiny")
