"""What was measured is found again for the same configuration, and for its kin."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import override
from medsearch.stages.context import Runtime
from medsearch.stages.memory import Usage
from medsearch.stages.pipelines import StageRun
from medsearch.study.engine.probes import MARGIN, MOST, Configuration, Probes, share_of
from medsearch.training.memory import CONTEXT
from tests.hungry import Appetite, Hungry

GIB = 1 << 30
USAGE = Usage(device="A100", capacity=40 * GIB, peak=8 * GIB, seconds=3.0, step_seconds=0.5, micro_batch=4)


def run(seed: int = 0, task: dict[str, Any] | None = None, **appetite: Any) -> StageRun:
    stage = Hungry(recipe=Appetite(**appetite))
    return StageRun("eat", stage, seed, override(CrossModalityTask(), task or {}), {}, {})


def of(what: StageRun, device: str = "A100", **runtime: Any) -> Configuration:
    return Configuration.of(what, Runtime(**runtime), device)


def test_a_configuration_is_all_that_memory_may_depend_on_and_nothing_else() -> None:
    base = of(run())
    for same in (of(run(seed=3)), of(run(task={"source_labels": 0.5})), of(run(), share=0.5, threads=4)):
        assert same == base
    for other in (
        of(run(batch=4)),
        of(run(task={"geometry.slice_size": 128})),
        of(run(), device="H100"),
        of(run(), precision="fp32"),
        of(run(), micro_batch=2),
        of(replace(run(), stage=type("Later", (Hungry,), {"version": 2})())),
    ):
        assert other.exact != base.exact
        assert other.kin != base.kin


def test_weights_make_kin_but_zero_does_not() -> None:
    base, kin, off = of(run(weight=1.0)), of(run(weight=0.3)), of(run(weight=0.0))
    assert base.exact != kin.exact
    assert base.kin == kin.kin != off.kin


def test_a_probe_is_found_by_its_own_name_then_by_its_kin_s(tmp_path: Path) -> None:
    probes = Probes(tmp_path / "probes")
    assert probes.find(of(run())) is None
    probes.keep(of(run(weight=0.1)), run(weight=0.1), USAGE)
    probes.keep(of(run(weight=0.2)), run(weight=0.2), replace(USAGE, peak=9 * GIB))
    assert probes.find(of(run(weight=0.1))).usage == USAGE
    assert probes.find(of(run(weight=0.7))).usage.peak == 9 * GIB, "the hungriest of its kin"
    assert probes.find(of(run(weight=0.0))) is None
    assert Probes(tmp_path / "probes").find(of(run(weight=0.1))).usage == USAGE
    name = tmp_path / "probes" / f"{of(run(weight=0.1)).exact}.json"
    assert json.loads(name.read_text())["usage"]["peak"] == 8 * GIB


def test_a_peak_is_never_lowered_and_a_whole_gpu_stays_one(tmp_path: Path) -> None:
    probes, what = Probes(tmp_path), of(run())
    probes.keep(what, run(), USAGE)
    probes.keep(what, run(), replace(USAGE, peak=GIB, seconds=2.0))
    assert (probes.find(what).usage.peak, probes.find(what).usage.seconds) == (8 * GIB, 2.0)
    probes.keep(what, run(), USAGE, whole=True)
    probes.keep(what, run(), USAGE)
    assert probes.find(what).share == 1.0


def test_a_file_that_cannot_be_read_is_measured_again(tmp_path: Path) -> None:
    probes, what = Probes(tmp_path), of(run())
    for text in ("{", '{"stage": "eat"}', '{"usage": 3}', "[]"):
        (tmp_path / f"{what.exact}.json").write_text(text)
        assert probes.find(what) is None
        assert list(probes.timings()) == []
    probes.keep(what, run(), USAGE)
    assert probes.find(what).usage == USAGE


def test_a_plan_may_use_what_was_only_measured(tmp_path: Path) -> None:
    probes = Probes(tmp_path)
    probes.keep(of(run(epochs=7)), run(epochs=7), USAGE)
    (timing,) = probes.timings()
    assert (timing.stage, timing.recipe["epochs"], timing.seconds) == ("hungry", 7, 21.0)


@pytest.mark.parametrize(
    ("peak", "share"),
    [
        (8 * GIB, 0.25),
        (10 * GIB, 0.3333),
        (17 * GIB, 0.5),
        (19 * GIB, 1.0),
        (60 * GIB, 1.0),
        (1, 1 / MOST),
        (0, 1 / MOST),
    ],
)
def test_the_share_is_the_largest_part_that_fits(peak: int, share: float) -> None:
    assert share_of(replace(USAGE, peak=peak)) == share


def test_without_a_capacity_there_is_no_telling() -> None:
    assert share_of(replace(USAGE, capacity=0)) == 1.0


@given(peak=st.integers(1, 80 * GIB), capacity=st.integers(4 * GIB, 80 * GIB))
def test_as_many_as_have_a_share_fit_with_their_processes(peak: int, capacity: int) -> None:
    share = share_of(replace(USAGE, peak=peak, capacity=capacity))
    count = int(1 / share + 1e-3)
    assert 1 <= count <= MOST
    assert count * share <= 1
    if count > 1:
        assert count * (peak * MARGIN + CONTEXT) <= capacity * (1 + 1e-9)
    if count < MOST:
        assert (count + 1) * (peak * MARGIN + CONTEXT) > capacity * (1 - 1e-9)
