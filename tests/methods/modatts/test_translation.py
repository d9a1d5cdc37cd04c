import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medsearch.core.errors import BadInput
from medsearch.imaging.geometry import padded_slices
from medsearch.methods.modatts import losses
from medsearch.methods.modatts.translation import TranslationTraining
from medsearch.methods.modatts.translator import Translator
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.store import Store
from medsearch.training import loop as loops
from medsearch.training.checkpoints import load_tensors, load_trained
from tests.micro import TASK, Micro, drained


def training(micro: Micro, folder: Path, knobs=None, *, task=None, **runtime) -> TranslationTraining:
    run = micro.runs(knobs, task=task)["translation"]
    return TranslationTraining(run.stage.recipe, micro.context(run, folder, **runtime))


def test_terms_are_the_papers_with_normalised_weights(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path)
    batch = held.drawing.load(range(8), range(8), np.random.default_rng(0))
    assert 0 < len(batch.y_s) < 8
    done = held.forward(batch)
    (_, out), known = done, slice(len(batch.y_s))
    d, g = held.d_terms(done), held.g_terms(done)
    with torch.no_grad():
        for name, judge, real, fake in (("d_s", held.d_s, batch.x_s, out.x_ts), ("d_t", held.d_t, batch.x_t, out.x_st)):
            torch.testing.assert_close(d[name], losses.adversarial_d(judge(real), judge(fake)) / 12)
        adversarial = losses.adversarial_g(held.d_s(out.x_ts)) + losses.adversarial_g(held.d_t(out.x_st))
    torch.testing.assert_close(g["adv"], adversarial / 12)
    cycle = (out.x_sts - batch.x_s).abs().mean() + (out.x_tst - batch.x_t).abs().mean()
    torch.testing.assert_close(g["cyc"], cycle * 10 / 12)
    dice = losses.dice(batch.y_s, out.y_hat_s[known]) + losses.dice(batch.y_s, out.y_hat_st[known])
    torch.testing.assert_close(g["seg"], dice / 12)


def test_without_lambda_seg_nothing_is_segmented_and_no_such_decoder_moves(micro: Micro, tmp_path: Path) -> None:
    without = training(micro, tmp_path / "0", {"translation.weights.seg": 0.0})
    batch = without.drawing.load(range(8), range(8), np.random.default_rng(0))
    done = without.forward(batch)
    assert (done[1].y_hat_s, done[1].y_hat_st) == (None, None)
    assert float(without.g_terms(done)["seg"]) == 0
    before = {name: value.clone() for name, value in without.translator.state_dict().items()}
    next(without.steps(1))
    moved = {
        name.split(".")[0] for name, value in without.translator.state_dict().items() if not value.equal(before[name])
    }
    assert moved == {"encode_s", "encode_t", "to_s", "to_t"}


def test_both_cycles_go_through_the_networks_of_the_figure(micro: Micro, tmp_path: Path) -> None:
    net = training(micro, tmp_path).translator.eval()
    torch.manual_seed(0)
    x_s, x_t = torch.randn(2, 2, 1, 32, 32).clamp(-1, 1)
    out = net(x_s, x_t)
    x_st, x_ts = net.to_t(net.encode_s(x_s)), net.to_s(net.encode_t(x_t))
    torch.testing.assert_close(out.x_st, x_st)
    torch.testing.assert_close(out.x_sts, net.to_s(net.encode_t(x_st)))
    torch.testing.assert_close(out.x_ts, x_ts)
    torch.testing.assert_close(out.x_tst, net.to_t(net.encode_s(x_ts)))
    torch.testing.assert_close(out.y_hat_s, net.segment_s(net.encode_s(x_s)))
    torch.testing.assert_close(out.y_hat_st, net.segment_t(net.encode_t(x_st)))
    torch.testing.assert_close(net.translate(x_s), x_st)
    torch.testing.assert_close(net.segment(x_s), (out.y_hat_s, out.y_hat_st))


def test_gradients_reach_every_network(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path)
    next(held.steps(1))
    for name, module in held.modules.items():
        silent = [key for key, parameter in module.named_parameters() if parameter.grad is None]
        assert not silent, (name, silent)


