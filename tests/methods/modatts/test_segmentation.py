import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medsearch.methods.modatts import losses
from medsearch.methods.modatts.segmentation import SegmentationTraining
from medsearch.methods.modatts.supervision import Triple, drawn, supervision
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.store import Store
from medsearch.training import loop as loops
from medsearch.training.adversarial import pieces
from tests.micro import Micro, drained, flat

SELF = {"segmentation.variant": "self-supervised", "segmentation.network.unique_fraction": 0.0}


def training(
    micro: Micro,
    folder: Path,
    knobs: dict[str, Any] | None = None,
    *,
    task: dict[str, Any] | None = None,
    **runtime: Any,
) -> SegmentationTraining:
    run = micro.runs(knobs, task=task)["segmentation"]
    if run.upstream:
        micro.finished("synthesis", knobs, task=task)
    context = micro.context(run, folder, **runtime)
    recipe = run.stage.recipe
    return SegmentationTraining(recipe, context, supervision(recipe, run.stage.selection, context))


def first(held: SegmentationTraining, seed: int = 0) -> Triple:
    return next(drawn(held.recipe, held.given, np.random.default_rng(seed)))


@pytest.mark.parametrize("knobs", [{}, flat()])
def test_terms_are_the_papers_with_normalised_weights(micro: Micro, tmp_path: Path, knobs: dict[str, Any]) -> None:
    held = training(micro, tmp_path, knobs, task={"target_labels": 0.5})
    lam = {"adv": 5 / 160, "rec": 50 / 160, "lat": 5 / 160, "seg": 100 / 160}
    assert held.weights == pytest.approx(lam)
    batch = first(held)
    done = held.forward(batch)
    d, g, p, a = held.d_terms(done), held.g_terms(done), done.p, done.a
    net = held.segmentor
    with torch.no_grad():
        expected = {
            "d_a": lam["adv"] * losses.adversarial_d(held.d_a(batch.healthy.x), held.d_a(p.x_pa)),
            "d_p": lam["adv"] * losses.adversarial_d(held.d_p(batch.diseased.x), held.d_p(a.x_ap)),
            "adv": lam["adv"] * (losses.adversarial_g(held.d_a(p.x_pa)) + losses.adversarial_g(held.d_p(a.x_ap))),
            "rec": lam["rec"] * ((p.x_pp - batch.diseased.x).abs().mean() + (a.x_aa - batch.healthy.x).abs().mean()),
            "lat": lam["lat"] * losses.latent(done.codes),
            "seg": lam["seg"] * losses.dice(batch.synthetic.y, net(batch.synthetic.x)),
            "st": lam["seg"] * losses.dice(batch.diseased.y, net(batch.diseased.x)[: len(batch.diseased.y)]),
        }
    found = {**d, **g}
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name].detach(), value, atol=1e-5, rtol=1e-4)


def test_lambda_seg_follows_the_annotated_fraction(micro: Micro, tmp_path: Path) -> None:
    seg = 100 * 0.25 * 2 ** (np.log(0.5 / 0.4) / np.log(0.7 / 0.4))
    held = training(micro, tmp_path, task={"source_labels": 0.5})
    assert held.weights["seg"] == pytest.approx(seg / (seg + 60))
    constant = {"segmentation.weights.seg_schedule": "constant"}
    assert training(micro, tmp_path, constant, task={"source_labels": 0.5}).weights["seg"] == pytest.approx(100 / 160)


def test_every_network_learns_in_one_step(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path)
    list(held.steps(1))
    for name, module in held.modules.items():
        silent = [key for key, weight in module.named_parameters() if weight.requires_grad and weight.grad is None]
        assert not silent, (name, silent)


def test_the_self_supervised_variant_is_supervised_alone(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path, SELF)
    assert set(held.modules) == {"segmentor"}
    batch = first(held)
    assert len(batch.diseased.x) == len(batch.healthy.x) == 0
    found = held.supervised_terms(batch)
    torch.testing.assert_close(found, {"seg": losses.dice(batch.synthetic.y, held.segmentor(batch.synthetic.x))})


def test_only_annotated_target_crops_are_loaded_without_translation(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path, SELF, task={"target_labels": 0.5})
    seen = [len(batch.diseased.x) for batch in drawn(held.recipe, held.given, np.random.default_rng(0))]
    assert seen == [1]  # two diseased target halves are drawn, one of them has a mask
    assert set(held.supervised_terms(first(held))) == {"seg", "st"}


def test_without_absence_to_presence_only_d_a_judges(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path, {"segmentation.translate": "presence-to-absence"})
    done = held.forward(first(held))
    assert done.a is None
    assert set(held.d_terms(done)) == {"d_a"}
    assert done.codes.from_a is None
    before = [parameter.clone() for parameter in held.d_p.parameters()]
    list(held.steps(1))
    assert all(torch.equal(one, two) for one, two in zip(before, held.d_p.parameters(), strict=True))


