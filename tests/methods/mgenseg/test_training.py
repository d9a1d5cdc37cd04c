"""Eq. 4.5 term by term, what flows where, and what is not run."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.losses.dice import dice
from medsearch.losses.reconstruction import l1
from medsearch.losses.weights import scheduled
from medsearch.methods.mgenseg import losses
from medsearch.methods.mgenseg.batches import Batch
from medsearch.methods.mgenseg.networks import OTHER, GenSegNet
from medsearch.methods.mgenseg.training import MGenSegTraining
from medsearch.stages.context import Runtime
from medsearch.training.adversarial import AdversarialStep
from medsearch.training.crops import CropBatch
from tests.micro import Micro

NO_IMAGE_LEVEL = {f"segmentation.weights.gen.{term}": 0.0 for term in ("adv", "rec", "lat")}
NO_TRANSLATION = {f"segmentation.weights.mod.{term}": 0.0 for term in ("adv", "cyc")}
SUM = 6 + 20 + 2 + 3 + 20 + 20

Make = Callable[..., tuple[MGenSegTraining, Batch]]


@pytest.fixture
def make(heads: Micro, tmp_path: Path) -> Make:
    """A training and one batch of it."""

    def made(knobs: Mapping[str, Any] | None = None, **task: Any) -> tuple[MGenSegTraining, Batch]:
        torch.set_num_threads(1)
        run = heads.runs(knobs, task={"source_labels": 1.0, **task})["segmentation"]
        training = MGenSegTraining(run.stage.recipe, run.stage.selection, heads.context(run, tmp_path))
        return training, next(training.drawing.batches(np.random.default_rng(0)))

    return made


def test_the_terms_are_the_papers_each_with_its_weight(make: Make) -> None:
    """Worked out image by image from the networks alone; batch norms at rest, so that joined passes are single ones."""
    training, batch = make()
    for module in training.modules.values():
        module.eval()
    of, terms = training.forward(batch), {}
    with torch.no_grad():
        terms = {name: float(value) for name, value in training.g_terms(of).items()}
        expected = dict.fromkeys(("seg", "mod.adv", "mod.cyc", "gen.adv", "gen.rec", "gen.lat"), 0.0)
        for domain, other in OTHER.items():
            here, there, side = training.net.of(domain), training.net.of(other), batch.sides[domain]
            judges = training.discriminators
            p, a = here.encoder(side.p.x), here.encoder(side.a.x)
            x_pa, x_aa = here.common(p), here.common(a)
            x_pp, x_ap = x_pa + here.residual(p), x_aa + here.residual(a.with_unique(side.u))
            expected["gen.rec"] += float(l1(x_pp, side.p.x) + l1(x_aa, side.a.x))
            expected["gen.adv"] += float(losses.adversarial_g(judges.absence[domain](x_pa)))
            expected["gen.adv"] += float(losses.adversarial_g(judges.presence[domain](x_ap)))
            expected["gen.lat"] += latent(here, (p, a), (x_pa, x_pp, x_aa, x_ap), side.u)
            for codes, x in ((p, side.p.x), (a, side.a.x)):
                translated = training.net.translate(codes, domain)
                back = training.net.translate(there.encoder(translated), other)
                expected["mod.cyc"] += float(l1(back, x))
                expected["mod.adv"] += float(losses.adversarial_g(judges.modality[other](translated)))
            if domain == "source":
                translated = training.net.translate(p, domain)
                y = side.p.y
                expected["seg"] += float(dice(y, here.segment(p)) + dice(y, there(translated)))
    weights = {"seg": 20, "mod.adv": 3, "mod.cyc": 20, "gen.adv": 6, "gen.rec": 20, "gen.lat": 2}
    for name, weight in weights.items():
        assert terms[name] == pytest.approx(weight / SUM * expected[name], rel=1e-3, abs=1e-5), name


def latent(net: GenSegNet, codes: tuple[Any, Any], images: tuple[Tensor, ...], u: Tensor) -> float:
    """Section 2.2 of the facts: c of x_PA, [c, u] of x_PP, c of x_AA, and [c_A, sampled u] of x_AP."""
    (p, a), (pa, pp, aa, ap) = codes, [net.encoder(x) for x in images]
    terms = (
        l1(pa.common, p.common),
        l1(pp.code, p.code),
        l1(aa.common, a.common),
        l1(ap.code, torch.cat([a.common, u], 1)),
    )
    return float(sum(terms))


def test_the_discriminators_hinges_are_scaled_by_the_generators_weights(make: Make) -> None:
    training, batch = make()
    for module in training.modules.values():
        module.eval()
    of = training.forward(batch)
    with torch.no_grad():
        terms = training.d_terms(of)
        expected = {"d.gen.adv": 0.0, "d.mod.adv": 0.0}
        for domain, other in OTHER.items():
            side, judges, made = batch.sides[domain], training.discriminators, of.generated[domain]
            assert made.a is not None
            cycle, count = of.cycles[other], of.cycles[other].diseased
            pairs = (
                ("d.gen.adv", judges.absence[domain], side.a.x, made.p.x_pa),
                ("d.gen.adv", judges.presence[domain], side.p.x, made.a.x_ap),
                ("d.mod.adv", judges.modality[domain], side.p.x, cycle.there[:count]),
                ("d.mod.adv", judges.modality[domain], side.a.x, cycle.there[count:]),
            )
            for name, judge, real, fake in pairs:
                expected[name] += float(losses.adversarial_d(judge(real), judge(fake)))
    assert float(terms["d.gen.adv"]) == pytest.approx(6 / SUM * expected["d.gen.adv"], rel=1e-4)
    assert float(terms["d.mod.adv"]) == pytest.approx(3 / SUM * expected["d.mod.adv"], rel=1e-4)


def moved(module: nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if p.grad is not None and bool(p.grad.any())}


def backward(training: MGenSegTraining, batch: Batch, term: str) -> set[str]:
    """Which parameters of the generators a term alone moves."""
    training.net.zero_grad(set_to_none=True)
    training.g_terms(training.forward(batch))[term].backward()
    return moved(training.net)


def parts(names: set[str]) -> set[str]:
    return {".".join(name.split(".")[: 3 if name.startswith("genseg") else 2]) for name in names}


def test_gradients_that_must_not_flow(make: Make) -> None:
    """The list: what each term leaves alone."""
    training, batch = make()
    for module in training.modules.values():
        module.train()
    every = parts({name for name, _ in training.net.named_parameters()})
    decoders = {f"genseg.{domain}.{part}" for domain in OTHER for part in ("common", "decoder")}
    translators = {name for name in every if name.startswith("translators")}
    # modality translation: neither common nor residual/segmentation decoders
    for term in ("mod.adv", "mod.cyc"):
        assert parts(backward(training, batch, term)) & decoders == set(), term
    # diseased-healthy translation: no translator, and nothing of the segmentation's own norms and head
    for term in ("gen.adv", "gen.rec", "gen.lat"):
        found = backward(training, batch, term)
        assert parts(found) & translators == set(), term
        assert not any(".segmentation." in name or "classify" in name for name in found), term
    # segmentation: no common decoder, nothing of the residual's own norms and head; G_T but not G_S, as T has no mask
    found = backward(training, batch, "seg")
    assert not any(name.startswith("genseg") and ".residual." in name for name in found)
    assert parts(found) & {f"genseg.{domain}.common" for domain in OTHER} == set()
    assert parts(found) & translators == {"translators.target"}
    # D's step moves no generator, G's step no discriminator
    training.net.zero_grad(set_to_none=True)
    sum(training.d_terms(training.forward(batch)).values()).backward()  # type: ignore[union-attr]
    assert moved(training.net) == set()
    assert moved(training.discriminators)


def test_a_loss_of_d_that_is_not_detached_would_move_g(make: Make) -> None:
    """That nothing flows above is the detaching's doing."""
    training, batch = make()
    made = training.forward(batch).generated["source"].p.x_pa
    judge, images = training.discriminators.absence["source"], (batch.sides["source"].a.x, made)
    losses.adversarial_d(*(judge(x) for x in images)).backward()
    assert moved(training.net)


