"""A search is checked when it is declared: knobs, roles, numbers, scales."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from medsearch.cohorts.layouts import layout
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import BadInput
from medsearch.study import ASHA, GP, NSGA2, FullLength, Median, Search, Variant, choice, loguniform, uniform
from tests.study.ray.drive import FULL, search
from tests.study.toy import TOY

BOTH = {"validation/dice": "maximize", "validation/cost": "minimize"}


class Single:
    """A sampler that weighs one objective."""

    name = "one at a time"
    objectives = 1
    heeds = "constraints"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"space": {"segmentation.weight.a": uniform(0, 1)}}, "did you mean 'segmentation.weights.a'"),
        ({"fixed": {"task.source_label": 1.0}}, "did you mean 'task.source_labels'"),
        ({"references": (Variant("x", {"polish.wied": True}),)}, "did you mean 'polish.wide'"),
        ({"space": {"polish.wide": uniform(0, 1)}, "nuisance": {}, "published": {}}, "takes True or False"),
        ({"space": {"task.source_labels": uniform(0, 2)}, "published": {}}, "takes a number from 0 to 1, got 2"),
        ({"fixed": {"segmentation.weights.a": 1.0}}, "in space and in fixed"),
        ({"space": {}, "published": {}}, "searches nothing"),
        ({"space": {"segmentation.weights.a": (0, 1)}, "published": {}}, "use uniform"),
        ({"published": {"segmentation.epochs": 3}}, "neither searched nor fixed"),
        ({"published": {"segmentation.weights.a": 1e6}}, "outside"),
        ({"selection": "test"}, "selection is 'test'; declare one of source, pseudo-target, oracle, .* toy knows"),
        ({"selection": "none"}, "selection is 'none'; declare one of source"),
        ({"trials": 0}, "1 or more"),
        ({"seeds": ()}, "one or more integers"),
        ({"seeds": (1, 1)}, "each once"),
        ({"searched_stage": "segmentatoin"}, "translation, segmentation, polish"),
        ({"name": "a study/of mine"}, "names a folder"),
        ({"references": (Variant("A b"), Variant("a-b"))}, "share one run name"),
        ({"objectives": BOTH, "sampler": Single()}, r"2 objectives with one at a time; use NSGA2\(\)"),
        ({"objectives": BOTH, "scheduler": ASHA(grace=1, because="x")}, "'asha' stops trials by one .* FullLength"),
        ({"objectives": BOTH, "scheduler": Median(grace=1, because="x")}, "'median' stops trials by one metric, of 2"),
        ({"objectives": {"validation/dice": "max"}}, "is to 'max'; declare one of maximize, minimize"),
        ({"objectives": {}}, "0 objectives"),
        ({"trials": {"paper": 60}}, "'trials' is given for paper"),
    ],
)
def test_a_wrong_declaration_fails_when_it_is_made(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        search(**changes)


def test_selection_scheduler_and_its_reason_have_no_default() -> None:
    whole: dict[str, Any] = {
        "name": "s",
        "question": "?",
        "method": TOY,
        "task": CrossModalityTask(),
        "space": {"segmentation.weights.a": uniform(0.1, 1)},
        "selection": "source",
        "scheduler": FULL,
        "trials": 1,
        "finalists": 1,
        "seeds": (0,),
    }
    Search(**whole)
    for name in ("selection", "scheduler"):
        with pytest.raises(TypeError, match=name):
            Search(**{key: value for key, value in whole.items() if key != name})
    for kind, given in ((ASHA, {"grace": 2}), (Median, {"grace": 2}), (FullLength, {}), (ASHA, {"because": "x"})):
        with pytest.raises(TypeError):
            kind(**given)
    with pytest.raises(BadInput, match="because"):
        ASHA(grace=2, because=" ")
    with pytest.raises(BadInput, match="grace"):
        Median(grace=0, because="x")


def test_a_scale_settles_every_number() -> None:
    declared = search(
        trials={"tiny": 3, "paper": 60},
        seeds={"tiny": (0,), "paper": (0, 1, 2)},
        space={"segmentation.weights.a": {"tiny": loguniform(1, 2), "paper": loguniform(1, 200)}},
        references=(Variant("Long", {"segmentation.epochs": {"tiny": 5, "paper": 500}}),),
        scheduler=ASHA(grace={"tiny": 2, "paper": 100}, because="x"),
        published={},
    )
    tiny, paper = declared.resolved, replace(declared, method=TOY.at("paper"))
    assert (declared.trials, tiny.trials, tiny.seeds, tiny.scheduler.at("tiny")) == (3, 3, (0,), tiny.scheduler)
    assert declared.task.geometry == layout("brats2020").geometries["tiny"]
    assert paper.resolved.trials == 3, "a settled search stays settled"

    whole = Search(
        name="s",
        question="?",
        method=TOY,
        task=CrossModalityTask(),
        space={"segmentation.weights.a": {"tiny": loguniform(1, 2), "paper": loguniform(1, 200)}},
        selection="source",
        sampler=GP(),
        scheduler=ASHA(grace={"tiny": 2, "paper": 100}, because="x"),
        trials={"tiny": 3, "paper": 60},
        finalists=1,
        seeds=(0,),
    )
    large = whole.at("paper")
    assert (large.trials, large.scale, large.task.geometry) == (60, "paper", CrossModalityTask().geometry)
    assert large.resolved.scheduler == ASHA(grace=100, because="x")
    assert large.resolved.space["segmentation.weights.a"].high == 200
    with pytest.raises(BadInput, match="no scale 'huge'"):
        whole.at("huge")
    with pytest.raises(BadInput, match="not for scale 'small'"):
        whole.at("small")


def test_knobs_reach_the_task_and_the_recipe_over_the_fixed_ones() -> None:
    setup = search(fixed={"segmentation.epochs": 7}).setup({"task.target_labels": 0.5, "segmentation.weights.b": 0.25})
    assert (setup.task.target_labels, setup.recipe.segmentation.epochs) == (0.5, 7)
    assert setup.recipe.segmentation.weights.b == 0.25
    nsga = search(
        sampler=NSGA2(),
        objectives={"validation/dice": "maximize", "validation/cost": "minimize"},
        nuisance={"polish.wide": choice([False, True])},
    )
    assert nsga.metric == "validation/dice"


def test_declaring_a_study_imports_nothing_heavy() -> None:
    check = "import sys, time; t = time.perf_counter(); import medsearch.study, medsearch.study.plan; "
    heavy = "print([m for m in ('torch', 'monai', 'ray', 'optuna', 'mlflow', 'pandas') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", check + heavy], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
