"""Who may see what: no test case before the test, no target label that the selection rule forbids."""

import pytest

from medsearch.cohorts.views import TaskView
from medsearch.stages.pipelines import StageRun
from tests.micro import Micro

RULES = ("source", "pseudo-target", "oracle")
VARIANTS = (
    {},
    {"segmentation.variant": "self-supervised"},
    {"self_training.rounds": 3},
    {"segmentation.network.dimensions": 2},
    {"synthesis.checkpoint": "best"},
    {"segmentation.translate": "none"},
)
REFERENCES = ({"segmentation.supervision": "source"}, {"segmentation.supervision": "target"})


def everything(micro: Micro, rule: str) -> list[tuple[dict[str, object], StageRun]]:
    return [
        (knobs, run)
        for knobs in (*VARIANTS, *REFERENCES)
        for run in micro.runs(knobs, selection=rule, test=True, task={"target_labels": 0.5}).values()
    ]


@pytest.mark.parametrize("rule", RULES)
def test_test_parts_are_read_by_the_test_stage_alone(micro: Micro, rule: str) -> None:
    for knobs, run in everything(micro, rule):
        reads_test = any(part.split(".")[1] == "test" for part in run.parts)
        assert reads_test == (run.node == "test"), (knobs, run.node)


@pytest.mark.parametrize("rule", ["source", "pseudo-target"])
def test_target_masks_are_the_labelled_training_subset_and_no_more(micro: Micro, rule: str) -> None:
    """The target-supervised reference is selected on target labels, as it is trained with them."""
    for knobs, run in everything(micro, rule):
        masks = {part for part in run.parts if part.startswith("target.") and part.endswith(".masks")}
        if run.node == "test":
            assert masks == {"target.test.masks"}
        elif knobs != {"segmentation.supervision": "target"}:
            assert masks <= {"target.train.masks"}, (knobs, run.node)
            assert not any(part.startswith("target.validation") for part in run.parts)


def test_only_the_oracle_sees_target_validation(micro: Micro) -> None:
    oracle = micro.runs(selection="oracle")["segmentation"]
    assert {"target.validation.images", "target.validation.masks"} <= set(oracle.parts)
    assert not any(part.startswith("source.validation") for part in oracle.parts)


@pytest.mark.parametrize("rule", RULES)
def test_translation_and_synthesis_see_no_target_label(micro: Micro, rule: str) -> None:
    runs = micro.runs(selection=rule)
    assert not any(part.startswith("target") and "images" not in part for part in runs["translation"].parts)
    assert set(runs["synthesis"].parts) == {"source.train.images", "source.validation.images"}


@pytest.mark.parametrize("rule", RULES)
def test_unlabelled_target_subjects_show_no_mask(micro: Micro, rule: str) -> None:
    """What is declared as target.train.masks gives None for all but the labelled fraction."""
    for fraction, shown in ((0.0, 0), (0.5, 1), (1.0, 2)):
        task = {"target_labels": fraction}
        run = micro.runs(selection=rule, task=task)["segmentation"]
        view = TaskView(micro.prepared, run.task, run.stage.reads())
        masks = [view.mask("target", "train", subject) for subject in view.subjects("target", "train")]
        assert sum(mask is not None for mask in masks) == shown