def test_g_descends_through_frozen_discriminators(make: Make) -> None:
    training, batch = make()
    for module in training.modules.values():
        module.train()
    step = AdversarialStep(
        forward=training.forward,
        d_terms=lambda _: {},
        g_terms=training.g_terms,
        optimiser_d=training.optimisers["d"],
        optimiser_g=training.optimisers["g"],
        generators=(training.net,),
        discriminators=(training.discriminators,),
    )
    before = {name: p.clone() for name, p in training.discriminators.named_parameters()}
    step([batch])
    assert moved(training.net)
    assert all(torch.equal(p, before[name]) for name, p in training.discriminators.named_parameters())
    assert moved(training.discriminators) == set()


def test_sampled_codes_replace_those_of_healthy_images(make: Make) -> None:
    """x_AP has no gradient to the unique code that was encoded (Eq. 4.2)."""
    training, batch = make()
    side, net = batch.sides["source"], training.net.of("source")
    codes = net.encoder(side.a.x)
    codes.code.retain_grad()
    (net.common(codes) + net.residual(codes.with_unique(side.u))).sum().backward()
    gradient = codes.code.grad
    assert gradient is not None
    assert gradient[:, : codes.common_channels].any()
    assert not gradient[:, codes.common_channels :].any()


def terms_of(make: Make, knobs: Mapping[str, Any]) -> tuple[MGenSegTraining, Any, set[str]]:
    training, batch = make(knobs)
    for module in training.modules.values():
        module.train()
    of = training.forward(batch)
    return training, of, set(training.g_terms(of))


