"""The ladder: memory runs out, the stage goes on with half as many samples at a time, and says so."""

import gc
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from medsearch.core.records import read_lines, write_json
from medsearch.stages.context import Runtime, StageContext
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.manifest import MemoryUse
from medsearch.stages.memory import NOTE
from medsearch.stages.pipelines import StageRun
from medsearch.stages.stage import Epoch, Outcome, Stage, Training
from medsearch.stages.store import Store
from medsearch.study.engine.jobs import failure
from medsearch.training.memory import bounded, main_taken
from tests.hungry import Appetite, Held, Hungry, eat
from tests.micro import Micro, drained
from tests.stages.toy import run_of


@dataclass
class Scale:
    """A meter of pretended bytes that forgets when it is told to."""

    reading: int = 7
    begun: list[int] = field(default_factory=list)

    def begin(self) -> None:
        self.begun.append(self.reading)

    def peak(self) -> int:
        return self.reading

    def device(self) -> tuple[str, int]:
        return "pretended", 100


@pytest.fixture
def executor(micro: Micro, tmp_path: Path) -> StageExecutor:
    return StageExecutor(Store(tmp_path / "stages"), micro.prepared, Runtime(), Scale())


def hungry(**appetite: Any) -> StageRun:
    return run_of(Hungry(recipe=Appetite(**appetite)))


def eaten(executor: StageExecutor) -> list[tuple[int, int]]:
    return [(line["epoch"], line["at_once"]) for line in read_lines(executor.store.root / "eaten.txt")]


def test_the_micro_batch_halves_until_the_stage_fits(executor: StageExecutor) -> None:
    run = hungry(sample=5_000)  # 8 and 4 do not fit into 16,000, 2 do
    epochs, artifact = drained(run_stage(executor, run))
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert eaten(executor) == [(1, 8), (1, 4), (1, 2), (2, 2), (3, 2), (4, 2)]
    memory = artifact.manifest.memory
    assert memory.micro_batch == 2
    assert [(halving.before, halving.after, halving.epochs) for halving in memory.halvings] == [
        (8, 4, 0),
        (4, 2, 0),
    ]
    assert memory.halvings[0].reason == "CUDA out of memory. Tried to allocate 40000 MiB"
    assert (memory.peak, memory.capacity, memory.device) == (7, 100, "pretended")
    assert artifact.manifest.runtime["micro_batch"] == 0, "as it was given"
    assert len(executor.meter.begun) == 3, "the peak is that of the way that worked"
    assert not (artifact.directory / NOTE).exists()


def test_it_goes_on_from_its_checkpoint_and_says_no_epoch_twice(executor: StageExecutor) -> None:
    run = hungry(sample=3_000, from_epoch=3)
    epochs, artifact = drained(run_stage(executor, run))
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert eaten(executor) == [(1, 8), (2, 8), (3, 8), (3, 4), (4, 4)]
    assert artifact.manifest.memory.halvings[0].epochs == 2
    assert [line["epoch"] for line in executor.store.journal(run.key)] == [1, 2, 3, 4]


def test_an_epoch_that_a_checkpoint_lost_is_trained_again_but_not_said_again(executor: StageExecutor) -> None:
    class Forgetful(Hungry):
        def train(self, context: StageContext) -> Training:
            for epoch in eat(self.recipe, context):
                write_json(context.checkpoint / "state.json", {"epoch": 0})
                yield epoch
            return Outcome()

    from medsearch.stages.stage import Outcome

    epochs, _ = drained(run_stage(executor, run_of(Forgetful(recipe=Appetite(sample=3_000, from_epoch=3)))))
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert [epoch for epoch, _ in eaten(executor)] == [1, 2, 3, 1, 2, 3, 4]


def test_without_a_shortage_nothing_is_halved(executor: StageExecutor) -> None:
    _, artifact = drained(run_stage(executor, hungry()))
    assert artifact.manifest.memory == MemoryUse(micro_batch=8, device="pretended", capacity=100, peak=7)
    assert artifact.manifest.step_seconds == 0.25
    assert artifact.manifest.epoch_seconds <= artifact.manifest.seconds
    assert not (artifact.directory / NOTE).exists()


def test_it_starts_from_the_runtimes_micro_batch(executor: StageExecutor) -> None:
    _, artifact = drained(run_stage(replace(executor, runtime=Runtime(micro_batch=3)), hungry(sample=6_000)))
    assert eaten(executor)[:2] == [(1, 3), (1, 2)]
    assert artifact.manifest.memory.micro_batch == 2
    assert artifact.manifest.runtime["micro_batch"] == 3


@pytest.mark.parametrize(("appetite", "tries"), [({"base": 20_000}, [8, 4, 2, 1]), ({"batch": 0, "base": 20_000}, [0])])
def test_at_the_bottom_it_fails_as_it_is(executor: StageExecutor, appetite: dict[str, int], tries: list[int]) -> None:
    run = hungry(**appetite)
    with pytest.raises(RuntimeError, match="out of memory"):
        drained(run_stage(executor, run))
    assert [at_once for _, at_once in eaten(executor)] == tries
    assert not executor.store.has(run.key)


