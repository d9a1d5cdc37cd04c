"""Both trainings and the test, on real stacks: laws, gradients that must not flow, resuming, pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from medsearch.core.errors import BadInput
from medsearch.core.records import read_json
from medsearch.methods.ssbr_cyclegan import Test as SynthesisTest
from medsearch.methods.ssbr_cyclegan.recipe import InferenceRecipe
from medsearch.methods.ssbr_cyclegan.regression import Regression, order_kept
from medsearch.methods.ssbr_cyclegan.selection import Patient
from medsearch.methods.ssbr_cyclegan.translation import PairedTranslation
from medsearch.stages.context import Runtime, training_hours
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.store import Store
from medsearch.training.cyclegan import Unpaired
from tests.methods.ssbr_cyclegan.micro_ssbr import RECIPE
from tests.micro import Micro, drained


def begun(ct: Micro, folder: Path, **knobs: object) -> PairedTranslation:
    named = {name.replace("__", "."): value for name, value in knobs.items()}
    ct.finished("regressor")
    run = ct.runs(named)["translation"]
    context = ct.context(run, folder)
    return PairedTranslation(run.stage.recipe, run.stage.regressor, context)


def holds(patient: Patient, one: np.ndarray) -> bool:
    return any(np.array_equal(one, of) for of in patient.slices[:])


def test_a_batch_of_the_regressor_holds_the_ends_of_every_region(ct: Micro, tmp_path: Path) -> None:
    run = ct.runs()["regressor"]
    training = Regression(run.stage.recipe, ct.context(run, tmp_path))
    ends = [of.images([0, len(of) - 1]) for of in training.training]
    batches = list(training.batches(1))
    assert len(batches) == RECIPE.regressor.steps(1)
    for batch in batches:
        assert batch.x.shape == (2, 4, 1, 24, 24)
        assert batch.bm.dtype == torch.bool
        for stack in batch.x:
            assert any(np.array_equal(stack[[0, -1], 0].numpy(), end) for end in ends)
    assert {len(training.training), len(training.unseen)} == {8, 2}


def test_a_region_that_is_too_short_is_named(ct: Micro, tmp_path: Path) -> None:
    run = ct.runs({"regressor.slices": 99})["regressor"]
    with pytest.raises(BadInput, match=r"^the abdominal region of c.* has \d+ slices, fewer than the 99"):
        Regression(run.stage.recipe, ct.context(run, tmp_path))


def test_order_is_a_correlation_of_ranks() -> None:
    assert order_kept(np.array([-1.0, -0.5, 0.7, 9.0])) == 1.0
    assert order_kept(np.array([3.0, 2.0, 1.0])) == -1.0
    assert order_kept(np.zeros(4)) == 0.0


def test_slices_of_a_batch_are_of_one_patient_each(ct: Micro, tmp_path: Path) -> None:
    training = begun(ct, tmp_path)
    source, target = training.patients["source"], training.patients["target"]
    batches = list(training.batches(1))
    assert len(batches) == max(len(source), len(target))
    for batch in batches:
        assert batch.x_s.shape == batch.x_t.shape == (4, 1, 24, 24)
        for x, patients in ((batch.x_s, source), (batch.x_t, target)):
            homes = [
                {p.name for p in patients if any(np.array_equal(of, s) for s in p.slices[:])} for of in x[:, 0].numpy()
            ]
            assert len(set.intersection(*homes)) == 1
    assert all(torch.equal(a.x_s, b.x_s) for a, b in zip(batches, training.batches(1), strict=True))
    assert not torch.equal(next(training.batches(2)).x_s, batches[0].x_s)


def nearest_to(patients: list[Patient], slices: np.ndarray, score: Callable[[Patient], np.ndarray]) -> np.ndarray:
    """Of each slice, from where to where scores are nearer to its own than to any other slice's of its patient."""
    one = next(p for p in patients if holds(p, slices[0]))
    of_all = score(one)
    found = []
    for slice_ in slices:
        at = int((one.slices[:] == slice_).all(axis=(1, 2)).argmax())
        below, above = of_all[of_all < of_all[at]], of_all[of_all > of_all[at]]
        low = (below.max() + of_all[at]) / 2 if below.size else -np.inf
        found.append((low, (above.min() + of_all[at]) / 2 if above.size else np.inf))
    return np.array(found)


def test_slices_are_paired_by_a_score_that_is_nearest_to_both(ct: Micro, tmp_path: Path) -> None:
    by_score, by_position = (
        begun(ct, tmp_path / how, translation__selection=how, translation__weights__acl=1.0)
        for how in ("score", "position")
    )

    def kept(batches: Iterator[Unpaired]) -> float:
        """How many pairs there is a score for."""
        fits = []
        for batch in batches:
            source, target = (
                nearest_to(by_score.patients[side], x[:, 0].numpy(), by_score.score)
                for side, x in (("source", batch.x_s), ("target", batch.x_t))
            )
            fits.append(np.maximum(source[:, 0], target[:, 0]) <= np.minimum(source[:, 1], target[:, 1]))
        return float(np.mean(fits))

    assert kept(by_score.batches(1)) == 1
    assert kept(by_position.batches(1)) < 1


def test_cached_scores_change_nothing(ct: Micro, tmp_path: Path) -> None:
    kept, anew = (
        list(begun(ct, tmp_path / str(cached), translation__cached_scores=cached).batches(1))
        for cached in (True, False)
    )
    assert all(torch.equal(a.x_t, b.x_t) for a, b in zip(kept, anew, strict=True))


