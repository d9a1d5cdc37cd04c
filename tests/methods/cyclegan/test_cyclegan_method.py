"""The plain CycleGAN: its sizes, what it reads, and its numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medsearch.core.recipes import knobs
from medsearch.methods.cyclegan import CYCLEGAN
from medsearch.methods.ssbr_cyclegan import SSBR_CYCLEGAN
from medsearch.stages.context import Artifact
from tests.golden import Numbers, compare
from tests.methods.cyclegan.micro_cyclegan import MICRO_CYCLEGAN
from tests.methods.ssbr_cyclegan.test_ssbr_golden import seeded
from tests.micro import Micro, drained

GOLDEN: Numbers = {
    "test/mse": 0.019598,
    "test/psnr": 23.113,
    "test/psnr_volume": 23.104,
    "test/ssim": 0.78644,
    "test/mae": 84.124,
    "test/training_hours": 0.0,
}


@pytest.fixture
def plain(ct: Micro) -> Micro:
    return replace(ct, of=MICRO_CYCLEGAN)


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_sizes_are_those_of_the_method_that_it_is_compared_with(scale: str) -> None:
    of, ours = (knobs(method.at(scale).recipe) for method in (SSBR_CYCLEGAN, CYCLEGAN))
    assert {knob: of[knob] for knob in ours} == {**ours, "translation.cyclegan.input_addition": True}
    assert not ours["translation.cyclegan.input_addition"]


def test_published_values() -> None:
    found = knobs(CYCLEGAN.recipe)
    wanted = {"weights.cyc": 10.0, "weights.idt": 0.5, "cyclegan.pool": 50, "cyclegan.optimiser.lr": 2e-4}
    assert {knob: found[f"translation.{knob}"] for knob in wanted} == wanted


@pytest.mark.parametrize("rule", ["none", "oracle"])
def test_pairs_are_read_by_the_test_and_where_the_rule_allows_it(plain: Micro, rule: str) -> None:
    runs = plain.runs(selection=rule, test=True)
    paired = {node: {part for part in run.parts if part.startswith("paired")} for node, run in runs.items()}
    shown = {"paired.validation.images"} if rule == "oracle" else set()
    assert paired == {"translation": shown, "test": {"paired.test.images"}}


def test_a_test(plain: Micro, tmp_path: Path) -> None:
    upstream: dict[str, Artifact] = {"translation": seeded(tmp_path)["translation"]}
    folder = tmp_path / "out"
    folder.mkdir()
    run = plain.runs(test=True)["test"]
    _, outcome = drained(run.stage.train(plain.context(run, folder, upstream=upstream)))
    compare(GOLDEN, dict(outcome.metrics), stage="test", case="test", where="methods/cyclegan/__init__.py")


def test_trained_and_tested_in_both_directions(plain: Micro) -> None:
    forward, backward = (
        plain.finished("test", selection="none", test=True, task={"direction": direction})
        for direction in ("forward", "backward")
    )
    assert forward.manifest.upstream == backward.manifest.upstream
    assert forward.metrics["test/mse"] != backward.metrics["test/mse"]
    assert len(forward.manifest.notes["cases"]) == 2
    assert torch.isfinite(torch.tensor(list(forward.metrics.values()))).all()
