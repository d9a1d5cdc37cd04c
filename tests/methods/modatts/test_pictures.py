from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from medsearch.core.records import read_json
from medsearch.imaging.volumes import read_volume
from medsearch.methods.modatts.pictures import load_segmentors, voted
from medsearch.methods.modatts.recipe import SegmentationRecipe
from medsearch.metrics.overlap import dice
from medsearch.metrics.scoring import TestCase as Case
from medsearch.stages.context import Artifact, StageContext
from medsearch.stages.testing import predicted_cases
from tests.micro import Micro, flat


def found(recipe: SegmentationRecipe, context: StageContext) -> list[Case]:
    predict = partial(voted, segmentors=load_segmentors(recipe, context), context=context)
    return list(predicted_cases(predict, context))


@pytest.mark.parametrize("knobs", [{}, flat()], ids=["solid", "flat"])
def test_the_test_stage_scores_every_case_and_draws(micro: Micro, knobs: dict[str, object]) -> None:
    artifact = micro.finished("test", knobs, test=True)
    assert {"test/dice", "test/dice_micro", "test/dice_volume"} <= set(artifact.metrics)
    rows = artifact.manifest.notes["cases"]
    assert len(rows) == 1
    assert artifact.metrics["test/dice"] == rows[0]["dice"]
    pictures = sorted(path.name for path in (artifact.directory / "pictures").iterdir())
    assert pictures == [
        *("attention_segmentation.png", "attention_translation.png"),
        *("predictions.png", "residuals.png", "translations.png"),
    ]


def test_segmentors_of_all_folds_vote(micro: Micro, tmp_path: Path) -> None:
    """The mean of their probabilities: with one voice twice its own outcome, with two another one than either's."""
    folded = {"ensemble.folds": 2, "self_training.rounds": 0}
    voted = micro.finished("test", folded, test=True)
    runs = micro.runs(folded, test=True)
    first, second = (micro.store.artifact(runs[f"segmentation_fold_{number}"].key) for number in (1, 2))
    context = micro.context(runs["test"], tmp_path)

    def votes(*artifacts: Artifact) -> list[np.ndarray]:
        given = replace(context, upstream={f"segmentor_{place}": one for place, one in enumerate(artifacts, start=1)})
        return [case.prediction for case in found(runs["test"].stage.recipe, given)]

    (alone,), (twice,), (other,), (both,) = votes(first), votes(first, first), votes(second), votes(first, second)
    np.testing.assert_array_equal(alone, twice)
    assert (both != alone).any()
    assert (both != other).any()
    assert ((both == alone) | (both == other)).all()
    (row,) = voted.manifest.notes["cases"]
    (truth,) = (case.truth for case in found(runs["test"].stage.recipe, context))
    assert row["dice_volume"] == pytest.approx(dice(both, truth))


@pytest.mark.parametrize("reference", ["source", "target"])
def test_a_reference_is_tested_on_the_same_cases(micro: Micro, reference: str) -> None:
    knobs = {"segmentation.supervision": reference}
    artifact = micro.finished("test", knobs, test=True, task={"target_labels": 1.0})
    adapted = micro.finished("test", test=True)
    subjects = [[row["subject"] for row in one.manifest.notes["cases"]] for one in (artifact, adapted)]
    assert subjects[0] == subjects[1]
    pictures = sorted(path.name for path in (artifact.directory / "pictures").iterdir())
    assert pictures == ["attention_segmentation.png", "predictions.png"]


def test_test_cases_without_masks_are_predicted_not_scored(tmp_path: Path) -> None:
    """And nobody has both contrasts, so translations are those of annotated sources, validation cases."""
    micro = Micro.written(tmp_path, apart=True)
    artifact = micro.finished("test", test=True, selection="pseudo-target")
    assert artifact.metrics == {}
    assert (artifact.manifest.notes["unscored"], artifact.manifest.notes["cases"]) == (1, [])
    predicted = read_volume(artifact.file("predictions/case-5.nii.gz"))
    assert predicted.array.shape == (24, 24, 16)
    assert set(np.unique(predicted.array)) <= {0, 1}
    np.testing.assert_array_equal(predicted.affine, np.diag([-10, -10, 10, 1]))
    index = read_json(artifact.file("tiles/index.json"))
    whats = {kind: [tile["what"] for tile in index if tile["kind"] == kind] for kind in ("translations", "predictions")}
    assert whats == {"translations": ["source", "translated", "truth"], "predictions": ["image", "prediction"]}
    assert {tile["subject"] for tile in index if tile["kind"] == "translations"} <= {"case-0", "case-1", "case-2"}
    assert {tile["note"] for tile in index if tile["what"] == "prediction"} == {""}
