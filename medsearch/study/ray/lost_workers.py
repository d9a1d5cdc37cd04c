"""Workers that Ray loses: each is one run's end, or its next try, and is told in words of ours.

Ray's memory monitor ends workers while a node is short of memory, with an error of its own that Tune's actor manager
does not know: it would end the whole study. Others of Ray's errors are of that kind, such as an object store that is
full. They are handed on as what Tune does know, an actor that failed.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

FOR_MEMORY = "was ended by Ray's memory monitor: it had"
"""Begins what is said of a worker that was ended for its node's sake."""

SIZE = r"([\d.]+ ?[KMGT]?B)"
ENDED = re.compile(rf"Selected to kill: \((.*), actual memory used={SIZE}")
NODE = re.compile(rf"was {SIZE} used / {SIZE} limit")
LIMIT = re.compile(r"exceeded threshold of \d+B \(([\d.]+%)")


@contextmanager
def lost_workers_fail_alone() -> Iterator[None]:
    """Within, no error of Ray's ends more than the run whose worker it struck, at its start or at work."""
    start_failed, task_failed = RayActorManager._actor_start_failed, RayActorManager._actor_task_failed

    def at_start(self: RayActorManager, tracked_actor: Any, exception: Exception) -> None:
        start_failed(self, tracked_actor=tracked_actor, exception=_known(self, tracked_actor, exception))

    def at_work(self: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        known = _known(self, tracked_actor_task._tracked_actor, exception)
        task_failed(self, tracked_actor_task=tracked_actor_task, exception=known)

    RayActorManager._actor_start_failed, RayActorManager._actor_task_failed = at_start, at_work
    try:
        yield
    finally:
        RayActorManager._actor_start_failed, RayActorManager._actor_task_failed = start_failed, task_failed


def _known(manager: RayActorManager, tracked_actor: Any, error: Exception) -> Exception:
    """The error as Tune knows it."""
    if not isinstance(error, RayError) or isinstance(error, RayActorError | RayTaskError):
        return error
    actor, _ = manager._live_actors_to_ray_actors_resources[tracked_actor]
    known: Exception = RayActorError(error_msg=words(error, actor._actor_id.hex()))
    return known


def words(error: Exception, actor: str) -> str:
    """One line on what became of a worker. actor: its identifier.

    Ray may end several workers at once, and names no actor that it was still making.
    """
    text = str(error).strip()
    if isinstance(error, OutOfMemoryError):
        ended: list[tuple[str, str]] = ENDED.findall(text)
        had = next((size for who, size in ended if actor in who or len(ended) == 1), "more than others")
        node, limit = NODE.search(text), LIMIT.search(text)
        used = f"{node[1]} of {node[2]}" if node else "too much"
        most = f", of which {limit[1]} may be taken" if limit else ""
        remedy = "use a smaller batch or network, fewer trials at a time (--cpus-per-trial), or a larger node"
        return f"{FOR_MEMORY} {had}, the node {used}{most}; {remedy}"
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"
