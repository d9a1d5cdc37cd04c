import multiprocessing
from pathlib import Path

import pytest

from medsearch.core.errors import Diverged, UndeclaredRead
from medsearch.core.records import line_of, parsed_line, warn_once
from medsearch.stages.context import Runtime
from medsearch.stages.execution import StageExecutor, run_stage
from medsearch.stages.stage import Outcome
from medsearch.stages.store import Store
from tests.micro import Micro, drained
from tests.stages.toy import Counter, Counting, run_of

RUN = run_of(Counter(), seed=4)


@pytest.fixture
def executor(micro: Micro, tmp_path: Path) -> StageExecutor:
    return StageExecutor(Store(tmp_path / "stages"), micro.prepared, Runtime())


def trained(executor: StageExecutor) -> list[int]:
    path = executor.store.root / "trained.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_stage_is_trained_once_and_then_found(executor: StageExecutor) -> None:
    epochs, artifact = drained(run_stage(executor, RUN))
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert drained(run_stage(executor, RUN)) == ([], artifact)
    assert trained(executor) == [1, 2, 3]
    assert artifact.file("result.json").read_text() == '{"seed": 4}'
    assert not (artifact.directory / "checkpoint").exists()


def test_the_manifest_says_what_was_run_on_what(executor: StageExecutor) -> None:
    _, artifact = drained(run_stage(executor, RUN))
    manifest = artifact.manifest
    assert manifest.recipe == {"epochs": 3, "diverges_at": 0, "inner": {"a": 1.0}}
    assert (manifest.stage, manifest.node, manifest.version, manifest.seed) == ("counter", "counting", 1, 4)
    assert manifest.metrics == {"last": 3.0}
    assert len(manifest.notes["subjects"]) == 2
    assert manifest.epochs == 3
    assert manifest.seconds >= sum(line["seconds"] for line in executor.store.journal(RUN.key))
    assert manifest.runtime["device"] == "cpu"


def test_a_stopped_stage_goes_on_where_it_was(executor: StageExecutor) -> None:
    first = run_stage(executor, RUN)
    assert [next(first).number, next(first).number] == [1, 2]
    first.close()
    assert not executor.store.has(RUN.key)
    epochs, artifact = drained(run_stage(executor, RUN))
    assert [epoch.number for epoch in epochs] == [2, 3]  # epoch 2 was not yet saved when its generator was closed
    assert [line["epoch"] for line in executor.store.journal(RUN.key)] == [1, 2, 3]
    assert artifact.manifest.epochs == 3


def test_a_repeated_epoch_is_not_recorded_again(executor: StageExecutor) -> None:
    first = run_stage(executor, RUN)
    next(first)
    first.close()
    before = executor.store.journal(RUN.key)
    drained(run_stage(executor, RUN))
    assert executor.store.journal(RUN.key)[0] == before[0]
    lines = (executor.store.folder(RUN.key) / "journal.jsonl").read_text().splitlines()
    assert len(lines) == 3


@pytest.mark.parametrize("line", [0, 1])
def test_an_epoch_whose_record_was_lost_is_counted_and_its_time_estimated(
    executor: StageExecutor, line: int, caplog: pytest.LogCaptureFixture
) -> None:
    warn_once.cache_clear()
    first = run_stage(executor, RUN)
    assert [next(first).number for _ in range(3)] == [1, 2, 3]
    first.close()
    journal = executor.store.folder(RUN.key) / "journal.jsonl"
    lines = [parsed_line(one) for one in journal.read_bytes().splitlines()]
    content = [line_of({**of, "seconds": 100.0}) for of in lines]
    content[line] = content[line].replace(b"100.0", b"900.0")
    journal.write_bytes(b"\n".join(content[: line + 1]) + b"\n")
    for number in range(line + 2, 4):  # as if it had been stopped right after it was saved
        (executor.store.folder(RUN.key) / "checkpoint" / str(number)).unlink(missing_ok=True)
    (executor.store.folder(RUN.key) / "checkpoint" / str(line + 1)).touch()
    _, artifact = drained(run_stage(executor, RUN))
    recorded = executor.store.journal(RUN.key)
    usual = artifact.manifest.epoch_seconds
    assert (artifact.manifest.epochs, artifact.manifest.lost_epochs, len(recorded)) == (3, 1, 2)
    assert artifact.manifest.seconds >= sum(of["seconds"] for of in recorded) + usual
    assert "the journal lost 1 of 3 epochs; their seconds are estimated" in caplog.text


def test_a_loss_that_is_not_finite_is_a_failure_that_repeats(executor: StageExecutor) -> None:
    run = run_of(Counter(recipe=Counting(diverges_at=2)))
    for _ in range(2):
        with pytest.raises(Diverged, match="count = nan at epoch 2: training diverged; lower the learning rate"):
            drained(run_stage(executor, run))
    assert not executor.store.has(run.key)
    assert [line["epoch"] for line in executor.store.journal(run.key)] == [1]


def test_an_outcome_that_is_not_finite_is_never_stored(executor: StageExecutor) -> None:
    class Lost(Counter):
        def train(self, context):
            yield from ()
            return Outcome({"validation/dice": float("nan")})

    run = run_of(Lost())
    with pytest.raises(Diverged, match="validation/dice = nan at the end"):
        drained(run_stage(executor, run))
    assert not executor.store.has(run.key)


def test_a_stage_cannot_read_what_it_did_not_declare(executor: StageExecutor) -> None:
    class Curious(Counter):
        def train(self, context):
            yield from ()
            context.task.mask("target", "test", context.task.prepared.subjects[0])

    with pytest.raises(UndeclaredRead, match=r"target\.test\.masks"):
        drained(run_stage(executor, run_of(Curious())))


def test_upstream_artifacts_come_by_role(executor: StageExecutor) -> None:
    seen = {}

    class Taking(Counter):
        def train(self, context):
            seen.update(context.upstream)
            yield from ()
            return Outcome()

    drained(run_stage(executor, RUN))
    drained(run_stage(executor, run_of(Taking(), upstream={"data": RUN.key})))
    assert seen["data"].key == RUN.key
    assert seen["data"].metrics == {"last": 3.0}


def finish(executor: StageExecutor, ready: object, wait: object) -> None:
    generator = run_stage(executor, RUN)
    next(generator)
    ready.set()
    wait.wait(20)
    drained(generator)


def test_a_second_process_waits_and_takes_the_result(executor: StageExecutor) -> None:
    """Epoch 1 is trained by the other process, and so is the rest; here nothing is."""
    context = multiprocessing.get_context("fork")
    ready, go = context.Event(), context.Event()
    other = context.Process(target=finish, args=(executor, ready, go))
    other.start()
    assert ready.wait(20)
    go.set()
    epochs, artifact = drained(run_stage(executor, RUN))
    other.join(20)
    assert (epochs, other.exitcode) == ([], 0)
    assert artifact.metrics == {"last": 3.0}
    assert trained(executor) == [1, 2, 3]
