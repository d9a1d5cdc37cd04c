"""What Ray says of workers that it loses, as Tune is told and as a user reads it. The kills themselves: test_kills."""

from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ActorDiedError, ObjectStoreFullError, OutOfMemoryError, RayActorError, RayTaskError

from medsearch.study.ray.lost_workers import FOR_MEMORY, lost_workers_fail_alone, words

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