def test_only_slices_with_tumour_count_unless_asked(micro: Micro, tmp_path: Path) -> None:
    everything = range(16)
    counted = {}
    for empty in (False, True):
        held = training(micro, tmp_path, {"translation.empty_slices": empty, "translation.augment": False})
        batch = held.drawing.load(everything, everything, np.random.default_rng(0))
        counted[empty] = len(batch.y_s)
        masks = [held.drawing.source.mask(index) for index in everything]
        assert len(batch.y_s) == (16 if empty else sum(mask.any() for mask in masks))
        shown = [held.drawing.source[index][0] for index in everything if empty or masks[index].any()]
        np.testing.assert_array_equal(batch.x_s[: len(shown), 0], np.stack(shown))
    assert counted[False] < counted[True]


def test_unlabelled_sources_are_translated_but_not_segmented(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path, task={"source_labels": 0.0})
    terms = list(held.steps(1))
    assert all(step["seg"].item() == pytest.approx(-2 / 12) for step in terms)
    half = training(micro, tmp_path, {"translation.augment": False}, task={"source_labels": 0.5})
    batch = half.drawing.load(range(16), range(16), np.random.default_rng(0))
    whole = training(micro, tmp_path, {"translation.augment": False})
    assert len(batch.y_s) < len(whole.drawing.load(range(16), range(16), np.random.default_rng(0)).y_s)


def test_target_masks_are_never_asked_for(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path, task={"target_labels": 1.0})
    assert all(held.drawing.target[index][1] is None for index in range(len(held.drawing.target)))


def test_validation_is_over_all_diseased_slices_at_once(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path, {"translation.batch": 3})
    (subject,) = held.context.task.subjects("source", "validation")
    place = micro.prepared.index(subject)
    x, y = (
        torch.from_numpy(padded_slices(volume, TASK.geometry).astype(np.float32))[:, None]
        for volume in (micro.prepared.image("t1")[place], micro.prepared.mask[place])
    )
    diseased = y.flatten(1).any(1)
    found = held.validate()
    with torch.no_grad():
        y_hat_s, y_hat_st = held.translator.eval().segment(x[diseased])
    dice = losses.tumour_aware(y[diseased], y_hat_s, y_hat_st=y_hat_st)
    assert found["validation/loss"] == pytest.approx(dice.item(), abs=1e-5)
    hard = -losses.dice(y[diseased], (y_hat_st > 0.5).float())
    assert found["validation/dice_translated"] == pytest.approx(hard.item(), abs=1e-5)


def test_no_validation_tumour_is_refused(micro: Micro, tmp_path: Path) -> None:
    run = micro.runs()["translation"]
    shallow = replace(TASK, geometry=replace(TASK.geometry, depth=(0, 2)))
    context = micro.context(run, tmp_path)
    with pytest.raises(BadInput, match="no validation slice of the source holds a tumour"):
        TranslationTraining(run.stage.recipe, replace(context, task=replace(context.task, task=shallow)))


