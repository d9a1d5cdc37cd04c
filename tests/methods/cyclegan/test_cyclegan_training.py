"""A CycleGAN as a stage: its batches, its numbers, and what the pairs that selection may see are for."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from medsearch.methods.cyclegan.training import any_slices
from medsearch.stages.context import Runtime
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.store import Store
from medsearch.stages.translating import Translating, build_cyclegan, training_cases
from tests.golden import Numbers, compare, two_steps
from tests.methods.cyclegan.micro_cyclegan import MICRO_CYCLEGAN, RECIPE
from tests.micro import Micro, drained

GOLDEN: Numbers = {
    "adv": 1.8879,
    "cyc": 6.0998,
    "idt": 1.758,
    "d_s": 0.43532,
    "d_t": 0.5465,
    "then adv": 1.2754,
    "then cyc": 3.6011,
    "then idt": 1.2643,
    "then d_s": 0.32754,
    "then d_t": 0.39232,
}
CYCLEGAN_RECIPE = RECIPE.translation.cyclegan


@pytest.fixture
def plain(ct: Micro) -> Micro:
    return replace(ct, of=MICRO_CYCLEGAN)


def test_slices_are_drawn_from_all_cases_of_their_domain_and_by_seed_and_epoch(plain: Micro, tmp_path: Path) -> None:
    context = plain.context(plain.runs()["translation"], tmp_path)
    cases = {side: training_cases(context.task, side) for side in ("source", "target")}
    batches = list(any_slices(1, context=context, size=4))
    assert len(batches) == max(map(len, cases.values()))
    for side, drawn in (("source", [b.x_s for b in batches]), ("target", [b.x_t for b in batches])):
        homes = [
            next(case.subject for case in cases[side] if (case.images() == one).all(axis=(1, 2)).any())
            for one in torch.cat(drawn)[:, 0].numpy()
        ]
        assert len(set(homes)) == len(cases[side])
        assert len(set(homes[:4])) > 1
    again, later = (list(any_slices(epoch, context=context, size=4)) for epoch in (1, 2))
    assert all(torch.equal(a.x_s, b.x_s) and torch.equal(a.x_t, b.x_t) for a, b in zip(batches, again, strict=True))
    assert not torch.equal(batches[0].x_s, later[0].x_s)


def test_two_steps(plain: Micro, tmp_path: Path) -> None:
    context = plain.context(plain.runs()["translation"], tmp_path)
    gan = build_cyclegan(CYCLEGAN_RECIPE, RECIPE.translation.weights, context)
    translating = Translating(
        gan,
        context,
        batches=partial(any_slices, context=context, size=4),
        g_terms=partial(gan.g_terms, cyc=10.0, idt=0.5),
    )
    torch.manual_seed(0)
    found = two_steps(translating.steps(1))
    compare(GOLDEN, found, stage="translation", case="plain", where="methods/cyclegan/__init__.py")


def test_stopped_and_resumed_equals_uninterrupted(plain: Micro, tmp_path: Path) -> None:
    whole = plain.finished("translation").file("weights.safetensors").read_bytes()
    apart, run = StageExecutor(Store(tmp_path / "stages"), plain.prepared, Runtime()), plain.runs()["translation"]
    first = run_stage(apart, run)
    next(first)
    first.close()
    epochs, artifact = drained(run_stage(apart, run))
    assert [epoch.number for epoch in epochs] == [2]
    assert artifact.file("weights.safetensors").read_bytes() == whole


def test_under_the_oracle_pairs_score_the_last_epoch_and_pick_none(plain: Micro) -> None:
    seen, unseen = (plain.finished("translation", selection=rule) for rule in ("oracle", "none"))
    assert {"validation/mse", "validation/ssim"} <= set(seen.metrics)
    assert not any(name.startswith("validation") for name in unseen.metrics)
    assert seen.file("weights.safetensors").read_bytes() == unseen.file("weights.safetensors").read_bytes()
