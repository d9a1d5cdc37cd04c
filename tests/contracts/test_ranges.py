"""Every number in every shipped recipe declares its range, and the value just outside it is refused."""

import ast
import dataclasses
import importlib
import math
import typing
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import medsearch
from medsearch.cohorts.tasks import CrossModalityTask, SynthesisTask
from medsearch.core.errors import BadInput
from medsearch.core.ranges import Range, fit, numbers_of
from medsearch.core.recipes import knobs, override, require_consistent
from medsearch.study import FullLength, Search, choice, integers, loguniform, uniform
from medsearch.study.declare.setups import setup
from medsearch.study.declare.variants import Variant
from tests.contracts.walks import WALKS
from tests.study import toy

ROOT = Path(medsearch.__file__).parent


def recipes() -> Iterator[type]:
    """Every class that the package decorates with `@recipe`."""
    for file in sorted(ROOT.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "@recipe" not in text:
            continue
        module = ".".join(("medsearch", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(one) == "recipe" for one in node.decorator_list):
                yield getattr(importlib.import_module(module), node.name)


RECIPES = list(recipes())
FIELDS = [
    pytest.param(of, field.name, id=f"{of.__name__}.{field.name}")
    for of in RECIPES
    for field in dataclasses.fields(of)
    if list(numbers_of(typing.get_type_hints(of, include_extras=True)[field.name]))
]


def just_outside(kind: type, limit: Range) -> Iterator[float]:
    """The nearest values that a range does not hold, below and above it and between its steps."""

    def beyond(bound: float, excluded: bool, towards: float) -> float:
        if excluded:
            return kind(bound)
        return kind(bound) + (1 if towards > 0 else -1) if kind is int else math.nextafter(bound, towards)

    if limit.low > -math.inf:
        yield beyond(limit.low, limit.above, -math.inf)
    if limit.high < math.inf:
        yield beyond(limit.high, limit.below, math.inf)
    if limit.step > 1:
        yield kind(limit.low) + 1


def planted(default: Any, value: Any) -> Iterator[Any]:
    """`value` in the place of the default, or of each of its parts."""
    if not isinstance(default, tuple):
        yield value
        return
    for at in range(len(default)):
        yield (*default[:at], value, *default[at + 1 :])


def test_the_shipped_recipes_are_all_here() -> None:
    named = {of.__name__ for of in RECIPES}
    assert len(RECIPES) > 60
    parts = {type(walk.small.recipe).__name__ for walk in WALKS.values()}
    assert {"CrossModalityTask", "SynthesisTask", "Geometry", "OptimiserRecipe", "SliceRule", *parts} <= named


@pytest.mark.parametrize(("of", "name"), FIELDS)
def test_a_number_declares_its_range_and_what_lies_outside_is_refused(of: type, name: str) -> None:
    declared = typing.get_type_hints(of, include_extras=True)[name]
    default = getattr(of(), name)
    assert fit(declared)(default) == default
    for kind, limits in numbers_of(declared):
        assert limits, f"{of.__name__}.{name} is {kind.__name__} without a range; declare one of medsearch.core.ranges"
        outside = [value for limit in limits for value in just_outside(kind, limit)]
        assert outside, f"{limits} of {of.__name__}.{name} holds every {kind.__name__}"
        for value in (*outside, math.nan, math.inf, -math.inf, "1", True):
            for wrong in planted(default, value):
                with pytest.raises(BadInput, match=f"knob '{name}' takes ") as caught:
                    override(of(), {name: wrong})
                assert f"got {wrong!r}" in str(caught.value)
                assert "\n" not in str(caught.value)
                if type(value) is not kind:  # another type is refused by beartype first, under pytest
                    continue
                with pytest.raises(BadInput, match=f"knob '{name}' of {of.__name__} takes "):
                    replace(of(), **{name: wrong})


WITH_A_TERM_OF_WEIGHT_1 = {"CycleGANWeights", "medsearch.methods.ssbr_cyclegan.recipe.Weights"}
PARTS = {"GenSegWeights", "ModalityWeights"}  # of M-GenSeg's Weights
WEIGHTS = [of for of in RECIPES if of.__name__.endswith("Weights")]


@pytest.mark.parametrize("of", WEIGHTS, ids=lambda of: f"{of.__module__}.{of.__name__}")
def test_weights_that_are_all_0_are_refused(of: type) -> None:
    zeros = {knob: 0.0 for knob, value in knobs(of()).items() if type(value) is float}
    assert len(zeros) > 1
    partial = {of.__name__, f"{of.__module__}.{of.__name__}"} & (WITH_A_TERM_OF_WEIGHT_1 | PARTS)
    with nullcontext() if partial else pytest.raises(BadInput, match=r"loss weights .* train nothing"):
        require_consistent(override(of(), zeros))


@pytest.mark.parametrize("method", WALKS)
def test_every_numeric_knob_of_a_method_is_checked_when_a_study_sets_it(method: str) -> None:
    recipe = WALKS[method].small.recipe
    for knob, value in knobs(recipe).items():
        parts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(part, int | float) and not isinstance(part, bool) for part in parts):
            for wrong in planted(value, math.nan):
                with pytest.raises(BadInput, match=f"knob '{knob}' takes .*nan"):
                    override(recipe, {knob: wrong})


@pytest.mark.parametrize("task", [CrossModalityTask(), SynthesisTask()], ids=lambda task: type(task).__name__)
def test_so_is_every_numeric_knob_of_a_task(task: Any) -> None:
    checked = 0
    for knob, value in knobs(task).items():
        parts = value if isinstance(value, tuple) else (value,)
        if all(isinstance(part, int | float) for part in parts):
            checked += 1
            with pytest.raises(BadInput, match=f"knob 'task.{knob}' takes .*nan"):
                setup(toy.TOY, task, {f"task.{knob}": next(planted(value, math.nan))})
    assert checked > 5


def searched(**changes: Any) -> Search:
    declared: dict[str, Any] = {
        "name": "bounds",
        "question": "Which?",
        "method": toy.TOY,
        "task": CrossModalityTask(),
        "space": {"segmentation.weights.b": uniform(0, 1)},
        "selection": "oracle",
        "scheduler": FullLength(because="a toy"),
        "trials": 2,
        "finalists": 0,
        "seeds": (0,),
    }
    return Search(**{**declared, **changes})


A, EPOCHS, LABELS = "segmentation.weights.a", "polish.epochs", "task.source_labels"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fixed": {EPOCHS: 0}}, f"knob '{EPOCHS}' takes an integer of 1 or more, got 0"),
        ({"fixed": {A: {"tiny": -1.0}}}, f"knob '{A}' takes a number above 0, got -1.0"),
        ({"fixed": {A: 1.0}, "published": {A: math.nan}}, f"knob '{A}' takes a number above 0, got nan"),
        ({"references": (Variant("R", {A: 0.0}),)}, f"knob '{A}' takes a number above 0, got 0.0"),
        ({"space": {A: uniform(0, 1)}}, f"knob '{A}' takes a number above 0, got 0"),
        ({"space": {A: choice([1.0, math.inf])}}, f"knob '{A}' takes a number above 0, got inf"),
        ({"nuisance": {EPOCHS: integers(0, 3)}}, f"knob '{EPOCHS}' takes an integer of 1 or more, got 0"),
        ({"nuisance": {EPOCHS: uniform(1.0, 3.0)}}, f"knob '{EPOCHS}' takes an integer of 1 or more, got 1.0"),
        ({"space": {LABELS: uniform(0.5, 1.5)}}, f"knob '{LABELS}' takes a number from 0 to 1, got 1.5"),
        ({"trials": 0}, "trials takes an integer of 1 or more, got 0"),
        ({"trials": 2.5}, "trials takes an integer of 1 or more, got 2.5"),
        ({"finalists": -1}, "finalists takes an integer of 0 or more, got -1"),
        ({"seeds": (0, "1")}, "seeds takes one or more integers of 0 or more"),
        ({"seeds": ()}, "seeds takes one or more integers of 0 or more"),
    ],
)
def test_a_study_with_such_a_value_is_refused_when_it_is_loaded(changes: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        searched(**changes)
    assert said in str(caught.value)


def test_a_logarithmic_axis_begins_above_0() -> None:
    for low in (0.0, -1.0):
        with pytest.raises(BadInput, match="lower bound above 0"):
            loguniform(low, 1.0)
