from typing import Any

import pytest

from medsearch.cohorts.views import TaskView
from medsearch.core.errors import BadInput
from tests.micro import Micro

NODES = ["translation", "synthesis", "segmentation", "self_training_1"]


def keys(micro: Micro, knobs: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, str]:
    return {node: run.key for node, run in micro.runs(knobs, **kwargs).items()}


def changed(micro: Micro, knobs: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
    before, after = keys(micro, test=True), keys(micro, knobs, test=True, **kwargs)
    return [node for node in after if before.get(node) != after[node]]


def test_the_stages_in_their_order(micro: Micro) -> None:
    assert list(keys(micro)) == NODES
    assert list(keys(micro, test=True)) == [*NODES, "test"]
    assert list(keys(micro, {"self_training.rounds": 0})) == NODES[:3]


@pytest.mark.parametrize("supervision", ["source", "target"])
def test_a_reference_is_its_segmentation_alone(micro: Micro, supervision: str) -> None:
    runs = micro.runs({"segmentation.supervision": supervision}, test=True, selection="pseudo-target")
    assert list(runs) == ["segmentation", "test"]
    assert runs["segmentation"].upstream == {}
    assert runs["segmentation"].stage.selection == {"source": "source", "target": "oracle"}[supervision]
    assert not any(part.startswith("source") for part in runs["test"].parts)


def test_each_stage_takes_what_it_is_made_from(micro: Micro) -> None:
    runs = micro.runs({"self_training.rounds": 2}, test=True)
    key = {node: run.key for node, run in runs.items()}
    assert runs["synthesis"].upstream == {"translation": key["translation"]}
    assert runs["segmentation"].upstream == {"synthesis": key["synthesis"]}
    for number, teacher in ((1, "segmentation"), (2, "self_training_1")):
        upstream = runs[f"self_training_{number}"].upstream
        assert upstream == {"teacher": key[teacher], "synthesis": key["synthesis"]}
    assert runs["test"].upstream == {"segmentor": key["self_training_2"], "translation": key["translation"]}


def test_more_rounds_keep_the_earlier_ones(micro: Micro) -> None:
    few, many = keys(micro), keys(micro, {"self_training.rounds": 4})
    assert {node: many[node] for node in few} == few
    assert len(set(many.values())) == 7


def test_target_labels_retrain_no_translator(micro: Micro) -> None:
    assert changed(micro, task={"target_labels": 0.5}) == ["segmentation", "self_training_1", "test"]


def test_source_labels_change_everything(micro: Micro) -> None:
    assert changed(micro, task={"source_labels": 0.5}) == [*NODES, "test"]


def test_segmentation_knobs_leave_the_prefix(micro: Micro) -> None:
    for knob, value in (("weights.lat", 7.0), ("network.codes", 4), ("epochs", 3), ("decoders", "separate")):
        assert changed(micro, {f"segmentation.{knob}": value}) == ["segmentation", "self_training_1", "test"], knob


def test_self_training_knobs_leave_what_comes_before(micro: Micro) -> None:
    assert changed(micro, {"self_training.threshold": 0.9}) == ["self_training_1", "test"]


def test_the_selection_rule_begins_at_segmentation(micro: Micro) -> None:
    for rule in ("source", "pseudo-target"):
        assert changed(micro, selection=rule) == ["segmentation", "self_training_1", "test"]


def test_synthesis_knobs_leave_translation(micro: Micro) -> None:
    assert changed(micro, {"synthesis.checkpoint": "best"}) == [*NODES[1:], "test"]


def test_seeds_share_nothing(micro: Micro) -> None:
    assert changed(micro, seed=1) == [*NODES, "test"]


def test_folds_share_one_translator_and_vote(micro: Micro) -> None:
    runs = micro.runs({"ensemble.folds": 2}, test=True)
    fold = [["segmentation_fold_1", "self_training_1_fold_1"], ["segmentation_fold_2", "self_training_1_fold_2"]]
    assert list(runs) == ["translation", "synthesis", *fold[0], *fold[1], "test"]
    for segmentation, student in fold:
        assert runs[segmentation].upstream == {"synthesis": runs["synthesis"].key}
        assert runs[student].upstream["teacher"] == runs[segmentation].key
    assert runs["test"].upstream == {
        "segmentor_1": runs["self_training_1_fold_1"].key,
        "segmentor_2": runs["self_training_1_fold_2"].key,
        "translation": runs["translation"].key,
    }
    assert len({run.key for run in runs.values()}) == len(runs)
    alone = keys(micro)
    assert {node: runs[node].key for node in NODES[:2]} == {node: alone[node] for node in NODES[:2]}


def test_folds_cut_what_is_synthesised(micro: Micro) -> None:
    """Every fold validates on other sources, and together they leave none out.

    Whoever validates does not train, nor do people whose target contrast an oracle would validate on.
    """
    runs = micro.runs({"ensemble.folds": 3}, selection="pseudo-target")
    views = [
        TaskView(micro.prepared, runs[f"segmentation_fold_{number}"].task, runs["segmentation_fold_1"].stage.reads())
        for number in (1, 2, 3)
    ]
    whole = TaskView(micro.prepared, runs["synthesis"].task, runs["synthesis"].stage.reads())
    pool = {*whole.subjects("source", "train"), *whole.subjects("source", "validation")}
    spared = set(whole.subjects("source", "validation"))
    shown = [set(view.subjects("source", "validation")) for view in views]
    for view, held in zip(views, shown, strict=True):
        assert pool - held >= set(view.subjects("source", "train")) >= pool - held - spared
        assert view.subjects("target", "train") == views[0].subjects("target", "train")
    assert [len(held) for held in shown] == [1, 1, 1]
    assert set.union(*shown) == pool


def test_a_model_of_target_labels_has_nothing_to_cut(micro: Micro) -> None:
    knobs = {"ensemble.folds": 2, "segmentation.supervision": "target"}
    task = {"target_labels": 1.0}
    folded, alone = (micro.runs(of, test=True, task=task) for of in (knobs, {**knobs, "ensemble.folds": 1}))
    assert {node: run.key for node, run in folded.items()} == {node: run.key for node, run in alone.items()}
    source = micro.runs({**knobs, "segmentation.supervision": "source"}, test=True)
    assert list(source) == ["segmentation_fold_1", "segmentation_fold_2", "test"]


@pytest.mark.parametrize("folds", [0, -2])
def test_a_number_of_folds_that_cannot_be_is_refused(micro: Micro, folds: int) -> None:
    with pytest.raises(BadInput, match=r"ensemble\.folds"):
        micro.runs({"ensemble.folds": folds})
