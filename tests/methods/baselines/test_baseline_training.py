"""What flows where: gradients, masks, weights from a file, selection rules."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from medsearch.cohorts.patches import hemispheres
from medsearch.cohorts.views import TaskView
from medsearch.core.errors import BadInput
from medsearch.core.recipes import override
from medsearch.methods.baselines import ATTENT
from medsearch.methods.baselines.accsegnet.networks import SqueezeUNet
from medsearch.methods.baselines.accsegnet.recipe import SqueezeUNetConfig
from medsearch.methods.baselines.attent.networks import DeepLab, start_backbone
from medsearch.methods.baselines.attent.recipe import DeepLabConfig
from medsearch.methods.baselines.attent.segmentation import as_map, entropy_map
from medsearch.methods.baselines.slices import Pair, both_contrasts
from medsearch.training.crops import CropBatch
from tests.methods.baselines.micro_baselines import METHODS, of
from tests.methods.baselines.trainings import begun, translation_artifact, unlike
from tests.micro import Micro

LABELLED = {"target_labels": 0.5}
ADVERSARIAL = [
    ("accsegnet", "segmentation"),
    ("accsegnet_official", "segmentation"),
    ("attent", "translation"),
    ("attent", "segmentation"),
    ("uagan", "segmentation"),
    ("uagan_official", "segmentation"),
]


def first_batch(training: Any) -> Any:
    return next(training.drawing.batches(3, augment=False, rng=np.random.default_rng(0)))


def judges(training: Any) -> list[nn.Module]:
    return [module for name, module in training.modules.items() if name.startswith(("d_", "judge"))]


def touched(modules: list[nn.Module]) -> bool:
    return any(weight.grad is not None and weight.grad.any() for module in modules for weight in module.parameters())


@pytest.mark.parametrize(("method", "node"), ADVERSARIAL)
def test_d_learns_nothing_of_g_and_g_moves_no_d(micro: Micro, tmp_path: Path, method: str, node: str) -> None:
    training = begun(micro, method, tmp_path, node=node, task=LABELLED)
    discriminators = judges(training)
    others = [module for module in training.modules.values() if module not in discriminators]
    out = training.forward(first_batch(training))
    sum(training.d_terms(out).values()).backward()
    assert touched(discriminators)
    assert not touched(others)
    before = [weight.clone() for module in discriminators for weight in module.parameters()]
    training.optimisers["d"].zero_grad()
    sum(training.g_terms(out).values()).backward()
    assert all(touched([module]) for module in others)
    training.optimisers["g"].step()
    after = [weight for module in discriminators for weight in module.parameters()]
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_attent_s_source_maps_are_real_and_its_generators_fixed(micro: Micro, tmp_path: Path) -> None:
    training = begun(micro, "attent", tmp_path)
    out = training.forward(first_batch(training))
    terms = training.g_terms(out)
    fooling = terms["adv_main"] + terms["adv_aux"]
    assert torch.autograd.grad(fooling, out.source, allow_unused=True, retain_graph=True) == (None, None)
    assert all(slope is not None for slope in torch.autograd.grad(fooling, out.target, retain_graph=True))
    assert not any(weight.requires_grad for weight in training.translator.parameters())
    assert not training.translator.training
    norms = [part for part in training.network.modules() if isinstance(part, nn.BatchNorm2d)]
    assert not any(weight.requires_grad for norm in norms for weight in norm.parameters())


def test_attent_s_maps_are_told_apart_by_a_hinge(micro: Micro, tmp_path: Path) -> None:
    training = begun(micro, "attent", tmp_path)
    out = training.forward(first_batch(training))
    with torch.no_grad():
        source, target = (training.d_main(entropy_map(p[0])) for p in (out.source, out.target))
        told = torch.relu(1 - source).mean() + torch.relu(1 + target).mean()
        assert training.d_terms(out)["d_main"].item() == pytest.approx(0.5 * told.item())
        assert training.g_terms(out)["adv_main"].item() == pytest.approx(-0.001 * target.mean().item())
        source, target = (training.d_aux(as_map(p[1])) for p in (out.source, out.target))
        told = torch.relu(1 - source).mean() + torch.relu(1 + target).mean()
        assert training.d_terms(out)["d_aux"].item() == pytest.approx(0.5 * told.item())
        assert training.g_terms(out)["adv_aux"].item() == pytest.approx(-0.0002 * target.mean().item())


@pytest.mark.parametrize(("method", "term"), [("accsegnet", "seg"), ("attent", "main"), ("uagan", "seg")])
def test_slices_without_masks_are_translated_and_teach_no_segmentation(
    micro: Micro, tmp_path: Path, method: str, term: str
) -> None:
    training = begun(micro, method, tmp_path, task={"source_labels": 0.0, "target_labels": 1.0})
    batch = first_batch(training)
    assert len(batch.source.x) == 3
    assert not len(batch.source.y)
    assert term in training.g_terms(training.forward(batch))  # of the target's masks
    unknown = Pair(batch.source, CropBatch(batch.target.x, batch.target.y[:0]))
    assert term not in training.g_terms(training.forward(unknown))
    nothing = begun(micro, method, tmp_path / "2", task={"target_labels": 1.0})
    assert term in nothing.g_terms(nothing.forward(first_batch(nothing)))


def running_means(training: Any) -> list[torch.Tensor]:
    norms = (part for part in training.network.segmentor.modules() if isinstance(part, nn.BatchNorm2d))
    return [norm.running_mean.clone() for norm in norms]


@pytest.mark.parametrize(("method", "target_seen"), [("accsegnet", True), ("accsegnet_official", False)])
def test_accsegnet_s_batch_norms_know_slices_without_masks(
    micro: Micro, tmp_path: Path, method: str, target_seen: bool
) -> None:
    training = begun(micro, method, tmp_path)
    batch = first_batch(training)
    batch = Pair(CropBatch(batch.source.x, batch.source.y[:0]), CropBatch(batch.target.x, batch.target.y[:0]))
    before = running_means(training)
    terms = training.g_terms(training.forward(batch))
    assert "seg" not in terms
    after = running_means(training)
    assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
    other = begun(micro, method, tmp_path / "2")
    other.forward(Pair(batch.source, CropBatch(1 - batch.target.x, batch.target.y)))
    assert torch.equal(running_means(other)[0], after[0]) is not target_seen


@pytest.mark.parametrize("method", [method for method in METHODS if "official" not in method])
def test_no_mask_at_all_is_refused(micro: Micro, tmp_path: Path, method: str) -> None:
    with pytest.raises(BadInput, match=r"annotated .*raise task.source_labels"):
        begun(micro, method, tmp_path, task={"source_labels": 0.0})


def test_references_are_selected_on_what_they_train_with(micro: Micro, tmp_path: Path) -> None:
    def selected(method: str, where: str, knobs: dict[str, Any], **task: float) -> list[str]:
        return list(begun(micro, method, tmp_path / where, knobs=knobs, task=task).validation)

    both = {"segmentation.supervision": "both"}
    assert selected("supervised_unet", "a", {}) == ["source"]
    assert selected("supervised_unet", "b", {"segmentation.supervision": "target"}, target_labels=1.0) == ["target"]
    assert selected("supervised_unet", "c", both, target_labels=1.0) == ["source", "target"]
    assert selected("supervised_unet", "d", both) == ["source"]
    assert selected("uagan", "e", {}, target_labels=1.0) == ["source", "target"]
    assert selected("uagan", "f", {}) == ["source"]
    for rule in ("source", "pseudo-target"):
        training = begun(micro, "uagan", tmp_path / rule, selection=rule, task={"target_labels": 1.0})
        assert list(training.validation) == ["source"]


@pytest.mark.parametrize("method", ["accsegnet", "supervised_unet"])
def test_epochs_do_not_shrink_with_annotation(micro: Micro, tmp_path: Path, method: str) -> None:
    few, many = (
        begun(micro, method, tmp_path / str(share), knobs={"segmentation.batch": 2}, task={"source_labels": share})
        for share in (0.5, 1.0)
    )
    lists = [of.annotated["source"] if method == "supervised_unet" else of.drawing.source for of in (few, many)]
    masks = [len(crops.annotated) for crops in lists]
    steps = [len(list(of.steps(1))) for of in (few, many)]
    assert math.ceil(masks[0] / 2) < math.ceil(masks[1] / 2) <= steps[0] == steps[1]


def slice_size(training: Any) -> tuple[int, int]:
    _, high, wide = hemispheres(training.context.task.geometry, training.context.task.shape).crop
    return high, wide


def slices(count: int, annotated: int, size: tuple[int, int] = (24, 12)) -> CropBatch:
    return CropBatch(torch.randn(count, 1, *size), (torch.rand(annotated, 1, *size) > 0.5).float())


def test_parts_of_a_batch_weigh_masks_by_how_many_they_have() -> None:
    """Three of four source slices are annotated, and one of four target slices; of the first halves two, and one."""
    batch = Pair(slices(4, 3), slices(4, 1))
    first, second = batch[slice(0, 2)], batch[slice(2, 4)]
    assert (first.emphasis, second.emphasis) == pytest.approx((3 / 4 * 2, 1 / 4 * 2))
    assert first.to("cpu").emphasis == first.emphasis
    assert Pair(slices(4, 0), slices(4, 0))[slice(0, 2)].emphasis == 1


def test_masks_of_both_contrasts_are_one_mean_as_compared(micro: Micro, tmp_path: Path) -> None:
    """Three source masks and one of the target: every slice weighs as much, and no contrast adds a loss of its own."""
    training = begun(micro, "attent", tmp_path / "attent", task=LABELLED)
    size = slice_size(training)
    batch = Pair(slices(4, 3, size), slices(4, 1, size))
    out = training.forward(batch)
    terms = training.g_terms(out)
    for name, which, weight in (("main", 0, 1.0), ("aux", 1, 0.1)):
        y_hats = [*out.source[which][:3], *out.target[which][:1]]
        each = [F.binary_cross_entropy(p, y) for p, y in zip(y_hats, [*batch.source.y, *batch.target.y], strict=True)]
        assert terms[name].item() == pytest.approx(weight * torch.stack(each).mean().item())
    training = begun(micro, "accsegnet", tmp_path / "accsegnet", task=LABELLED)
    out = training.forward(batch)
    p, y = torch.cat([out.y_hat_st, out.y_hat_t]), torch.cat([batch.source.y, batch.target.y])
    together = -(2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
    assert training.g_terms(out)["seg"].item() == pytest.approx(together.item())


def test_a_mask_counts_as_much_in_a_part_of_a_batch(micro: Micro, tmp_path: Path) -> None:
    """UAGAN's cross-entropy is a mean over annotated pixels: with equal weights, parts must add up to the whole."""
    equal = {"loss": "cross-entropy", "tumour_weight": 0.5, "asked": "other", "network.dropout": 0.0}
    knobs = {f"segmentation.{knob}": value for knob, value in equal.items()}
    training = begun(micro, "uagan", tmp_path, task=LABELLED, knobs=knobs)
    size = slice_size(training)
    batch = Pair(slices(4, 3, size), slices(4, 1, size))
    whole = training.g_terms(training.forward(batch))["seg"].item()
    parts = [training.g_terms(training.forward(batch[slice(start, start + 2)]))["seg"].item() for start in (0, 2)]
    assert sum(parts) / 2 == pytest.approx(whole)