def test_the_regressor_is_frozen_and_yet_teaches_the_generators(ct: Micro, tmp_path: Path) -> None:
    training = begun(ct, tmp_path, translation__weights__acl=1.0)
    before = {name: tensor.clone() for name, tensor in training.regressor.state_dict().items()}
    training.gan.begin(1)
    out = training.gan.forward(next(training.batches(1)))
    loss = training.g_terms(out)["acl"]
    loss.backward()
    grads = [parameter.grad for parameter in training.gan.translators.parameters()]
    assert any(grad is not None and grad.abs().sum() > 0 for grad in grads)
    assert all(parameter.grad is None for parameter in training.regressor.parameters())
    assert all(parameter.grad is None for parameter in training.gan.discriminators.parameters())
    for _ in training.translating.steps(1):
        pass
    assert all(torch.equal(tensor, before[name]) for name, tensor in training.regressor.state_dict().items())


@pytest.mark.parametrize(
    ("knobs", "terms"),
    [
        ({}, {"adv", "cyc", "idt", "acl"}),
        ({"translation__weights__idt": 0.0}, {"adv", "cyc", "acl"}),
        ({"translation__weights__acl": 0.0}, {"adv", "cyc", "idt"}),
        ({"translation__weights__cyc": 0.0}, {"adv", "acl"}),
    ],
)
def test_the_loss_has_the_terms_that_have_a_weight(
    ct: Micro, tmp_path: Path, knobs: dict[str, object], terms: set[str]
) -> None:
    training = begun(ct, tmp_path, **knobs)
    first = next(iter(training.translating.steps(1)))
    assert set(first) == terms | {"d_s", "d_t"}


def test_stopped_and_resumed_equals_uninterrupted(ct: Micro, tmp_path: Path) -> None:
    ct.finished("regressor")
    run = ct.runs()["translation"]
    whole = ct.finished("translation").file("weights.safetensors").read_bytes()
    apart = StageExecutor(Store(tmp_path / "stages"), ct.prepared, Runtime())
    drained(run_stage(apart, ct.runs()["regressor"]))
    first = run_stage(apart, run)
    next(first)
    first.close()
    epochs, artifact = drained(run_stage(apart, run))
    assert [epoch.number for epoch in epochs] == [2]
    assert artifact.file("weights.safetensors").read_bytes() == whole


def test_the_mask_puts_background_where_the_input_has_no_body(ct: Micro, tmp_path: Path) -> None:
    ct.finished("translation", selection="none")
    context = ct.context(ct.runs(selection="none", test=True)["test"], tmp_path)
    given, _ = context.task.pair("test", context.task.pairs("test")[0])
    plain, cut = (
        SynthesisTest(recipe=InferenceRecipe(binary_mask=mask), translation=RECIPE.translation).translator(context)(
            given
        )
        for mask in (False, True)
    )
    inside = given.bodies() > 0
    assert np.array_equal(plain[inside], cut[inside])
    assert (cut[~inside] == -1).all()
    assert not (plain[~inside] == -1).all()


def test_the_test_scores_every_pair_in_both_directions_and_draws(ct: Micro) -> None:
    found = {}
    for direction in ("forward", "backward"):
        artifact = ct.finished("test", selection="none", test=True, task={"direction": direction})
        taken = {role: ct.store.artifact(key) for role, key in artifact.manifest.upstream.items()}
        assert set(taken) == {"regressor", "translation"}
        assert artifact.metrics["test/training_hours"] == pytest.approx(training_hours(taken.values()))
        assert artifact.metrics["test/training_hours"] > 0
        assert set(artifact.metrics) == {
            "test/mse", "test/psnr", "test/psnr_volume", "test/ssim", "test/mae", "test/training_hours",
        }  # fmt: skip
        rows = artifact.manifest.notes["cases"]
        assert len(rows) == 2
        index = read_json(artifact.file("tiles") / "index.json")
        assert {tile["kind"] for tile in index} == {"pairs", "unpaired"}
        assert {tile["what"] for tile in index if tile["kind"] == "pairs"} == {
            "given",
            "made",
            "wanted",
            "made − wanted",
        }
        assert all((artifact.file("tiles") / tile["file"]).is_file() for tile in index)
        found[direction] = artifact.metrics["test/mse"]
    assert found["forward"] != found["backward"]


def test_under_the_oracle_pairs_score_the_last_epoch(ct: Micro) -> None:
    seen, unseen = (ct.finished("translation", selection=rule) for rule in ("oracle", "none"))
    assert {"validation/mse", "validation/ssim"} <= set(seen.metrics)
    assert not any(name.startswith("validation") for name in unseen.metrics)
    assert seen.file("weights.safetensors").read_bytes() == unseen.file("weights.safetensors").read_bytes()


def test_a_registration_moves_the_second_patient_onto_the_first(ct: Micro, tmp_path: Path) -> None:
    training = begun(ct, tmp_path, translation__selection="registration", translation__weights__acl=0.0)
    batch = next(training.batches(1))
    assert batch.x_s.shape == batch.x_t.shape == (4, 1, 24, 24)
    target = np.concatenate([patient.slices[:] for patient in training.patients["target"]])
    assert not any(np.array_equal(x, of) for x in batch.x_t[:, 0].numpy() for of in target), "resampled"
