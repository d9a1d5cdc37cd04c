"""Between Ray Tune and the conductor: a searcher that hands out its jobs.

It keeps nothing: when the driver dies, the conductor's ledger and storage say all, and Tune's own snapshots are never
read.
"""

from collections.abc import Callable, Mapping
from typing import Any, final

from ray.tune import Callback
from ray.tune.search import Searcher

from medsearch.stages.context import Runtime
from medsearch.study.conducting import Conducts
from medsearch.study.events import Event
from medsearch.study.interruption import Interruption, halting
from medsearch.study.jobs import End, Job
from medsearch.study.rungs import Rungs, run_of
from medsearch.study.schedulers import RUNG, SELECTION
from medsearch.study.worker import Errand, end_of


@final
class Jobs(Searcher):  # type: ignore[misc]
    """Tune's searcher: asks the conductor, answers None for "not yet" and FINISHED at the end.

    slots: how many runs the cluster can hold now. No job is taken ahead of its slot, so that a proposal knows all
    that has ended before it. first: a job that the conductor has handed out already.
    """

    def __init__(
        self,
        conductor: Conducts,
        rungs: Rungs,
        *,
        slots: Callable[[], int],
        runtime: Runtime,
        first: Job,
    ) -> None:
        super().__init__()
        self.conductor = conductor
        self.rungs = rungs
        self.slots = slots
        self.runtime = runtime
        self.runs: dict[str, Job] = {}
        self._first: Job | None = first

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:  # noqa: ARG002
        """Nothing to set: the space is the search's."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next job as Tune's configuration."""
        with halting():
            job = self._next()
        if not isinstance(job, Job):
            return None if job == "not yet" else str(Searcher.FINISHED)
        self.runs[trial_id] = job
        return {"errand": self._errand(job)}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Pass an epoch on to whoever listens."""
        if "node" in result:
            self._say_epoch(self.runs[trial_id], result)

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Record how a run ended: by itself, cut by the scheduler, or with its process."""
        job = self.runs.pop(trial_id)
        end = None if result is None else end_of(result)
        if error:
            reason = f"its worker process failed and was tried again in vain: {self.rungs.errors.pop(job.run, '')}"
            end = End(state="failed", reason=reason, cause="worker died")
        elif end is None and result is not None and SELECTION in result:
            self._say_epoch(job, result)
            end = self.rungs.cut(job.run, int(result[RUNG]), float(result[SELECTION]))
        with halting():
            self.conductor.ended(job.run, end or End(state="failed", reason="it ended without a result", cause="error"))

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

    def _next(self) -> Job | str:
        """The next job that is not already judged by the curve it had when an earlier life ended."""
        while True:
            if self._first is None and len(self.conductor.running) >= self.slots():
                return "not yet"
            job: Job | str = self._first or self.conductor.next()
            self._first = None
            end = self.rungs.judged.pop(job.run, None) if isinstance(job, Job) else None
            if end is None or not isinstance(job, Job):
                return job
            self.conductor.ended(job.run, end)

    def _errand(self, job: Job) -> Errand:
        return Errand(job=job, store=self.conductor.store, runtime=self.runtime)

    def _say_epoch(self, job: Job, result: Mapping[str, Any]) -> None:
        metrics = {name.removeprefix("metrics/"): v for name, v in result.items() if name.startswith("metrics/")}
        event = Event(
            kind="epoch", run=job.run, planned=job.planned, node=result["node"], epoch=result["epoch"], metrics=metrics
        )
        self.conductor.listener(event)


@final
class Watch(Callback):  # type: ignore[misc]
    """Asks before each of Tune's steps, a tenth of a second apart, whether a signal came; tells of dead workers."""

    def __init__(self, conductor: Conducts, interruption: Interruption) -> None:
        self.conductor = conductor
        self.interruption = interruption

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002
        """Stop if a signal came."""
        self.interruption.check()

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """A worker died, and its run begins again from its checkpoint."""
        self.conductor.listener(Event(kind="retried", run=run_of(trial)))
