"""Between Ray Tune and a study's driver: a searcher that hands out its jobs.

It keeps nothing: when the driver dies, its ledger and storage say all, and Tune's own snapshots are never
read.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Literal, final

from ray.tune import Callback
from ray.tune.search import Searcher

from medsearch.core.errors import BadInput
from medsearch.stages.memory import Meter
from medsearch.study.declare.schedulers import RUNG, SELECTION
from medsearch.study.engine.driver import StudyDriver
from medsearch.study.engine.events import Event
from medsearch.study.engine.grants import ResourceGrant
from medsearch.study.engine.jobs import Job, RunResult
from medsearch.study.ray.cluster_loss import require_cluster
from medsearch.study.ray.interruption import Interruption, halting
from medsearch.study.ray.lost_workers import FOR_MEMORY
from medsearch.study.ray.packing import Packing, ScheduledJob
from medsearch.study.ray.rungs import Rungs, run_of
from medsearch.study.ray.worker import TrialPayload, end_of


@final
class Jobs(Searcher):  # type: ignore[misc]
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
        self.runs: dict[str, ScheduledJob] = {}
        self._waiting = deque([first])
        self._portions: dict[str, ResourceGrant] = {}  # of who waits: Tune asks ten times a second

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:  # noqa: ARG002
        """Nothing to set: the space is the search's."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next job as Tune's configuration."""
        with halting():
            scheduled = self._next()
        if not isinstance(scheduled, ScheduledJob):
            return None if scheduled == "not yet" else str(Searcher.FINISHED)
        self.runs[trial_id] = scheduled
        return {"payload": self._payload(scheduled)}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Pass an epoch on to whoever listens."""
        if "node" in result:
            self._say_epoch(self.runs[trial_id].job, result)

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Record how a run ended: by itself, cut by the scheduler, or with its process."""
        scheduled = self.runs.pop(trial_id)
        job = scheduled.job
        end = None if result is None else end_of(result)
        if error:
            end = self._lost(job)
        elif end is None and result is not None and SELECTION in result:
            self._say_epoch(job, result)
            end = self.rungs.cut(job.run, int(result[RUNG]), float(result[SELECTION]))
        end = end or RunResult(state="failed", reason="it ended without a result", cause="error")
        self._portions.clear()
        with halting():
            if end.halts:
                raise BadInput(end.reason or "")
            self.packing.learn(scheduled, end)
            if end.requeue_reason:
                self._waiting.appendleft(job)
            else:
                self.driver.ended(job.run, end)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: see the module's docstring."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see the module's docstring."""

    def get_state(self) -> dict[str, Any]:
        """Nothing: see the module's docstring."""
        return {}

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: see the module's docstring."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: see the module's docstring."""
        return {}

    def _next(self) -> ScheduledJob | str:
        """The next job that is not already judged by the curve it had when an earlier life ended."""
        beside = [scheduled.grant for scheduled in self.runs.values()]
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
            grant = self._portions.get(job.run) or self.packing.grant(job)
            self._portions[job.run] = grant
            if not self.packing.fits(grant, beside):
                return "not yet"
            del self._portions[job.run]
            return ScheduledJob(self._waiting.popleft(), grant)

    def _payload(self, scheduled: ScheduledJob) -> TrialPayload:
        return TrialPayload(
            job=scheduled.job,
            store=self.driver.store.only(scheduled.job.asked),
            runtime=self.packing.runtime(scheduled.grant),
            grant=scheduled.grant,
            share=self.packing.share(scheduled.grant),
            meter=self.meter,
            memory=self.packing.resources.memory_per_trial,
        )

    def _lost(self, job: Job) -> RunResult:
        words = self.rungs.errors.pop(job.run, "")
        requeue_reason: Literal["", "elsewhere"] = "elsewhere" if self.rungs.takes_back(job.run) else ""
        if words.startswith(FOR_MEMORY):
            return RunResult(
                state="failed", reason=f"its worker {words}", cause="out of memory", requeue_reason=requeue_reason
            )
        reason = f"its worker process failed and was tried again in vain: {words}"
        return RunResult(state="failed", reason=reason, cause="worker died", requeue_reason=requeue_reason)

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
