"""What a file may declare of an ablation: every wrong word is found when it is loaded."""

from typing import Any

import pytest

from medsearch.cohorts.layouts import layout
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import BadInput
from medsearch.study.declare.ablation import Ablation, Curves, GroupedBars, Panels
from medsearch.study.declare.spaces import uniform
from medsearch.study.declare.variants import Variant, grid
from medsearch.study.engine.ablation_header import recorded_figure
from medsearch.study.record.headers import Figure
from tests.study import toy
from tests.study.ablations import FORTH, REQUEUED, TASKS, ablation

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"variants": (Variant("a", {"polish.wid": True}),)}, r"no knob 'polish.wid'; did you mean 'polish.wide'\?"),
    ({"variants": (Variant("a", {"polish.wide": 3}),)}, "'polish.wide' takes True or False"),
    ({"variants": (Variant("a", {"task.sorce_labels": 1.0}),)}, "did you mean 'task.source_labels'"),
    ({"variants": (Variant("a"), Variant("a"))}, "row 'a' comes twice"),
    ({"variants": (Variant(" "),)}, "comes twice or is empty"),
    ({"variants": ()}, "at least one variant"),
    ({"tasks": {}}, "at least one variant and one task"),
    ({"metrics": ()}, r"metrics=\(\) shows nothing; name at least one"),
    ({"variants": (Variant("a", against="b"),)}, "compared with the row 'b', which does not exist; did you mean 'a'"),
    ({"variants": (Variant("a", tasks=("t1 to t3",)),)}, "did you mean 't1 to t2'"),
    ({"within": {"t1 to t3": {}}}, "did you mean 't1 to t2'"),
    ({"within": {FORTH: {"polish.wid": True}}}, "did you mean 'polish.wide'"),
    ({"fixed": {"polish.wid": True}}, "did you mean 'polish.wide'"),
    ({"selection": "best"}, r"selection of 't1 to t2' is 'best'; declare one of source"),
    ({"selection": {FORTH: "oracle"}}, "selection of 't2 to t1' is None"),
    ({"selection": {FORTH: "oracle", REQUEUED: "none"}}, "selection of 't2 to t1' is 'none'; declare one of source"),
    ({"seeds": ()}, "one or more integers"),
    ({"seeds": (1, 1)}, "each once"),
    ({"name": "a/b"}, "names a folder"),
    ({"trials": 3}, "give a space and a number of trials, or neither"),
    ({"retune": {"polish.wide": [True]}, "trials": 3}, "use uniform"),
    ({"retune": {"segmentation.weights.c": uniform(0, 1)}, "trials": 3}, "did you mean 'segmentation.weights."),
    (
        {"retune": {"segmentation.weights.a": uniform(1, 2)}, "trials": 3},
        "'other weights' sets it; a knob has one role",
    ),
    ({"variants": (Variant("a", {"task.layout": "crossmoda2022"}),)}, "row 'a' sets task.layout .*; make it a column"),
    ({"figure": Curves(x="task.labels")}, "did you mean 'task"),
]