def test_another_error_is_no_shortage(executor: StageExecutor) -> None:
    class Buggy(Hungry):
        def train(self, context: StageContext) -> Training:
            return eat(self.recipe, context, error=lambda message: KeyError(message))

    with pytest.raises(KeyError):
        drained(run_stage(executor, run_of(Buggy(recipe=Appetite(sample=5_000)))))
    assert len(eaten(executor)) == 1


def test_a_stopped_run_goes_on_with_the_micro_batch_it_had_come_down_to(executor: StageExecutor) -> None:
    run = hungry(sample=5_000)
    first = run_stage(executor, run)
    next(first)
    first.close()
    _, artifact = drained(run_stage(executor, run))
    assert eaten(executor)[3:] == [(2, 2), (3, 2), (4, 2)]
    assert [halving.after for halving in artifact.manifest.memory.halvings] == [4, 2]


def test_with_more_room_it_starts_at_the_top_again_and_keeps_the_record(executor: StageExecutor) -> None:
    run = hungry(sample=1_500)
    first = run_stage(replace(executor, runtime=Runtime(share=0.25)), run)
    next(first)
    first.close()
    _, artifact = drained(run_stage(executor, run))
    assert eaten(executor) == [(1, 8), (1, 4), (1, 2), (2, 8), (3, 8), (4, 8)]
    assert artifact.manifest.memory.micro_batch == 8
    assert len(artifact.manifest.memory.halvings) == 2


def test_a_torn_note_is_no_note(executor: StageExecutor) -> None:
    run = hungry()
    executor.store.folder(run.key).mkdir(parents=True)
    (executor.store.folder(run.key) / NOTE).write_text("{")
    assert drained(run_stage(executor, run))[1].manifest.memory.micro_batch == 8


def raised_in_another(message: str) -> BaseException:
    """An error that was raised while another was handled, each with its own frames."""
    try:
        try:
            raise ValueError(message)
        except ValueError as inner:
            raise MemoryError(message) from inner
    except MemoryError as outer:
        return outer


KEPT: list[BaseException] = []


def kept_by_somebody(message: str) -> BaseException:
    """As a logger or a future may keep it, and its frames with it."""
    KEPT.append(RuntimeError(message))
    return KEPT[-1]


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, raised_in_another, kept_by_somebody])
def test_what_the_failed_try_held_is_free_before_the_next(
    executor: StageExecutor, error: Callable[[str], BaseException]
) -> None:
    """Without help of the collector, which is off: frames alone must not hold it. It is asked before each try."""
    alive: list[int] = []
    held: list[weakref.ref[Held]] = []

    def hold(what: Held) -> None:
        alive.append(sum(ref() is not None for ref in held))
        held.append(weakref.ref(what))

    class Watched(Hungry):
        def train(self, context: StageContext) -> Training:
            return eat(self.recipe, context, error=error, hold=hold)

    gc.disable()
    try:
        drained(run_stage(executor, run_of(Watched(recipe=Appetite(sample=5_000)))))
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


@dataclass(frozen=True, kw_only=True)
class Allocating(Stage):
    """Really asks for 1 GB a sample, so that what a test process sets aside meanwhile is small beside it."""

    name: ClassVar[str] = "allocating"
    version: ClassVar[int] = 1
    recipe: Appetite = field(default_factory=Appetite)

    @property
    def batch(self) -> int:
        return self.recipe.batch

    def reads(self) -> frozenset[str]:
        return frozenset({"source.train.presence"})

    def train(self, context: StageContext) -> Training:
        at_once = context.runtime.at_once(self.recipe.batch)
        taken = np.empty(1_000_000_000 * at_once, dtype=np.uint8)  # no page of it is touched
        yield Epoch(1, {"train/loss": float(len(taken))})
        return Outcome({"validation/dice": 1.0})


def test_a_stage_comes_down_to_what_it_may_take_of_the_machine(executor: StageExecutor) -> None:
    with bounded(main_taken() + 2_500_000_000):
        _, artifact = drained(run_stage(executor, run_of(Allocating(recipe=Appetite(batch=10_000)))))
    memory = artifact.manifest.memory
    assert memory.micro_batch == 2
    assert [halving.before for halving in memory.halvings][:2] == [10_000, 5_000]
    assert "Unable to allocate" in memory.halvings[0].reason


def test_one_sample_that_is_too_much_is_the_run_s_end_with_what_it_had(executor: StageExecutor) -> None:
    with bounded(main_taken() + 500_000_000), pytest.raises(MemoryError) as caught:
        drained(run_stage(executor, run_of(Allocating())))
    end = failure(caught.value, memory=8_000_000_000)
    assert end.cause == "infeasible"
    had = r"out of memory: it had \d\.\d GB and may take 8\.0 GB of the machine's: Unable to allocate 954\. MiB"
    assert re.match(had, str(end.reason))
    assert "--memory-per-trial" in str(end.reason)
