"""Which stages there are, who reads what, and the whole method end to end on six heads."""

from pathlib import Path

import pytest
import torch

from medsearch.cohorts.views import TaskView
from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs, override
from medsearch.core.records import read_json
from medsearch.methods.mgenseg import GENSEG, MGENSEG
from medsearch.methods.mgenseg.recipe import MGenSegRecipe, make_recipe
from medsearch.stages.method import Selection
from medsearch.training.checkpoints import load_tensors
from tests.methods.mgenseg.conftest import RECIPE
from tests.micro import Micro, drained

RULES: tuple[Selection, ...] = ("source", "pseudo-target", "oracle")


@pytest.mark.parametrize("rule", RULES)
def test_selection_sees_what_its_rule_allows(heads: Micro, rule: Selection) -> None:
    reads = heads.runs(selection=rule)["segmentation"].parts
    target = {part for part in reads if part.startswith("target.validation")}
    assert bool(target) == (rule == "oracle")
    assert not any(".test." in part for part in reads)
    assert ("source.validation.masks" in reads) == (rule != "oracle")


@pytest.mark.parametrize("rule", RULES)
def test_the_method_runs_end_to_end(heads: Micro, rule: Selection) -> None:
    trained = heads.finished("segmentation", selection=rule)
    expected = {"validation/dice", "validation/localisation", "validation/diversity"}
    assert set(trained.metrics) == expected | ({"validation/translation"} if rule == "oracle" else set())
    assert all(0 <= trained.metrics[name] <= 1 for name in expected)
    tested = heads.finished("test", selection=rule, test=True)
    assert {"test/dice", "test/dice_halves", "test/dice_micro", "test/dice_volume"} <= set(tested.metrics)
    assert {"predictions.png", "residuals.png", "attention.png"} <= {p.name for p in tested.file("pictures").iterdir()}
    index = read_json(tested.file("tiles/index.json"))
    shown = [tile["what"] for tile in index if tile["kind"] == "attention"]
    decoders = [f"{name} {level}" for name in ("common", "residual", "segmentation", "translation") for level in (1, 2)]
    assert shown == ["image", *decoders]


def test_both_modalities_can_be_tested_on_one_training(heads: Micro) -> None:
    runs = [heads.runs({"evaluation.domain": domain}, test=True) for domain in ("source", "target")]
    assert runs[0]["segmentation"].key == runs[1]["segmentation"].key
    assert runs[0]["test"].key != runs[1]["test"].key
    source = heads.finished("test", {"evaluation.domain": "source"}, test=True)
    assert source.manifest.notes["scoring"] == "diseased slices"
    halves = heads.finished("test", {"evaluation.scored": "halves"}, test=True)
    assert halves.manifest.notes["scoring"] == "diseased halves"


def test_genseg_is_selected_on_its_own_labels(heads: Micro, tmp_path: Path) -> None:
    knobs = {"segmentation.modalities": "source", "evaluation.domain": "source"}
    run = heads.runs(knobs, selection="oracle")["segmentation"]
    assert run.stage.selection == "source"
    assert not any(part.startswith("target") for part in run.parts)
    assert "test/dice" in heads.finished("test", knobs, test=True).metrics


def test_nothing_is_shown_of_networks_that_no_loss_trained(heads: Micro) -> None:
    knobs = {f"segmentation.weights.gen.{term}": 0.0 for term in ("adv", "rec", "lat")}
    tested = heads.finished("test", knobs, test=True)
    index = read_json(tested.file("tiles/index.json"))
    assert {tile["kind"] for tile in index} == {"predictions", "attention"}
    shown = {tile["what"].split()[0] for tile in index if tile["kind"] == "attention"}
    assert shown == {"image", "segmentation", "translation"}


def test_target_masks_are_the_labelled_training_subset_and_no_more(heads: Micro) -> None:
    for rule in ("source", "pseudo-target"):
        run = heads.runs(selection=rule)["segmentation"]
        masks = {part for part in run.parts if part.startswith("target.") and part.endswith(".masks")}
        assert masks == {"target.train.masks"}
    for fraction, shown in ((0.0, 0), (0.5, 1), (1.0, 2)):
        run = heads.runs(task={"target_labels": fraction})["segmentation"]
        view = TaskView(heads.prepared, run.task, run.stage.reads())
        masks = [view.mask("target", "train", subject) for subject in view.subjects("target", "train")]
        assert sum(mask is not None for mask in masks) == shown


def test_a_stopped_training_goes_on_to_the_same_end(heads: Micro, tmp_path: Path) -> None:
    """Estimates of spectra and running statistics included."""
    run, ends = heads.runs()["segmentation"], []
    for name, stops in (("whole", False), ("stopped", True)):
        folder = tmp_path / name
        folder.mkdir()
        training = run.stage.train(heads.context(run, folder))
        if stops:
            next(training)
            training.close()
            training = run.stage.train(heads.context(run, folder))
        _, outcome = drained(training)
        ends.append((outcome.metrics, load_tensors(folder / "weights.safetensors")[0]))
    assert ends[0][0] == ends[1][0]
    assert all(torch.equal(value, ends[1][1][name]) for name, value in ends[0][1].items())


def test_where_nothing_learns_to_segment_the_last_state_is_kept(heads: Micro) -> None:
    trained = heads.finished("segmentation", {"segmentation.weights.seg": 0.0})
    assert trained.manifest.notes["best_epoch"] == RECIPE.segmentation.epochs


def test_a_modality_that_was_not_trained_cannot_be_tested() -> None:
    recipe = override(RECIPE, {"segmentation.modalities": "source"})
    with pytest.raises(BadInput, match=r"'evaluation.domain' is 'target', but .* trains no target"):
        MGENSEG.pipeline(recipe, selection="oracle")


def test_presets() -> None:
    paper, released = knobs(make_recipe("paper", "paper")), knobs(make_recipe("released", "paper"))
    assert paper == knobs(MGenSegRecipe())
    assert {knob for knob, value in released.items() if value != paper[knob]} == {
        "segmentation.epochs",
        "segmentation.slices.diseased_share",
        "evaluation.slices.diseased_share",
        "segmentation.selected_on",
    }
    scheduled = knobs(make_recipe("scheduled", "paper"))
    lowered = {"segmentation.weights.seg_schedule": "by annotated fraction"}
    assert {knob: value for knob, value in scheduled.items() if value != paper[knob]} == lowered
    with pytest.raises(BadInput, match="presets paper, released, scheduled and scales"):
        make_recipe("rewritten", "paper")
    assert MGENSEG.configured(preset="released").task_knobs == {"normalisation": "joint"}
    assert GENSEG.configured(modality="source").recipe.evaluation.domain == "source"
