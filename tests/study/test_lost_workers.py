"""What Ray says of workers that it loses, as Tune is told and as a user reads it. The kills themselves: test_kills."""

from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ActorDiedError, ObjectStoreFullError, OutOfMemoryError, RayActorError, RayTaskError

from medsearch.study.lost_workers import FOR_MEMORY, lost_workers_fail_alone, words

TOLD = """1 worker(s) were killed due to the node running low on memory.
Memory on the node (IP: 127.0.0.1, ID: 5d) was 20.51GB used / 21.60GB limit (0.949537)
OOM kill reason: above the threshold
Object store memory usage: []
Ray killed 1 worker(s) based on the killing policy
Considered workers: [
(job ID=01, lease ID=02, task name=Worker.train, required resources={CPU: 1}, pid=17, actual memory used=14.02GB, ID=03)
]"""
OLDER = """Task was killed due to the node running low on memory.
Memory on the node (IP: 127.0.0.1, ID: 5d) where the task (actor ID: 01, name=Worker, pid=17, memory used=14.02GB) was
running was 20.51GB / 21.60GB (0.949537), which exceeds the memory usage threshold of 0.95."""


@pytest.mark.parametrize("told", [TOLD, OLDER], ids=["told", "older"])
def test_what_was_ended_for_memory_says_what_it_and_the_node_had(told: str) -> None:
    said = words(OutOfMemoryError(told))
    assert said.startswith(f"{FOR_MEMORY} 14.02GB, the node 20.51GB of 21.60GB; use a smaller batch")
    assert "\n" not in said


def test_what_says_nothing_of_memory_is_no_traceback_either() -> None:
    assert words(OutOfMemoryError("")).startswith(f"{FOR_MEMORY} more than others, the node too much; ")
    assert words(ObjectStoreFullError("full\nof objects")).startswith("ObjectStoreFullError: full")


def test_tune_is_told_of_a_lost_actor_and_its_own_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Exception] = []

    def record(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        heard.append(exception)

    monkeypatch.setattr(RayActorManager, "_actor_task_failed", record)
    of_task, of_actor = RayTaskError("train", "traceback", ValueError()), ActorDiedError()
    with lost_workers_fail_alone():
        for error in (OutOfMemoryError(TOLD), ObjectStoreFullError("full"), of_task, of_actor):
            RayActorManager._actor_task_failed(None, None, exception=error)
    assert [type(error) for error in heard] == [RayActorError, RayActorError, RayTaskError, ActorDiedError]
    assert str(heard[0]) == words(OutOfMemoryError(TOLD))
    assert heard[2:] == [of_task, of_actor]
    assert RayActorManager._actor_task_failed is record
