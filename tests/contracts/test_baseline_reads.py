"""Who may see what, for the baselines: no test case before the test, no target mask that the selection rule forbids."""

import pytest

from medsearch.cohorts.views import TaskView
from medsearch.core.errors import UndeclaredRead
from medsearch.stages.pipelines import StageRun
from tests.methods.baselines.micro_baselines import METHODS, of
from tests.methods.baselines.trainings import begun
from tests.micro import Micro

RULES = ("source", "pseudo-target", "oracle")
ADAPTING = ("accsegnet", "accsegnet_official", "attent", "uagan", "uagan_official")
SUPERVISED = ("source", "target", "both")


def runs(micro: Micro, method: str, **kwargs: object) -> dict[str, StageRun]:
    return of(micro, method).runs(test=True, **kwargs)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("method", METHODS)
def test_test_parts_are_read_by_the_test_stage_alone(micro: Micro, method: str, rule: str) -> None:
    for run in runs(micro, method, selection=rule).values():
        reads_test = any(part.split(".")[1] == "test" for part in run.parts)
        assert reads_test == (run.node == "test")
    test = runs(micro, method, selection=rule)["test"]
    assert set(test.parts) == {f"target.test.{kind}" for kind in ("images", "masks", "presence")}
    test = runs(micro, method, knobs={"evaluation.domain": "source"})["test"]
    assert all(part.startswith("source.test.") for part in test.parts)


@pytest.mark.parametrize("rule", ["source", "pseudo-target"])
@pytest.mark.parametrize("method", ADAPTING)
def test_adaptation_sees_no_target_mask_but_the_labelled_training_subset(micro: Micro, method: str, rule: str) -> None:
    for run in runs(micro, method, selection=rule).values():
        masks = {part for part in run.parts if part.startswith("target.") and part.endswith(".masks")}
        assert masks <= ({"target.test.masks"} if run.node == "test" else {"target.train.masks"})
        if run.node != "test":
            assert not any(part.startswith("target.validation") for part in run.parts)


@pytest.mark.parametrize("rule", RULES)
def test_translation_asks_for_no_mask(micro: Micro, rule: str) -> None:
    assert not any(part.endswith(".masks") for part in runs(micro, "attent", selection=rule)["translation"].parts)


@pytest.mark.parametrize("supervision", SUPERVISED)
def test_a_reference_sees_the_domains_that_supervise_it(micro: Micro, supervision: str) -> None:
    run = runs(micro, "supervised_unet", knobs={"segmentation.supervision": supervision})["segmentation"]
    domains = {part.split(".")[0] for part in run.parts}
    assert domains == ({"source", "target"} if supervision == "both" else {supervision})


def test_a_reference_is_trained_once_for_all_rules(micro: Micro) -> None:
    assert len({runs(micro, "supervised_unet", selection=rule)["segmentation"].key for rule in RULES}) == 1


def test_uagan_is_selected_on_both_domains_by_the_oracle_alone(micro: Micro) -> None:
    for rule in RULES:
        parts = runs(micro, "uagan", selection=rule)["segmentation"].stage.reads()
        assert {part.split(".")[0] for part in parts if ".validation." in part} == (
            {"source", "target"} if rule == "oracle" else {"source"}
        )


def test_rules_that_mean_the_same_share_a_training(micro: Micro) -> None:
    for method in ("accsegnet", "uagan"):
        keys = [runs(micro, method, selection=rule)["segmentation"].key for rule in RULES]
        assert keys[0] == keys[1] != keys[2]
    keys = [runs(micro, "attent", selection=rule)["segmentation"].key for rule in RULES]
    assert len(set(keys)) == 3
    assert len({runs(micro, "attent", selection=rule)["translation"].key for rule in RULES}) == 1


def test_target_labels_retrain_no_translator(micro: Micro) -> None:
    few, many = (runs(micro, "attent", task={"target_labels": share}) for share in (0.0, 1.0))
    assert few["translation"].key == many["translation"].key
    assert few["segmentation"].key != many["segmentation"].key


@pytest.mark.parametrize("method", ADAPTING)
def test_unlabelled_target_subjects_show_no_mask(micro: Micro, method: str) -> None:
    for fraction, shown in ((0.0, 0), (0.5, 1), (1.0, 2)):
        run = runs(micro, method, task={"target_labels": fraction})["segmentation"]
        view = TaskView(micro.prepared, run.task, run.stage.reads())
        masks = [view.mask("target", "train", subject) for subject in view.subjects("target", "train")]
        assert sum(mask is not None for mask in masks) == shown


def test_what_is_not_declared_is_not_served(micro: Micro, tmp_path) -> None:
    training = begun(micro, "accsegnet", tmp_path, selection="source")
    with pytest.raises(UndeclaredRead):
        training.context.task.subjects("target", "validation")
