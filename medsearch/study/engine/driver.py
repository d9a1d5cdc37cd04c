"""The driver of a study: hands out its runs as jobs, and writes down how they end. Knows no Ray.

    SearchDriver       runs that a sampler proposes as others end        (search_driver)
    AblationDriver     stage runs of a graph that is known beforehand    (ablation_driver)

The ledger, the stage store and a sampler's storage are its only memory, so a new driver goes on where another one was
killed. Whatever runs the jobs, Ray or a test, asks `next` and tells `ended`.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from medsearch.stages.store import Store
from medsearch.study.engine.jobs import Job, RunResult, stored_end
from medsearch.study.record.ledger import Ledger, PlannedRun

RENEWALS = 3
"""Times that a run is handed out again because what it takes was damaged: a disk may damage all it gets."""


@final
@dataclass(frozen=True, kw_only=True)
class Event:
    """What a running study says of a run to whoever listens: the terminal, a test.

    kind: "resumed", it ended when the study was run before; "started", "epoch" or "ended" now; "retried", its worker
    died and it goes on from its checkpoint. end: how it ended, of "resumed" and "ended". node, epoch, metrics: of
    "epoch", the node of the stage that is trained, its epoch from 1, and its metrics by name.
    """

    kind: Literal["resumed", "started", "epoch", "ended", "retried"]
    run: str = ""
    planned: PlannedRun | None = None
    end: RunResult | None = None
    node: str = ""
    epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


Listener = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """The listener of a study that nobody watches."""


class StudyDriver(ABC):
    """Runs a study to its end, as many jobs at a time as its caller likes. running: those under way, by run."""

    def __init__(self, *, store: Store, ledger: Ledger, listener: Listener = ignore_event) -> None:
        self.store = store
        self.ledger = ledger
        self.listener = listener
        self.running: dict[str, Job] = {}
        self._renewals = Counter[str]()

    def next(self) -> Job | Literal["not yet", "finished"]:
        """The next job; "not yet" while all that is left waits for jobs under way. What is stored ends here and now.

        Raises:
            StudyFailed: what is left cannot be done.

        """
        while (job := self._next_job()) is not None:
            self.running[job.run] = job
            self.ledger.started(job.planned)
            self.listener(Event(kind="started", run=job.run, planned=job.planned))
            if not self._is_stored(job):
                return job
            self.ended(job.run, stored_end(job, self.store))
        return "not yet" if self.running else "finished"

    def ended(self, run: str, end: RunResult) -> None:
        """Write down how a job ended; one whose damaged files are made anew is handed out again and has not ended."""
        job = self.running.pop(run)
        if end.cause == "damaged" and self._renewals[run] < RENEWALS:
            self._renewals[run] += 1
            self._requeue(job)
            return
        self._take_in(job, end)
        self._write_end(run, end)
        self.ledger.explain(run, end.trace)
        self.listener(Event(kind="ended", run=run, planned=job.planned, end=end))

    def _write_end(self, run: str, end: RunResult) -> None:
        self.ledger.finished(run, state=end.state, values=end.values, rung=end.rung, reason=end.reason, cause=end.cause)

    def _is_stored(self, job: Job) -> bool:  # noqa: ARG002
        """Whether a job that may begin has nothing to do."""
        return False

    @abstractmethod
    def require_result(self) -> None:
        """Refuse a study that ended without anything to report.

        Raises:
            StudyFailed: it did.

        """

    @abstractmethod
    def _next_job(self) -> Job | None:
        """The most urgent job that may begin now."""

    @abstractmethod
    def _requeue(self, job: Job) -> None:
        """Take back a job that came back unfinished, so that `_next_job` hands it out again."""

    @abstractmethod
    def _take_in(self, job: Job, end: RunResult) -> None:
        """A job has ended; nothing is written down yet."""