def test_without_image_level_supervision_nothing_is_made_healthy(make: Make) -> None:
    training, of, terms = terms_of(make, NO_IMAGE_LEVEL)
    assert (of.generated, terms) == ({}, {"seg", "mod.adv", "mod.cyc"})
    assert sum(training.weights.values()) == pytest.approx(1)
    assert training.weights["seg"] == pytest.approx(20 / 43)


def test_without_healthy_modality_translation_only_diseased_images_are_translated(make: Make) -> None:
    _, of, _ = terms_of(make, {"segmentation.translate_modality": "diseased"})
    assert all(len(cycle.x) == cycle.diseased for cycle in of.cycles.values())
    assert all(made.a is not None for made in of.generated.values())


def test_without_absence_to_presence_no_tumour_is_put_on(make: Make) -> None:
    training, of, _ = terms_of(make, {"segmentation.translate": "presence-to-absence"})
    assert all(made.a is None for made in of.generated.values())
    assert all(len(cycle.x) > cycle.diseased for cycle in of.cycles.values())
    sum(training.d_terms(of).values()).backward()  # type: ignore[union-attr]
    assert moved(training.discriminators.presence) == set()


def test_unshared_latent_spaces_part_the_encoders(make: Make) -> None:
    training, batch = make({"segmentation.latent": "separate"})
    for module in training.modules.values():
        module.train()
    encoders = {f"genseg.{domain}.encoder" for domain in OTHER}
    for term in ("mod.adv", "mod.cyc"):
        assert parts(backward(training, batch, term)) & encoders == set()
    for term in ("gen.adv", "gen.rec", "gen.lat"):
        assert not any(name.startswith("translation_encoders") for name in backward(training, batch, term))


def test_nothing_is_translated_that_no_loss_looks_at(make: Make) -> None:
    _, of, terms = terms_of(make, NO_TRANSLATION)
    assert (of.cycles, terms) == ({}, {"seg", "gen.adv", "gen.rec", "gen.lat"})
    assert [len(y_hats) for y_hats in of.y_hats.values()] == [1, 0]


def test_target_masks_count_like_those_of_the_source(make: Make) -> None:
    training, batch = make(target_labels=1.0)
    for module in training.modules.values():
        module.eval()
    of = training.forward(batch)
    assert [len(y_hats) for y_hats in of.y_hats.values()] == [2, 2]
    expected, net = 0.0, training.net
    for domain, other in OTHER.items():
        p, y = batch.sides[domain].p.x, batch.sides[domain].p.y
        translated = net.translate(net.of(domain).encoder(p), domain)
        expected += float(dice(y, net.of(domain)(p)) + dice(y, net.of(other)(translated)))
    assert float(training.g_terms(of)["seg"]) == pytest.approx(20 / SUM * expected, rel=1e-3)


def test_separate_encoders_segment_what_their_translators_made(make: Make) -> None:
    training, batch = make({"segmentation.latent": "separate"})
    for module in training.modules.values():
        module.eval()
    p, y, net = batch.sides["source"].p.x, batch.sides["source"].p.y, training.net
    translated = net.translate(net.encode_for_translation(p, "source"), "source")
    expected = dice(y, net.of("source")(p)) + dice(y, net.of("target")(translated))
    found = training.g_terms(training.forward(batch))["seg"]
    assert float(found) == pytest.approx(20 / SUM * float(expected), rel=1e-3)