def test_shape_grows_with_the_steps(micro: Micro, tmp_path: Path) -> None:
    training = begun(micro, "uagan_official", tmp_path, task=LABELLED, knobs={"segmentation.weights.shape_epochs": 2})
    steps = len(list(training.steps(1)))
    assert training.shape == pytest.approx(0.5)
    next(training.steps(2))
    assert training.shape == pytest.approx(0.5 + 0.5 / steps)
    next(training.steps(4))
    assert training.shape == 1
    at_once = begun(micro, "uagan", tmp_path / "compared")
    next(at_once.steps(1))
    assert at_once.shape == 1


def test_uagan_s_weights_are_divided_by_32_as_compared(micro: Micro, tmp_path: Path) -> None:
    weights = begun(micro, "uagan", tmp_path / "compared").weights
    expected = {"adv": 1 / 32, "cls": 10 / 32, "rec": 1 / 32, "seg": 20 / 32, "gp": 0, "shape": 1}
    assert weights == pytest.approx(expected)
    as_they_are = {"segmentation.weights.normalised": False}
    assert begun(micro, "uagan", tmp_path / "official", knobs=as_they_are).weights["seg"] == 20


def test_uagan_asks_for_any_contrast_to_train_and_for_a_slice_s_own_to_segment(micro: Micro, tmp_path: Path) -> None:
    training = begun(micro, "uagan", tmp_path, task=LABELLED)
    batch = first_batch(training)
    out = training.forward(batch)
    assert torch.equal(out.asked.sum(0), out.own.sum(0))  # those of the batch, in another order
    seen = set()
    for number in range(8):
        torch.manual_seed(number)
        seen.add(tuple(map(tuple, training.forward(batch).asked.tolist())))
    assert len(seen) > 1
    training.generator.eval()
    x = batch.target.x
    own, other = torch.eye(2)[1].expand(len(x), -1), torch.eye(2)[0].expand(len(x), -1)
    segmented = training.generator.segment(x, "target")
    torch.testing.assert_close(segmented, torch.sigmoid(training.generator(x, own)[0]))
    assert not torch.equal(segmented, torch.sigmoid(training.generator(x, other)[0]))


