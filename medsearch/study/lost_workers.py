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
HAD = re.compile(rf"memory used={SIZE}")
NODE = re.compile(rf"was {SIZE} (?:used )?/ {SIZE}")


@contextmanager
def lost_workers_fail_alone() -> Iterator[None]:
    """Within, no error of Ray's ends more than the run whose worker it struck."""
    theirs = RayActorManager._actor_task_failed

    def failed(self: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            exception = RayActorError(error_msg=words(exception))
        theirs(self, tracked_actor_task=tracked_actor_task, exception=exception)

    RayActorManager._actor_task_failed = failed
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = theirs


def words(error: Exception) -> str:
    """One line on what became of a worker."""
    text = str(error).strip()
    if isinstance(error, OutOfMemoryError):
        had, node = HAD.search(text), NODE.search(text)
        used = f"{node[1]} of {node[2]}" if node else "too much"
        remedy = "use a smaller batch or network, fewer trials at a time (--cpus-per-trial), or a larger node"
        return f"{FOR_MEMORY} {had[1] if had else 'more than others'}, the node {used}; {remedy}"
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"