@pytest.mark.parametrize(("changes", "told"), WRONG)
def test_a_wrong_word_is_found_when_the_file_is_loaded(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        ablation(**changes)


def test_an_unknown_row_is_named_with_those_that_exist() -> None:
    with pytest.raises(BadInput, match=r"no row 'narrow' in toy_ablation; there are 'as proposed', 'wide'"):
        ablation().row("narrow")


def test_a_row_may_be_asked_of_some_columns_only() -> None:
    what = ablation(references=(Variant("upper bound", tasks=(REQUEUED,)),))
    cells = [(row.label, column) for row, column in what.cells()]
    assert ("upper bound", REQUEUED) in cells
    assert ("upper bound", FORTH) not in cells
    assert len(cells) == 7


def test_numbers_settle_by_scale() -> None:
    what = Ablation(
        name="scaled",
        question="?",
        method=toy.TOY.at("paper"),
        tasks=TASKS,
        variants=(Variant("a", {"polish.epochs": {"tiny": 1, "small": 2, "paper": 3}}),),
        selection="oracle",
        seeds={"tiny": (0,), "small": (0, 1), "paper": (0, 1, 2)},
    )
    tiny = what.at("tiny")
    assert tiny.seeds == (0,)
    assert tiny.variants[0].knobs == {"polish.epochs": 1}
    assert tiny.tasks[FORTH].geometry == layout("brats2020").geometries["tiny"]
    assert what.at("paper").variants[0].knobs == {"polish.epochs": 3}
    with pytest.raises(BadInput, match="no scale 'huge'; choose one of"):
        what.at("huge")


def test_a_scale_without_a_number_is_refused() -> None:
    with pytest.raises(BadInput, match="'seeds' is given for tiny, not for scale 'paper'; add it"):
        Ablation(
            name="scaled",
            question="?",
            method=toy.TOY.at("paper"),
            tasks=TASKS,
            variants=(Variant("a"),),
            selection="oracle",
            seeds={"tiny": (0,)},
        )


def test_a_row_s_knobs_stand_above_the_column_s_and_those_above_the_study_s() -> None:
    weights = "segmentation.weights.a"
    what = ablation(
        fixed={weights: 2.0}, within={REQUEUED: {weights: 3.0}}, variants=(Variant("a"), Variant("b", {weights: 4.0}))
    )
    found = {(row.label, column): what.setup(row, column).recipe.segmentation.weights.a for row, column in what.cells()}
    assert found == {("a", FORTH): 2.0, ("a", REQUEUED): 3.0, ("b", FORTH): 4.0, ("b", REQUEUED): 4.0}
    based = what.setup(what.row("a"), FORTH, base={weights: 1.5, "segmentation.weights.b": 0.1})
    assert (based.recipe.segmentation.weights.a, based.recipe.segmentation.weights.b) == (2.0, 0.1)


def test_a_row_may_bring_another_configuration_of_the_method() -> None:
    other = toy.TOY.configured(base=toy.ToyRecipe(polish=toy.Polish(epochs=7)))
    what = ablation(variants=(Variant("a"), Variant("b", method=other)))
    epochs = {row.label: what.setup(row, FORTH).recipe.polish.epochs for row in what.rows}
    assert epochs == {"a": 1, "b": 7}


def test_a_grid_makes_rows() -> None:
    rows = grid({"task.source_labels": (0.01, 1.0), "polish.wide": (False, True)}, label="{source_labels:.0%}, {wide}")
    assert [row.label for row in rows] == ["1%, False", "1%, True", "100%, False", "100%, True"]
    assert rows[1].knobs == {"task.source_labels": 0.01, "polish.wide": True}
    plain = grid({"polish.epochs": (1, 2)}, against="polish: epochs = 1", line="toy")
    assert [(row.label, row.line) for row in plain] == [("epochs = 1", "toy"), ("epochs = 2", "toy")]
    for axes in ({}, {"polish.epochs": ()}):
        with pytest.raises(BadInput, match="grid"):
            grid(axes)


def test_a_figure_is_described_whole() -> None:
    assert recorded_figure(None) is None
    assert recorded_figure(GroupedBars(title="t")) == Figure(kind="bars", title="t")
    assert recorded_figure(Curves(x="task.source_labels", title="t")) == Figure(
        kind="curves", title="t", x="task.source_labels"
    )
    panels = Panels(kinds=("attention",), title="t", across="made")
    assert recorded_figure(panels) == Figure(kind="panels", title="t", kinds=("attention",), across="made")


def test_columns_may_differ_in_the_task_alone() -> None:
    tasks = {f"{part:.0%}": CrossModalityTask(target_labels=part) for part in (0.0, 0.5)}
    what = ablation(tasks=tasks)
    assert {what.setup(row, column).task.target_labels for row, column in what.cells()} == {0.0, 0.5}


def test_a_grid_over_knobs_of_one_last_name_has_labels_that_differ() -> None:
    axes = {"translation.epochs": (1, 2), "segmentation.epochs": (3, 4)}
    assert grid(axes)[1].label == "translation.epochs = 1, segmentation.epochs = 4"
    assert len({row.label for row in grid(axes)}) == 4
    with pytest.raises(BadInput, match=r"'\{epochs\}' of a grid over translation.epochs, segmentation.epochs cannot"):
        grid(axes, label="{epochs}")
    with pytest.raises(BadInput, match=r"cannot be filled \('wide'\); it may name \{epochs\}"):
        grid({"polish.epochs": (1,)}, label="{wide}")
