"""Between Ray Tune and a study's driver: a searcher that hands out its jobs, and what becomes of lost workers.

It keeps nothing: when the driver dies, its ledger and storage say all, and Tune's own snapshots are never read.

A worker that Ray loses is one run's end, or its next try. Ray's memory monitor ends workers while a machine is short of
memory, with an error of its own that Tune's actor manager does not know: it would end the whole study. Others of Ray's
errors are of that kind, such as an object store that is full. They are handed on as what Tune does know, an actor that
failed.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, final

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.tune import Callback
from ray.tune.search import Searcher

from medsearch.core.errors import BadInput
from medsearch.stages.memory import Meter
from medsearch.study.declare.schedulers import RUNG, SELECTION
from medsearch.study.engine.driver import Event, StudyDriver
from medsearch.study.engine.jobs import Job, ResourceGrant, RunResult
from medsearch.study.ray.cluster_loss import require_cluster
from medsearch.study.ray.interruption import Interruption, halting
from medsearch.study.ray.packing import Packing
from medsearch.study.ray.rungs import Rungs, run_of
from medsearch.study.ray.worker import TrialPayload, end_of

FOR_MEMORY = "was ended by Ray's memory monitor: it had"
"""Begins what is said of a worker that was ended for its machine's sake."""


@final
class JobSearcher(Searcher):  # type: ignore[misc]
    """Tune's searcher: asks the driver, answers None for "not yet" and FINISHED at the end.

    packing: which share of a GPU a job gets, and whether there is room for it. No job is taken before there is room
    for one, so that a proposal knows all that has ended before it; one that needs more than is free waits, and none
    overtakes it. first: a job that the driver has handed out already. meter: what measures memory on the workers.

    A job that comes back to have another share, or a GPU to itself, is under way all the while for the driver.
    """

    def __init__(
        self, driver: StudyDriver, rungs: Rungs, *, packing: Packing, first: Job, meter: Meter | None = None
    ) -> None:
        super().__init__()
        self.driver = driver
        self.rungs = rungs
        self.packing = packing
        self.meter = meter
        self.runs: dict[str, TrialPayload] = {}
        self._waiting = deque([first])
        self._grants: dict[str, ResourceGrant] = {}  # of who waits: Tune asks ten times a second

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:  # noqa: ARG002
        """Nothing to set: the space is the search's."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next job as Tune's configuration."""
        with halting():
            payload = self._next()
        if not isinstance(payload, TrialPayload):
            return None if payload == "not yet" else str(Searcher.FINISHED)
        self.runs[trial_id] = payload
        return {"payload": payload}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Pass an epoch on to whoever listens."""
        if "node" in result:
            self._say_epoch(self.runs[trial_id].job, result)

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Record how a run ended: by itself, cut by the scheduler, or with its process."""
        payload = self.runs.pop(trial_id)
        job = payload.job
        end = None if result is None else end_of(result)
        if error:
            words = self.rungs.errors.pop(job.run, "")
            reason = f"its worker process failed and was tried again in vain: {words}"
            if for_memory := words.startswith(FOR_MEMORY):
                reason = f"its worker {words}"
            end = RunResult(
                state="failed",
                reason=reason,
                cause="out of memory" if for_memory else "worker died",
                requeue_reason="elsewhere" if self.rungs.takes_back(job.run) else "",
            )
        elif end is None and result is not None and SELECTION in result:
            self._say_epoch(job, result)
            end = self.rungs.cut(job.run, int(result[RUNG]), float(result[SELECTION]))
        end = end or RunResult(state="failed", reason="it ended without a result", cause="error")
        self._grants.clear()
        with halting():
            if end.halts:
                raise BadInput(end.reason or "")
            self.packing.learn(job, payload.grant, end)
            if end.requeue_reason:
                self._waiting.appendleft(job)
            else:
                self.driver.ended(job.run, end)

    def save(self, checkpoint_path: str) -> None:
        """Nothing is kept: the ledger and the storage say all."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing is kept: the ledger and the storage say all."""

    def get_state(self) -> dict[str, Any]:
        """Nothing is kept: the ledger and the storage say all."""
        return {}

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing is kept: the ledger and the storage say all."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing is kept: the ledger and the storage say all."""
        return {}

    def _next(self) -> TrialPayload | Literal["not yet", "finished"]:
        """The next job that is not already judged by the curve it had when an earlier life ended."""
        beside = [payload.grant for payload in self.runs.values()]
        while True:
            if not self._waiting:
                if not self.packing.has_room(beside):
                    return "not yet"
                job = self.driver.next()
                if not isinstance(job, Job):
                    return job
                self._waiting.append(job)
            job = self._waiting[0]
            if (end := self.rungs.judged.pop(job.run, None)) is not None:
                self._waiting.popleft()
                self.driver.ended(job.run, end)
                continue
            grant = self._grants.get(job.run) or self.packing.grant(job)
            if not self.packing.fits(grant, beside):
                self._grants[job.run] = grant
                return "not yet"
            self._grants.pop(job.run, None)
            self._waiting.popleft()
            return TrialPayload(
                job=job,
                store=self.driver.store.only({key for run in job.runs for key in (run.key, *run.upstream.values())}),
                runtime=self.packing.runtime(grant),
                grant=grant,
                share=self.packing.resources.share(grant.gpus),
                meter=self.meter,
                memory=self.packing.resources.memory_per_trial,
            )

    def _say_epoch(self, job: Job, result: Mapping[str, Any]) -> None:
        metrics = {name.removeprefix("metrics/"): v for name, v in result.items() if name.startswith("metrics/")}
        event = Event(
            kind="epoch", run=job.run, planned=job.planned, node=result["node"], epoch=result["epoch"], metrics=metrics
        )
        self.driver.listener(event)