def test_a_selection_rule_is_another_way_to_the_segmentor(micro: Micro, tmp_path: Path) -> None:
    scores = {}
    for rule in ("source", "pseudo-target", "oracle"):
        training = begun(micro, "attent", tmp_path / rule, selection=rule)
        unlike({"network": training.network}, "attent", next(iter(training.validation.values())))
        scores[rule] = training.validate()["validation/dice"]
    assert len(set(scores.values())) == 3, scores
    reads = {rule: of(micro, "attent").runs(selection=rule)["segmentation"].stage.reads() for rule in scores}
    assert reads["source"] == reads["pseudo-target"]
    assert {part for part in reads["oracle"] if "validation" in part} == {
        f"target.validation.{kind}" for kind in ("images", "masks", "presence")
    }


def test_no_target_mask_is_asked_for_without_need(micro: Micro) -> None:
    run = of(micro, "attent").runs()["translation"]
    drawing = both_contrasts(TaskView(micro.prepared, run.task, run.stage.reads()), run.stage.slices, masks=False)
    assert not drawing.source.annotated
    assert not drawing.target.annotated


def checkpoint(network: DeepLab, prefix: str = "") -> dict[str, torch.Tensor]:
    kept = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(("to_rgb", "layer5"))}
    others = {f"{prefix}layer6.conv2d_list.0.weight": torch.zeros(19, 2, 3, 3), f"{prefix}fc.bias": torch.zeros(1000)}
    return {f"{prefix}{name}": tensor.clone() for name, tensor in kept.items() if "layer6" not in name} | others