def test_random_encoders_are_said_once_in_log_and_manifest(
    micro: Micro, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        held = training(micro, tmp_path)
    assert [record.message for record in caplog.records] == [
        "encoders start from random weights; knob translation.imagenet takes the path of R50+ViT-B_16.npz"
    ]
    assert held.encoders_from == "random (no ImageNet weights given)"
    assert micro.finished("translation").manifest.notes["encoders_from"] == held.encoders_from


def test_imagenet_weights_that_cannot_be_read_are_refused_by_name(micro: Micro, tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(b"no archive")
    with pytest.raises(BadInput, match=r"weights\.npz: not a readable \.npz file"):
        training(micro, tmp_path, {"translation.imagenet": str(tmp_path / "weights.npz")})


def test_seeds_are_set_before_the_networks_are_built(micro: Micro, tmp_path: Path) -> None:
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(weights))
        run = micro.runs(seed=seed)["translation"]
        held = TranslationTraining(run.stage.recipe, micro.context(run, tmp_path))
        weights.append(torch.cat([parameter.flatten() for parameter in held.translator.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_last_and_best_states_are_handed_on(micro: Micro) -> None:
    artifact = micro.finished("translation", {"translation.epochs": 3})
    journal = micro.store.journal(artifact.key)
    by_epoch = {line["epoch"]: line["metrics"]["validation/loss"] for line in journal}
    best = artifact.manifest.notes["best_epoch"]
    assert by_epoch[best] == min(by_epoch.values())
    assert artifact.metrics["validation/loss"] == pytest.approx(by_epoch[3], abs=1e-6)
    last, kept = (load_tensors(artifact.file(name))[0] for name in ("weights.safetensors", "best.safetensors"))
    assert set(last) == set(kept)
    assert all(name.startswith("translator/") for name in last)
    assert all(torch.equal(last[name], kept[name]) for name in last) == (best == 3)


def test_killed_and_resumed_equals_uninterrupted(micro: Micro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout and batch norms, whose state must come back too."""
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", 0.0)
    run = micro.runs()["translation"]
    whole = micro.finished("translation")
    killed = StageExecutor(Store(tmp_path / "killed"), micro.prepared, micro.executor().runtime)
    generator = run_stage(killed, run)
    next(generator)
    shutil.copytree(tmp_path / "killed", tmp_path / "resumed")
    generator.close()
    torch.manual_seed(1)
    resumed = StageExecutor(Store(tmp_path / "resumed"), micro.prepared, killed.runtime)
    epochs, artifact = drained(run_stage(resumed, run))
    assert [epoch.number for epoch in epochs] == [2]
    assert artifact.metrics == whole.metrics
    for name in ("weights.safetensors", "best.safetensors"):
        assert artifact.file(name).read_bytes() == whole.file(name).read_bytes()


def test_micro_batches_change_batch_statistics_and_little_else(micro: Micro, tmp_path: Path) -> None:
    """BatchNorm sees micro-batches, so terms agree only roughly; what is drawn is the same."""
    found = []
    for size in (0, 4, 3):
        held = training(micro, tmp_path, {"translation.network.dropout": 0.0}, micro_batch=size)
        found.append({name: value.item() for name, value in next(held.steps(1)).items()})
    for other in found[1:]:
        assert other == pytest.approx(found[0], abs=0.03)


def test_bf16_agrees_with_fp32(micro: Micro, tmp_path: Path) -> None:
    found = []
    for precision in ("fp32", "bf16"):
        held = training(micro, tmp_path, {"translation.network.dropout": 0.0}, precision=precision)
        found.append({name: value.item() for name, value in next(held.steps(1)).items()})
        assert all(value.dtype == torch.float32 for value in held.translator.parameters())
    assert found[1] == pytest.approx(found[0], abs=0.02)
    assert found[1] != found[0]


@pytest.mark.parametrize(("checkpoint", "file"), [("last", "weights.safetensors"), ("best", "best.safetensors")])
def test_synthetic_volumes_are_the_sources_translated(micro: Micro, checkpoint: str, file: str) -> None:
    knobs = {"synthesis.checkpoint": checkpoint}
    artifact, translation = micro.finished("synthesis", knobs), micro.finished("translation", knobs)
    volumes = np.load(artifact.file("pseudo_target.npy"), mmap_mode="r")
    run = micro.runs(knobs)["synthesis"]
    net = load_trained(Translator(run.stage.translation), translation.file(file), "translator", "cpu")
    task = micro.context(run, artifact.directory).task
    subjects = [*task.subjects("source", "train"), *task.subjects("source", "validation")]
    assert (volumes.shape, volumes.dtype) == ((len(subjects), *micro.prepared.shape), np.float16)
    for place, subject in enumerate(subjects):
        volume = micro.prepared.image("t1")[micro.prepared.index(subject)].astype(np.float32)
        slices = torch.from_numpy(padded_slices(volume, TASK.geometry))[:, None]
        with torch.no_grad():
            expected = net.translate(slices)[:, 0].numpy()
        brain = padded_slices(volume, TASK.geometry) != 0
        found = padded_slices(volumes[place], TASK.geometry)
        np.testing.assert_allclose(found[brain], expected[brain], atol=1e-3)
        assert not found[~brain].any()
        assert not volumes[place][:4].any()
        assert not volumes[place][12:].any()