@final
class Watch(Callback):  # type: ignore[misc]
    """Asks before each of Tune's steps, a tenth of a second apart, whether to stop; tells of dead workers."""

    def __init__(self, driver: StudyDriver, interruption: Interruption) -> None:
        self.driver = driver
        self.interruption = interruption

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002
        """Stop if a signal came, or the cluster is lost."""
        self.interruption.check()
        require_cluster()

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A worker died, and its run begins again from its checkpoint."""
        self.driver.listener(Event(kind="retried", run=run_of(trial)))


@contextmanager
def lost_workers_fail_alone() -> Iterator[None]:
    """Within, no error of Ray's ends more than the run whose worker it struck, at its start or at work."""
    start_failed, task_failed = RayActorManager._actor_start_failed, RayActorManager._actor_task_failed

    def at_start(self: RayActorManager, tracked_actor: Any, exception: Exception) -> None:
        start_failed(self, tracked_actor=tracked_actor, exception=as_actor_error(self, tracked_actor, exception))

    def at_work(self: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        known = as_actor_error(self, tracked_actor_task._tracked_actor, exception)
        task_failed(self, tracked_actor_task=tracked_actor_task, exception=known)

    RayActorManager._actor_start_failed, RayActorManager._actor_task_failed = at_start, at_work
    try:
        yield
    finally:
        RayActorManager._actor_start_failed, RayActorManager._actor_task_failed = start_failed, task_failed


def as_actor_error(manager: RayActorManager, tracked_actor: Any, error: Exception) -> Exception:
    """The error as Tune knows it: an actor's or a task's, with one line on what became of the worker.

    Ray may end several workers at once, and names no actor that it was still making.
    """
    if not isinstance(error, RayError) or isinstance(error, RayActorError | RayTaskError):
        return error
    actor = manager._live_actors_to_ray_actors_resources[tracked_actor][0]._actor_id.hex()
    text = str(error).strip()
    words = f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"
    if isinstance(error, OutOfMemoryError):
        size = r"([\d.]+ ?[KMGT]?B)"
        ended: list[tuple[str, str]] = re.findall(rf"Selected to kill: \((.*), actual memory used={size}", text)
        had = next((taken for task, taken in ended if actor in task or len(ended) == 1), "more than others")
        node = re.search(rf"was {size} used / {size} limit", text)
        limit = re.search(r"exceeded threshold of \d+B \(([\d.]+%)", text)
        used = f"{node[1]} of {node[2]}" if node else "too much"
        most = f", of which {limit[1]} may be taken" if limit else ""
        remedy = "use a smaller batch or network, fewer trials at a time (--cpus-per-trial), or a larger node"
        words = f"{FOR_MEMORY} {had}, the node {used}{most}; {remedy}"
    lost: Exception = RayActorError(error_msg=words)
    return lost