SMALL = DeepLabConfig(width=2, units=(1, 1, 1, 1), dilations=(1,))


@pytest.mark.parametrize("prefix", ["", "Scale.", "module."])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_the_backbone_starts_from_a_file(tmp_path: Path, prefix: str, suffix: str) -> None:
    torch.manual_seed(0)
    given, network = DeepLab(SMALL), DeepLab(SMALL)
    given.bn1.running_mean += 1
    file, stored = tmp_path / f"deeplab.{suffix}", checkpoint(given, prefix)
    if suffix == "pth":
        torch.save(stored, file)
    else:
        save_file(stored, file)
    output = network.layer6.conv2d_list[0].weight.clone()
    assert start_backbone(network, str(file)) == str(file)
    torch.testing.assert_close(network.layer4[0].conv2.weight, given.layer4[0].conv2.weight)
    torch.testing.assert_close(network.bn1.running_mean, given.bn1.running_mean)
    assert torch.equal(network.layer6.conv2d_list[0].weight, output)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("touched"),)


def test_files_that_do_not_fit_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network, file = DeepLab(SMALL), tmp_path / "deeplab.pth"
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    wider = checkpoint(DeepLab(DeepLabConfig(width=4, units=(1, 1, 1, 1), dilations=(1,))))
    lacking = {name: tensor for name, tensor in checkpoint(network).items() if name != "layer3.0.bn2.running_var"}
    for content, complaint in (
        (wider, "does not fit the network's"),
        (lacking, "no tensor 'layer3.0.bn2.running_var'"),
        ({"state_dict": Malicious()}, "not a readable checkpoint"),
        ({}, "no tensor 'conv1.weight'"),
        ({"state_dict": torch.zeros(1)}, "no tensor 'conv1.weight'"),
        ({1: torch.zeros(1), ("conv1", 2): torch.zeros(1)}, "no tensor 'conv1.weight'"),
        (torch.zeros(1), "no tensor 'conv1.weight'"),
    ):
        torch.save(content, file)
        with pytest.raises(BadInput, match=complaint) as refused:
            start_backbone(network, str(file))
        assert len(str(refused.value).splitlines()) == 1
    for suffix in ("safetensors", "pth"):
        for content in (b"", b"no", b"PK\x03\x04", b"\x80\x02}"):
            broken = tmp_path / f"broken.{suffix}"
            broken.write_bytes(content)
            with pytest.raises(BadInput, match="not a readable checkpoint") as refused:
                start_backbone(network, str(broken))
            assert len(str(refused.value).splitlines()) == 1
    assert not Path("touched").exists()
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_random_weights_are_said_to_be(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert start_backbone(DeepLab(SMALL), "") == "random (no weights given)"
    assert "segmentation.deeplab" in caplog.text


def test_a_file_s_content_is_in_the_key_and_where_it_lies_is_not(micro: Micro, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.pth", "b.pth", "c.pth")]
    for file, content in zip(files, ("1", "1", "2"), strict=True):
        file.write_text(content)
    runs = [of(micro, "attent").runs({"segmentation.deeplab": str(file)})["segmentation"].key for file in files]
    assert runs[0] == runs[1] != runs[2]
    run = of(micro, "attent").runs({"segmentation.deeplab": str(files[0])})["segmentation"]
    files[0].write_text("2, by now")
    upstream = translation_artifact(run.stage, tmp_path / "translation")
    with pytest.raises(BadInput, match=r"a\.pth' is not what it was"):
        run.stage.train(micro.context(run, tmp_path, upstream=upstream))
    method = ATTENT.at("tiny")
    with pytest.raises(BadInput, match=r"segmentation\.deeplab.*no file"):
        method.pipeline(override(method.recipe, {"segmentation.deeplab": "nowhere.pth"}), selection="source")


@pytest.mark.parametrize(("method", "node"), [*ADVERSARIAL, ("supervised_unet", "segmentation")])
def test_a_batch_may_come_in_parts(micro: Micro, tmp_path: Path, method: str, node: str) -> None:
    fixed = {"segmentation.asked": "other", "segmentation.network.dropout": 0.0} if method.startswith("uagan") else {}
    whole, parted = (
        begun(micro, method, tmp_path / str(size), node=node, knobs=fixed, runtime={"micro_batch": size})
        for size in (0, 2)
    )
    for training in (whole, parted):
        torch.manual_seed(0)
        training.first = {name: float(value) for name, value in next(training.steps(1)).items()}
    assert whole.first.keys() == parted.first.keys()
    batchwise = ("ana", "seg", "shape", "nce", "d_gp")  # of a part of a batch, or at places of its own
    means = {name for name in whole.first if name not in batchwise}
    for name in whole.first:
        tolerance = 0.02 if name in means else 0.1
        assert parted.first[name] == pytest.approx(whole.first[name], rel=tolerance, abs=tolerance / 10), name


@pytest.mark.parametrize(("method", "node"), [*ADVERSARIAL, ("supervised_unet", "segmentation")])
def test_a_step_in_bf16_is_near_one_in_full_precision(micro: Micro, tmp_path: Path, method: str, node: str) -> None:
    found = {}
    for precision in ("fp32", "bf16"):
        runtime = {"precision": precision}
        training = begun(micro, method, tmp_path / precision, node=node, runtime=runtime, task=LABELLED)
        torch.manual_seed(0)
        found[precision] = {name: value.item() for name, value in next(training.steps(1)).items()}
        weights = [weight for module in training.modules.values() for weight in module.parameters()]
        assert all(torch.isfinite(weight).all() for weight in weights)
    assert found["bf16"] == pytest.approx(found["fp32"], rel=0.05, abs=0.02)


def test_probabilities_are_in_full_precision() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = torch.randn(2, 1, 60, 30)
        found = [SqueezeUNet(SqueezeUNetConfig(width=4))(x), *DeepLab(SMALL)(x)]
    assert all(y.dtype == torch.float32 for y in found)
