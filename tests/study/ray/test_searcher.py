"""Tune's questions to the driver, asked without Tune, and what Ray says of workers that it loses.

The kills themselves: test_kills.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ActorDiedError, ObjectStoreFullError, OutOfMemoryError, RayActorError, RayTaskError

from medsearch.core.errors import BadInput
from medsearch.core.records import append_line
from medsearch.study import ASHA, Random
from medsearch.study.engine.jobs import Job
from medsearch.study.engine.probes import Probes
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.ray.cluster import Resources
from medsearch.study.ray.cluster_capacity import ClusterCapacity
from medsearch.study.ray.execution import rungs_of
from medsearch.study.ray.interruption import Halt
from medsearch.study.ray.packing import Packing
from medsearch.study.ray.rungs import RETRIES
from medsearch.study.ray.searcher import FOR_MEMORY, JobSearcher, as_actor_error, lost_workers_fail_alone
from tests.study.ray.drive import do, driver_of, search

SMALL = {"sampler": Random(), "references": (), "seeds": (0,), "finalists": 0}
RULE = ASHA(grace=2, reduction=2, because="a test")


def jobs(driver: SearchDriver, slots: int = 1) -> JobSearcher:
    first = driver.next()
    assert isinstance(first, Job)
    capacity, probes = ClusterCapacity(lambda: [{"CPU": slots}]), Probes(driver.ledger.folder / "probes")
    packing = Packing(Resources(), capacity=capacity, probes=probes, store=driver.store)
    return JobSearcher(driver, rungs_of(driver), packing=packing, first=first)


def test_it_waits_for_slots_and_finishes(tmp_path: Path) -> None:
    asked = jobs(driver_of(search(trials=2, **SMALL), tmp_path), slots=2)
    payload = asked.suggest("a")["payload"]
    assert payload == asked.runs["a"]
    assert (payload.job.run, payload.share, payload.grant.gpus) == ("prefix-0", {"CPU": 1.0}, 0.0)
    assert payload.store == asked.driver.store
    assert asked.suggest("b") is None, "trials wait for what they share"
    finish(asked, "a")
    assert asked.suggest("c") is not None
    assert asked.suggest("d") is not None
    assert asked.suggest("e") is None, "no proposal ahead of its slot"
    finish(asked, "c")
    finish(asked, "d")
    assert asked.suggest("f") == JobSearcher.FINISHED


def finish(asked: JobSearcher, trial_id: str) -> None:
    end = do(asked.driver, asked.runs[trial_id].job)
    flat = {"end/state": end.state, "end/values": end.values, "end/reason": end.reason, "end/cause": end.cause}
    asked.on_trial_complete(trial_id, flat)


def test_a_trial_whose_recorded_curve_condemns_it_is_cut_without_being_begun(tmp_path: Path) -> None:
    what = search(trials=4, scheduler=RULE, **SMALL)
    driver = driver_of(what, tmp_path)
    asked = jobs(driver)
    for trial_id in ("prefix", "0", "1", "2"):
        assert asked.suggest(trial_id) is not None
        finish(asked, trial_id)
    assert asked.suggest("3") is not None
    key = dict(asked.runs["3"].job.planned.stages)["segmentation"]
    journal = driver.store.folder(key) / "journal.jsonl"
    line = {"epoch": 2, "metrics": {"validation/dice": -9.0}, "seconds": 1.0, "time": 4e9}
    append_line(journal, line)  # killed after the epoch, before the scheduler saw it

    again = jobs(driver_of(what, tmp_path))
    assert again.suggest("3") == JobSearcher.FINISHED
    known = again.driver.ledger.runs()["trial-0003"]
    assert (known.state, known.rung, known.value) == ("cut", 2, -9.0)
    told = again.driver.proposals.study.trials[3]
    assert (told.state.name, told.intermediate_values) == ("PRUNED", {2: -9.0})


def test_when_the_ledger_cannot_be_written_the_study_ends(tmp_path: Path) -> None:
    asked = jobs(driver_of(search(trials=1, **SMALL), tmp_path))
    assert asked.suggest("a") is not None
    job = asked.runs["a"].job
    do(asked.driver, job)
    asked.driver.ledger.path.unlink()
    asked.driver.ledger.path.mkdir()
    with pytest.raises(Halt) as halted:
        asked.on_trial_complete("a", {"end/state": "complete"})
    assert isinstance(halted.value.error, OSError)


def test_an_end_that_says_nothing_of_the_run_ends_the_study_and_leaves_the_run_open(tmp_path: Path) -> None:
    asked = jobs(driver_of(search(trials=2, **SMALL), tmp_path))
    asked.suggest("prefix")
    why = {"end/state": "failed", "end/reason": "No space left on device: /x; free the disk", "end/halts": True}
    with pytest.raises(Halt) as halt:
        asked.on_trial_complete("prefix", why)
    assert isinstance(halt.value.error, BadInput)
    assert str(halt.value.error) == why["end/reason"]
    states = [run.state for run in asked.driver.ledger.runs().values()]
    assert states == ["running"], "the same run goes on when the study is run again"


def test_a_run_that_is_sent_to_a_dead_worker_is_handed_out_again(tmp_path: Path) -> None:
    asked = jobs(driver_of(search(trials=1, **SMALL), tmp_path))
    run = str(asked.suggest("0")["payload"].job.run)
    for number in range(RETRIES):
        given_up(asked, f"{number}", failures=2)  # Tune's count stands below its limit, and it gives up all the same
        assert asked.suggest(f"{number + 1}")["payload"].job.run == run
        assert asked.driver.ledger.runs()[run].state == "running"
    given_up(asked, f"{RETRIES}", failures=2)
    assert_lost(asked, run)


def test_a_run_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    asked = jobs(driver_of(search(trials=1, **SMALL), tmp_path))
    run = str(asked.suggest("0")["payload"].job.run)
    given_up(asked, "0", failures=RETRIES + 1)
    assert_lost(asked, run)


def test_a_run_whose_workers_are_ended_for_memory_says_what_they_had(tmp_path: Path) -> None:
    asked = jobs(driver_of(search(trials=1, **SMALL), tmp_path))
    run = str(asked.suggest("0")["payload"].job.run)
    given_up(asked, "0", failures=RETRIES + 1, said=f"{FOR_MEMORY} 14.02GB, the node 20.51GB of 21.60GB")
    record = asked.driver.ledger.runs()[run]
    assert (record.state, record.cause) == ("failed", "out of memory")
    assert record.reason == "its worker was ended by Ray's memory monitor: it had 14.02GB, the node 20.51GB of 21.60GB"


def assert_lost(asked: JobSearcher, run: str) -> None:
    record = asked.driver.ledger.runs()[run]
    assert (record.state, record.cause) == ("failed", "worker died")
    assert str(record.reason).endswith("was tried again in vain: the actor is gone")


def given_up(asked: JobSearcher, trial_id: str, *, failures: int, said: str = "the actor is gone") -> None:
    """What Tune says when it does not try again, and what its file of the trial holds."""
    file = asked.driver.ledger.folder / "error.txt"
    file.write_text(
        f"Failure # 1 (occurred at noon)\nsomething else\nFailure # 2 (occurred at one)\n{said}\n\tpid: 17\n"
    )
    trial = SimpleNamespace(
        config={"payload": SimpleNamespace(job=asked.runs[trial_id].job)},
        run_metadata=SimpleNamespace(num_failures=failures),
        error_file=str(file),
    )
    asked.rungs.on_trial_error(None, trial)
    asked.on_trial_complete(trial_id, error=True)


MINE, OTHER = "85e98d5993483e0ad9304e3801000000", "9e87cd26ea2dc183700afe1101000000"
TOLD = f"""\
2 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 127.0.0.1, ID: 27) was \
6.22GB used / 23.54GB limit (0.264249)
OOM kill reason: Memory usage 6368256000B exceeded threshold of 505521248B (2.0% of 25276063744B limit)
Object store memory usage: [- objects spillable: 0
(global lru) bytes evicted: 0]
Ray killed 2 worker(s) based on the killing policy
Considered workers: [
Selected to kill: (Actor({OTHER}): job ID=01000000, lease ID=01, task name=A.__init__, required resources={{CPU: 1}}, \
pid=25559, actual memory used=0.09GB, worker ID=9d6e)
Selected to kill: (Actor({MINE}): job ID=01000000, lease ID=0002, task name=A.__init__, required resources={{CPU: 1}}, \
pid=25560, actual memory used=0.20GB, worker ID=be8d)
]"""
"""As Ray 2.60 told it."""


def words(error: Exception, actor: str) -> str:
    """What Tune is told of a worker that Ray has lost with an error that Tune does not know."""
    manager = SimpleNamespace(
        _live_actors_to_ray_actors_resources={"actor": (SimpleNamespace(_actor_id=bytes.fromhex(actor)), None)}
    )
    known = as_actor_error(manager, "actor", error)
    assert isinstance(known, RayActorError)
    return str(known)


def test_what_was_ended_for_memory_says_what_it_and_the_node_had() -> None:
    said = words(OutOfMemoryError(TOLD), MINE)
    assert said.startswith(
        f"{FOR_MEMORY} 0.20GB, the node 6.22GB of 23.54GB, of which 2.0% may be taken; use a smaller"
    )
    assert "\n" not in said


def test_a_worker_ended_while_its_actor_was_made_is_known_as_the_only_one() -> None:
    one, two = TOLD.replace(f"Actor({MINE})", "Task"), TOLD.replace(f"Actor({MINE})", "Task")
    one = "\n".join(line for line in one.splitlines() if OTHER not in line)
    assert words(OutOfMemoryError(one), MINE).startswith(f"{FOR_MEMORY} 0.20GB, ")
    assert words(OutOfMemoryError(two), MINE).startswith(f"{FOR_MEMORY} more than others, "), "either of two"


def test_what_says_nothing_of_memory_is_no_traceback_either() -> None:
    assert words(OutOfMemoryError(""), MINE).startswith(f"{FOR_MEMORY} more than others, the node too much; ")
    assert words(ObjectStoreFullError("full\nof objects"), MINE).startswith("ObjectStoreFullError: full")


def test_tune_is_told_of_a_lost_actor_and_its_own_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Exception] = []

    def record(self: Any, exception: Exception, **about: Any) -> None:
        heard.append(exception)

    for method in ("_actor_start_failed", "_actor_task_failed"):
        monkeypatch.setattr(RayActorManager, method, record)
    handle = SimpleNamespace(_actor_id=bytes.fromhex(MINE))
    manager = SimpleNamespace(_live_actors_to_ray_actors_resources={"actor": (handle, None)})
    task = SimpleNamespace(_tracked_actor="actor")
    of_task, of_actor = RayTaskError("train", "traceback", ValueError()), ActorDiedError()
    with lost_workers_fail_alone():
        for error in (OutOfMemoryError(TOLD), ObjectStoreFullError("full"), of_task, of_actor):
            RayActorManager._actor_task_failed(manager, task, exception=error)
            RayActorManager._actor_start_failed(manager, "actor", exception=error)
    kinds = [RayActorError, RayActorError, RayTaskError, ActorDiedError]
    assert [type(error) for error in heard] == [kind for kind in kinds for _ in range(2)]
    assert str(heard[0]) == str(heard[1]) == words(OutOfMemoryError(TOLD), MINE)
    assert heard[4:] == [of_task, of_task, of_actor, of_actor]
    assert RayActorManager._actor_task_failed is RayActorManager._actor_start_failed is record
