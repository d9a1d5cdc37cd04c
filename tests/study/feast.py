"""A method of two stages whose need of memory is known: a small one that all trials share, and a larger one."""

import json
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import override, recipe
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Node
from medsearch.study.declare.samplers import Random
from medsearch.study.declare.schedulers import FullLength
from medsearch.study.declare.search import Search
from medsearch.study.declare.spaces import uniform
from tests.hungry import Appetite, Hungry

STARTER, MAIN = 0.25, 0.5
"""The shares of a GPU in which they fit."""


@recipe
class FeastRecipe:
    starter: Appetite = field(default_factory=lambda: Appetite(sample=350))
    main: Appetite = field(default_factory=lambda: Appetite(sample=800))


def make_nodes(recipe: FeastRecipe, selection: Selection) -> Iterator[Node]:
    yield Node("starter", Hungry(recipe=recipe.starter))
    yield Node("main", Hungry(recipe=recipe.main), {"x": "starter"})
    yield Node("test", Hungry(recipe=Appetite(epochs=1, batch=0, base=100)), {"x": "main"})


FEAST = Method(
    name="feast",
    make_recipe=lambda base, scale: base,
    make_nodes=make_nodes,
    settings={"base": FeastRecipe(), "scale": "tiny"},
)


def feast(*, knobs: dict[str, Any] | None = None, **changes: Any) -> Search:
    """A search over the weight of the larger stage."""
    declared: dict[str, Any] = {
        "name": "feast",
        "question": "How much is too much?",
        "method": FEAST.configured(base=override(FeastRecipe(), knobs or {})),
        "task": CrossModalityTask(),
        "space": {"main.weight": uniform(0.1, 1.0)},
        "selection": "oracle",
        "sampler": Random(),
        "scheduler": FullLength(because="a test"),
        "trials": 3,
        "finalists": 0,
        "seeds": (0,),
        "searched_stage": "main",
    }
    return Search(**{**declared, **changes}).at("tiny")


def eaten(home: Path) -> list[dict[str, Any]]:
    """Every epoch that was begun, in the order in which they ended."""
    path = home / "stages" / "eaten.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
