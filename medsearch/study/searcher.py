"""Between Ray Tune and the conductor: a searcher that hands out its jobs, and a scheduler that sees searched stages only.

Neither keeps anything: when the driver dies, the conductor's ledger and storage say all, and Tune's own snapshots are
never read.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, final

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from medsearch.stages.context import Runtime
from medsearch.study.conductor import Conductor, Event
from medsearch.study.jobs import End, Job
from medsearch.study.schedulers import RUNG, SELECTION
from medsearch.study.worker import Errand, end_of


@final
class Jobs(Searcher):  # type: ignore[misc]
    """Tune's searcher: asks the conductor, answers None for "not yet" and FINISHED at the end.

    slots: how many runs the cluster can hold now. No job is taken ahead of its slot, so that a proposal knows all
    that has ended before it starts.
    """

    def __init__(
        self, conductor: Conductor, *, slots: Callable[[], int], runtime: Runtime, failures: Path, first: Job | None = None
    ) -> None:
        super().__init__()
        self.conductor = conductor
        self.slots = slots
        self.runtime = runtime
        self.failures = failures
        self.runs: dict[str, Job] = {}
        self._first = first

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:  # noqa: ARG002
        """Nothing to set: the space is the search's."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next job as Tune's configuration."""
        if self._first is None and len(self.conductor.running) >= self.slots():
            return None
        job: Job | str = self._first or self.conductor.next()
        self._first = None
        if not isinstance(job, Job):
            return None if job == "not yet" else str(Searcher.FINISHED)
        self.runs[trial_id] = job
        store = self.conductor.store.root
        return {"errand": Errand(job=job, store=store, failures=self.failures, runtime=self.runtime)}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Pass an epoch on to whoever listens."""
        if "node" in result:
            self._say_epoch(self.runs[trial_id], result)

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Record how a run ended."""
        job = self.runs.pop(trial_id)
        end = None if result is None else end_of(result)
        if error:
            reason = "its worker process died, and again when it was tried anew; is there enough memory?"
            end = End(state="failed", reason=reason, cause="worker died")
        if end is None and result is not None and SELECTION in result:
            self._say_epoch(job, result)
            end = cut(result)
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

    def _say_epoch(self, job: Job, result: Mapping[str, Any]) -> None:
        metrics = {name.removeprefix("metrics/"): v for name, v in result.items() if name.startswith("metrics/")}
        event = Event(
            kind="epoch", run=job.run, job=job, node=result["node"], epoch=result["epoch"], metrics=metrics
        )
        self.conductor.listener(event)


def cut(result: Mapping[str, Any]) -> End:
    """The end of a trial that the scheduler stopped at this result."""
    return End(
        state="cut",
        values=(float(result[SELECTION]),),
        rung=int(result[RUNG]),
        reason=f"stopped at epoch {int(result[RUNG])}",
    )


@final
class Rungs(FIFOScheduler):  # type: ignore[misc]
    """Shows `inner` only results of searched stages, each under its run's name, so that it can be replayed.

    Prefixes, references and replicates are invisible to it, so they cannot be cut.
    """

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.seen: dict[str, Curve] = {}

    def judge(self, run: str, rung: int, value: float) -> Literal["STOP", "CONTINUE"]:
        """What the rule says to a run's value at a rung."""
        if run not in self.seen:
            self.seen[run] = Curve(run)
            self.inner.on_trial_add(None, self.seen[run])
        curve = self.seen[run]
        decision = self.inner.on_trial_result(None, curve, {RUNG: rung, SELECTION: value})
        return "STOP" if decision == TrialScheduler.STOP else "CONTINUE"

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Tune's question whether a trial goes on."""
        if SELECTION not in result:
            return str(TrialScheduler.CONTINUE)
        stop = self.judge(trial.config["errand"].job.run, result[RUNG], result[SELECTION])
        return str(TrialScheduler.STOP if stop == "STOP" else TrialScheduler.CONTINUE)


@final
class Curve:
    """What Ray's schedulers ask of a trial: an identity."""

    def __init__(self, run: str) -> None:
        self.trial_id = run
