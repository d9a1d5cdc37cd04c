"""Jobs: what each role runs, and how failures are told."""

import errno
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import SafetensorError

from medsearch.core.errors import BadInput, Damaged, Diverged, UndeclaredRead
from medsearch.core.records import read_record, write_sealed
from medsearch.study.declare.rules import RankedTrial, Reaching
from medsearch.study.declare.samplers import TPE
from medsearch.study.engine.jobs import HOURS, RunResult, SearchJobs, ancestors, failure, refused_by_system, stored_end
from medsearch.study.engine.ranking import metrics_of
from tests.study import toy
from tests.study.ray.drive import carry_out, do, driver_of, search


def jobs(home: Path) -> SearchJobs:
    return SearchJobs(search(), toy.study_environment(home))


def test_each_role_runs_what_it_may(tmp_path: Path) -> None:
    made = jobs(tmp_path)
    knobs = {"segmentation.weights.a": 3.0, "segmentation.weights.b": 0.1, "polish.wide": True}
    prefix = made.job("prefix", 0, knobs={})
    trial = made.job("trial", 0, knobs=knobs, number=3)
    again = made.job("replicate", 0, knobs=knobs, number=3)
    elsewhere = made.job("replicate", 1, knobs=knobs, number=3)
    assert [run.node for run in prefix.runs] == ["translation"]
    assert [run.node for run in trial.runs] == ["translation", "segmentation", "polish"]
    assert again.planned.stages[:3] == trial.planned.stages
    assert again.runs[3].node == "test"
    assert trial.keys[0] == prefix.keys[0]
    assert not set(elsewhere.keys) & set(again.keys)
    assert (prefix.watched, trial.watched, again.watched) == (None, "segmentation", None)
    assert (prefix.objectives, trial.scored, again.scored) == ((), "polish", "polish")
    assert ancestors(trial.runs, "polish") == {"translation", "segmentation"}
    assert ancestors(trial.runs, "translation") == frozenset()


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (Diverged("train/dice = nan at epoch 3"), "diverged", "train/dice = nan at epoch 3"),
        (MemoryError(), "infeasible", "out of memory: MemoryError; no smaller micro-batch"),
        (RuntimeError("CUDA out of memory. Tried\nto allocate"), "infeasible", "CUDA out of memory. Tried; no smaller"),
        (BadInput("case 3: truncated"), "bad input", "case 3: truncated"),
        (UndeclaredRead("target.test.masks"), "bad input", "target.test.masks"),
        (KeyError("weights"), "error", "KeyError: 'weights'"),
        (ValueError("one\ntwo"), "error", "ValueError: one"),
        (ValueError(), "error", "ValueError, no message"),
        (ValueError("\n \n"), "error", "ValueError, no message"),
        (Mute(), "error", "Mute, no message"),
        (SystemExit(3), "error", "SystemExit: 3"),
        (FileNotFoundError(2, "No such file or directory", "/x"), "error", "'/x'"),
    ],
)
def test_a_failure_is_one_line_with_its_kind(error: Exception, cause: str, words: str) -> None:
    end = failure(error)
    assert (end.state, end.cause, end.value) == ("failed", cause, None)
    assert words in str(end.reason)
    assert "\n" not in str(end.reason)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x"),
            "No space left on device: /data/x; free the disk",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device: /"),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded", "/data/x"),
            "Disk quota exceeded: /data/x; free some of your quota",
        ),
        (OSError(errno.EROFS, "Read-only file system", "/data/x"), "Read-only file system: /data/x"),
        (OSError(errno.EMFILE, "Too many open files"), "raise the limit of open files"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "No space left on device: /"),  # safetensors
        (SafetensorError("I/O error: No space left on device (os error 28)"), "No space left on device: /"),
        (RuntimeError("[enforce fail at inline_container.cc:668] . Disk quota exceeded"), "Disk quota exceeded: /"),
        (OSError("Can't write data (errno = 30, error message = 'Read-only file system')"), "Read-only file system"),
        (
            RuntimeError("unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)"),
            "raise the limit of open files",
        ),
    ],
)
def test_what_the_machine_refuses_is_no_end_of_a_run_but_of_the_study(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(kind: str, context: object) -> None:
        raise error

    monkeypatch.setattr(toy, "accident", planted)
    driver = driver_of(search(), tmp_path)
    job = driver.jobs.job("trial", 0, knobs={"segmentation.weights.b": 1.0}, number=0)
    end = do(driver, job)
    assert end.halts
    assert said in str(end.reason)
    assert socket.gethostname() in str(end.reason)
    monkeypatch.undo()
    assert do(driver, job).state == "complete", "it goes on when there is room again"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("12 of 'too many open files' tolerated"),
        ValueError("No space left on device"),
        KeyError("Read-only file system"),
        RuntimeError("Too many open files in the list of cases: 24 of at most 20"),
        RuntimeError("Stale file handle"),
        Damaged("m.json", "cannot be read (Input/output error)", "bring it back"),
        OSError(errno.ENOENT, "No such file or directory", "/a/No space left on device"),
    ],
    ids=repr,
)
def test_the_system_s_words_in_another_s_error_end_one_run_alone(error: Exception) -> None:
    assert refused_by_system(error) is None


def test_on_a_share_it_may_only_be_the_share(tmp_path: Path) -> None:
    end = failure(MemoryError("no room"), shared=True)
    assert (end.cause, end.requeue_reason, end.reason) == ("out of memory", "alone", "out of memory: no room")


def test_a_missing_or_infinite_value_is_a_failure_not_a_score(tmp_path: Path) -> None:
    driver = driver_of(search(objectives={"validation/dise": "maximize"}), tmp_path)
    job = driver.jobs.job("trial", 0, knobs={}, number=0)
    end = do(driver, job)
    assert (end.state, end.cause) == ("failed", "bad input")
    assert "reports no 'validation/dise'; it reports validation/dice" in str(end.reason)
    assert stored_end(job, driver.store) == replace(end, trace="")
    manifest = driver.store.folder(job.keys[2]) / "manifest.json"
    metrics = {"validation/dise": float("inf")}
    write_sealed(manifest, {**read_record(manifest), "metrics": metrics})
    assert stored_end(job, driver.store).cause == "diverged"


def test_every_search_may_ask_for_the_hours_of_what_is_scored_and_all_before_it(tmp_path: Path) -> None:
    objectives = {"validation/dice": "maximize", HOURS: "minimize"}
    driver = driver_of(search(objectives=objectives, sampler=TPE()), tmp_path)
    end = do(driver, driver.jobs.job("replicate", 0, knobs={}, number=0))
    taken = [driver.store.artifact(key).manifest for key in driver.jobs.job("trial", 0, knobs={}).keys]
    assert end.values[1] == pytest.approx(sum(manifest.seconds for manifest in taken) / 3600)
    assert end.values[1] > 0


def test_a_bound_on_hours_is_kept(tmp_path: Path) -> None:
    objectives = {"validation/dice": "maximize", HOURS: "minimize"}
    driver = driver_of(search(objectives=objectives, sampler=TPE()), tmp_path)
    carry_out(driver)
    run = RankedTrial(trial=next(one for one in driver.ledger.runs().values() if one.role == "trial"))
    metrics = metrics_of(driver.jobs.search, driver.store)
    assert Reaching(metric=HOURS, at_most=1.0).allows(run, metrics)
    assert not Reaching(metric=HOURS, at_most=1e-9).allows(run, metrics)


def test_the_first_objective_ranks() -> None:
    assert RunResult(state="complete", values=(0.5, 2.0)).value == 0.5
    assert RunResult(state="failed").value is None