@pytest.mark.parametrize(
    "knobs", [{}, {"segmentation.decoders": "separate"}, flat()], ids=["shared", "separate", "flat"]
)
def test_micro_batches_step_like_the_whole_batch(micro: Micro, tmp_path: Path, knobs: dict[str, Any]) -> None:
    """All but the Dice, which is batch-wise. SGD, because Adam turns rounding into steps, and a bottleneck of several
    voxels, because instance norms of two turn it into anything."""
    scales = {"segmentation.network.scales": (2, 2, 1, 1)}
    wanted = {**knobs, **scales, "segmentation.weights.seg": 0.0, "segmentation.batch": 3}
    found = []
    for size in (0, 1, 2):
        held = training(micro, tmp_path, wanted, micro_batch=size)
        for name, optimiser in held.optimisers.items():
            held.optimisers[name] = torch.optim.SGD(optimiser.param_groups[0]["params"], lr=0.1)
        terms = next(held.steps(1))
        found.append((terms, [weight for module in held.modules.values() for weight in module.parameters()]))
    for terms, weights in found[1:]:
        torch.testing.assert_close(terms, found[0][0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(weights, found[0][1], atol=1e-5, rtol=1e-3)


def test_micro_batches_give_annotated_crops_their_weight(micro: Micro, tmp_path: Path) -> None:
    """A batch of one annotated and one unannotated target crop: the Dice term is that of the one."""
    held = training(micro, tmp_path, task={"target_labels": 0.5})
    batch = first(held)
    assert (len(batch.diseased.x), len(batch.diseased.y)) == (2, 1)
    parts = [batch[part] for part in pieces(len(batch), 1)]
    assert [part.emphasis for part in parts] == [(1.0, 2.0), (1.0, 0.0)]
    with torch.no_grad():
        whole = held.g_terms(held.forward(batch))["st"]
        shared = [held.g_terms(held.forward(part)).get("st", torch.zeros(())) for part in parts]
    torch.testing.assert_close(sum(shared) / 2, whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("knobs", [{}, SELF, flat()], ids=["semi", "self", "flat"])
def test_killed_and_resumed_equals_uninterrupted(
    micro: Micro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any]
) -> None:
    monkeypatch.setattr(loops, "CHECKPOINT_SECONDS", 0.0)
    wanted = {**knobs, "segmentation.epochs": 3}
    whole = micro.finished("segmentation", wanted)
    run = micro.runs(wanted)["segmentation"]
    for key in run.upstream.values():
        shutil.copytree(micro.store.folder(key), tmp_path / "killed" / key)
    killed = StageExecutor(Store(tmp_path / "killed"), micro.prepared, micro.executor().runtime)
    generator = run_stage(killed, run)
    assert [next(generator).number, next(generator).number] == [1, 2]
    shutil.copytree(tmp_path / "killed", tmp_path / "resumed")  # the disk at the moment of the kill
    generator.close()
    torch.manual_seed(1)
    resumed = StageExecutor(Store(tmp_path / "resumed"), micro.prepared, killed.runtime)
    epochs, artifact = drained(run_stage(resumed, run))
    assert [epoch.number for epoch in epochs] == [3]
    assert artifact.metrics == whole.metrics
    assert artifact.file("weights.safetensors").read_bytes() == whole.file("weights.safetensors").read_bytes()
    journals = [[line["metrics"] for line in store.journal(run.key)] for store in (micro.store, resumed.store)]
    assert journals[0] == journals[1]


@pytest.mark.parametrize("knobs", [{}, flat()], ids=["solid", "flat"])
def test_bf16_agrees_with_fp32(micro: Micro, tmp_path: Path, knobs: dict[str, Any]) -> None:
    found = []
    for precision in ("fp32", "bf16"):
        held = training(micro, tmp_path, knobs, task={"target_labels": 0.5}, precision=precision)
        terms = next(held.steps(1))
        assert all(term.dtype == torch.float32 for term in terms.values())
        found.append({name: value.item() for name, value in terms.items()})
        assert 0 < held.validate()["validation/dice"] < 1
    assert found[1] == pytest.approx(found[0], abs=0.02)
    assert found[1] != found[0]


def test_seeds_decide_weights_crops_and_codes(micro: Micro) -> None:
    terms = [micro.store.journal(micro.finished("segmentation", seed=seed).key)[0]["metrics"] for seed in (0, 1)]
    assert terms[0] != terms[1]


def test_the_best_epoch_is_handed_on(micro: Micro) -> None:
    artifact = micro.finished("segmentation", {"segmentation.epochs": 3})
    scores = {line["epoch"]: line["metrics"]["validation/dice"] for line in micro.store.journal(artifact.key)}
    assert artifact.metrics["validation/dice"] == max(scores.values()) == scores[artifact.manifest.notes["best_epoch"]]
    assert sum(artifact.manifest.notes["weights"].values()) == pytest.approx(1)


def test_validation_is_the_dice_of_all_diseased_halves_together(micro: Micro, tmp_path: Path) -> None:
    held = training(micro, tmp_path, flat())
    (batch,) = held.given.validation.each(10)
    assert batch.x.shape[1:] == (1, 8, 16, 8)
    with torch.no_grad():
        slices = batch.x[:, 0].flatten(0, 1)[:, None]
        y_hat = (held.segmentor.eval()(slices) > 0.5).view_as(batch.y).float()
    assert held.validate()["validation/dice"] == pytest.approx(-losses.dice(batch.y, y_hat).item(), abs=1e-6)


def test_sampled_codes_are_normal_in_the_shape_of_the_bottleneck(micro: Micro, tmp_path: Path) -> None:
    for knobs, space in (({}, (1, 2, 1)), (flat(), (2, 1))):
        held = training(micro, tmp_path, knobs)
        u = first(held).u
        latent = held.segmentor.encoder(first(held).healthy.x)
        assert u.shape[1:] == latent.unique.shape[1:] == (2, *space)
    many = torch.cat([first(held, seed).u.flatten() for seed in range(100)])
    assert many.mean().item() == pytest.approx(0, abs=0.1)
    assert many.std().item() == pytest.approx(1, abs=0.1)