def test_without_masks_nothing_is_segmented(make: Make) -> None:
    """Nor are translations encoded for it, where encoders are apart."""
    training, batch = make({"segmentation.latent": "separate"})
    calls: list[int] = []
    training.net.of("target").encoder.register_forward_hook(lambda *_: calls.append(1))
    side = batch.sides["source"]
    bare = Batch({**batch.sides, "source": replace(side, p=CropBatch(side.p.x, side.p.y[:0]))})
    of = training.forward(batch)
    masked, bare_of = len(calls), training.forward(bare)
    assert [len(y_hats) for y_hats in bare_of.y_hats.values()] == [0, 0]
    assert len(of.y_hats["source"]) == 2
    assert len(calls) - masked == masked - 1
    terms = training.g_terms(bare_of)
    assert float(terms["seg"]) == 0
    assert torch.isfinite(torch.stack(list(terms.values()))).all()


def test_a_step_in_bf16_is_near_that_in_full_precision(make: Make) -> None:
    full, batch = make()
    half, _ = make()
    half.context = replace(half.context, runtime=Runtime(precision="bf16"))
    terms = []
    for training in (full, half):
        for module in training.modules.values():
            module.eval()
        of = training.forward(batch)
        terms.append({**training.g_terms(of), **training.d_terms(of)})
    for name, value in terms[0].items():
        assert terms[1][name].dtype == torch.float32
        assert float(terms[1][name]) == pytest.approx(float(value), rel=0.05, abs=0.02), name


def test_lambda_seg_may_fall_with_the_annotated_fraction_of_the_better_annotated_modality(make: Make) -> None:
    lowered = {"segmentation.weights.seg_schedule": "by annotated fraction"}
    for task, factor in (({"source_labels": 0.5}, 0.5), ({"source_labels": 0.5, "target_labels": 1.0}, 1.0)):
        for knobs, seg in ((lowered, scheduled(20.0, factor)), ({}, 20.0)):
            training, _ = make(knobs, **task)
            share = training.weights["seg"] / training.weights["gen.rec"]
            assert share == pytest.approx(seg / 20), (task, knobs)


def test_genseg_alone_knows_one_modality(make: Make) -> None:
    knobs = {"segmentation.modalities": "target", "evaluation.domain": "target"}
    training, batch = make(knobs, target_labels=1.0)
    assert set(batch.sides) == {"target"}
    assert set(training.g_terms(training.forward(batch))) == {"seg", "gen.adv", "gen.rec", "gen.lat"}
    assert len(training.net.translators) == len(training.discriminators.modality) == 0
    with pytest.raises(BadInput, match="no diseased training slice is annotated"):
        make(knobs)


def test_parts_of_a_batch_weigh_as_the_whole(make: Make) -> None:
    """Micro-batches: terms that are means over samples are those of the whole batch."""
    training, batch = make()
    for module in training.modules.values():
        module.eval()
    with torch.no_grad():
        whole = training.g_terms(training.forward(batch))
        halves = [training.g_terms(training.forward(batch[part])) for part in (slice(0, 2), slice(2, 4))]
    side = batch.sides["source"]
    weights = [batch[part].sides["source"].emphasis for part in (slice(0, 1), slice(1, 4))]
    uneven = replace(side, p=CropBatch(side.p.x, side.p.y[:2]))  # two of four are annotated
    assert weights == [pytest.approx(1), pytest.approx(1)]
    assert [uneven[part].emphasis for part in (slice(0, 2), slice(2, 4))] == [pytest.approx(2), pytest.approx(0)]
    for name in ("mod.cyc", "gen.rec", "gen.lat", "gen.adv", "mod.adv"):
        assert float(whole[name]) == pytest.approx(sum(float(half[name]) for half in halves) / 2, rel=1e-4), name


def test_an_epoch_is_a_pass_over_the_diseased_slices(make: Make) -> None:
    training, _ = make()
    counts = [len(lists.diseased) for lists in training.drawing.lists.values()]
    batches: Iterator[Batch] = training.drawing.batches(np.random.default_rng(0))
    assert len(list(batches)) == -(-max(counts) // 4)
