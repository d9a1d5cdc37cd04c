"""Between Ray Tune and the scheduler: it sees searched stages only, by run, and remembers earlier lives' curves.

Ray's ASHA and median rule judge what they are shown. Prefixes, references and replicates are not shown, so they cannot
be cut. What was recorded before a restart is shown again in the order in which it happened, so that a trial meets the
same rungs as if nothing had been interrupted.
"""

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from medsearch.stages.store import Store
from medsearch.study.declare.schedulers import RUNG, SELECTION, FullLength, Scheduler
from medsearch.study.declare.search import Search
from medsearch.study.engine.jobs import RunResult
from medsearch.study.record.ledger import RunRecord

RETRIES = 2
"""Of a run whose worker dies without having got further; a failure that Python sees is never repeated."""

Point = tuple[float, str, int, float]  # time, run, epoch, value


@final
class Rungs(FIFOScheduler):  # type: ignore[misc]
    """Tune's scheduler: asks `rule`, the search's own, about epochs of the searched stage.

    judged: runs that their recorded curve already condemns. errors: last words by run. tries: by run, how often its
    worker died since it last got further.
    """

    def __init__(self, rule: Scheduler, *, maximise: bool) -> None:
        super().__init__()
        self.rule = rule
        self.judged: dict[str, RunResult] = {}
        self.errors: dict[str, str] = {}
        self.tries: dict[str, int] = {}
        self._inner = rule.build("max" if maximise else "min")
        self._curves: dict[str, Curve] = {}
        self._furthest: dict[str, tuple[int, int]] = {}
        self._accidents: dict[str, int] = {}

    @property
    def cuts(self) -> bool:
        """Whether a run may be stopped: only then must its worker be told, in Tune's words by a checkpoint."""
        return not isinstance(self.rule, FullLength)

    def recall(self, points: Iterable[Point], *, open_runs: Iterable[str]) -> None:
        """Show the rule what earlier lives recorded; condemn open runs whose last point it would have stopped at."""
        open_runs = set(open_runs)
        for _, run, epoch, value in points:
            stopped = self.judge(run, epoch, value)
            self.judged.pop(run, None)
            if stopped and run in open_runs:
                self.judged[run] = self.cut(run, epoch, value)

    def judge(self, run: str, epoch: int, value: float) -> bool:
        """Whether the rule stops the run at this epoch."""
        if run not in self._curves:
            self._curves[run] = Curve(run)
            self._inner.on_trial_add(None, self._curves[run])
        decision = self._inner.on_trial_result(None, self._curves[run], {RUNG: epoch, SELECTION: value})
        return bool(decision == TrialScheduler.STOP)

    def cut(self, run: str, epoch: int, value: float) -> RunResult:  # noqa: ARG002
        """The end of a run that was stopped."""
        reason = f"stopped by {self.rule.name} at epoch {epoch} with {value:.4g}"
        return RunResult(state="cut", values=(value,), rung=epoch, reason=reason)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Tune's question whether a trial goes on."""
        if "node" in result:
            # A worker that got further than any before it died of something else than its run: Tune counts anew. What
            # kills a run at the same place each time is given up; a long run may well outlive many machines.
            job = trial.config["payload"].job
            place = [run.node for run in job.runs].index(str(result["node"])), int(result["epoch"])
            if place > self._furthest.get(job.run, (-1, 0)):
                self._furthest[job.run] = place
                trial.run_metadata.num_failures = 0
        if SELECTION not in result:
            return str(TrialScheduler.CONTINUE)
        stopped = self.judge(run_of(trial), int(result[RUNG]), float(result[SELECTION]))
        return str(TrialScheduler.STOP if stopped else TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:  # noqa: ARG002
        """A worker failed; Tune may try again."""
        run = run_of(trial)
        self.tries[run] = trial.run_metadata.num_failures
        file = Path(trial.error_file) if trial.error_file else None  # Tune itself would read it in another folder
        newest = re.split(r"^Failure # .*$", file.read_text(), flags=re.MULTILINE)[-1] if file and file.exists() else ""
        line = next(iter(newest.strip().splitlines()), "")
        if line or run not in self.errors:
            self.errors[run] = line or "no message"

    def takes_back(self, run: str) -> bool:
        """Count a run that Tune gave up; whether it had tries left, since its worker was dead before it got the run.

        A worker that is to be used again and lies on a dead machine fails twice with the same run, once as a worker and
        once as the run's, and the second time Tune gives up, whatever it was told. That this happens to a run again
        and again is no accident: it counts as tries.
        """
        counted = self.tries.pop(run, 0)
        self._accidents[run] = self._accidents.get(run, 0) + 1
        return counted <= RETRIES and self._accidents[run] <= RETRIES


@final
@dataclass(frozen=True)
class Curve:
    """What Ray's schedulers ask of a trial: an identity, here the run's name."""

    trial_id: str


def run_of(trial: Any) -> str:
    """The run's name in a trial of Tune's."""
    return str(trial.config["payload"].job.run)


def recorded(store: Store, search: Search, runs: Iterable[RunRecord]) -> Iterator[Point]:
    """The curves of all trials in the searched stage, in the order in which their epochs ended."""

    def curve(run: RunRecord) -> Iterator[Point]:
        key = dict(run.stages).get(search.searched_stage)
        for line in store.journal(key) if key else []:
            until = run.rung if run.rung is not None else line["epoch"]
            if search.metric in line["metrics"] and line["epoch"] <= until:
                yield line["time"], run.run, line["epoch"], line["metrics"][search.metric]

    return heapq.merge(*(curve(run) for run in runs if run.role == "trial"))
