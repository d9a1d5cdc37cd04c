"""The conductor: hands out jobs as the agenda wants them, and writes down how they end. Knows nothing of Ray.

The ledger, the stage store and the sampler's storage are its only memory, so a new conductor goes on where another one
was killed. Each end is told to the sampler first and written to the ledger second; `_reconcile` repeats what a kill
between the two left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, final

from medsearch.stages.store import Store
from medsearch.study.agenda import Plan, Progress, Slot, doomed, finalists, finished, prefix, searched, wanted
from medsearch.study.conducting import Renewals, StudyFailed
from medsearch.study.events import Event, Listener, unheard
from medsearch.study.jobs import End, Job, Planner, ancestors, stored_end
from medsearch.study.ledger import FAILURES, Ledger, PlannedRun, RunRecord, trial_name
from medsearch.study.proposals import Proposals
from medsearch.study.ranking import ranking
from medsearch.study.rules import barred
from medsearch.study.search import Search


@final
class Conductor:
    """Runs one search to its end, one job at a time per caller."""

    def __init__(
        self,
        planner: Planner,
        *,
        ledger: Ledger,
        proposals: Callable[[], Proposals],
        listener: Listener = unheard,
    ) -> None:
        self.planner = planner
        self.ledger = ledger
        self.plan = plan_of(planner)
        self.listener = listener
        self.running: dict[str, Job] = {}
        self.unfinished: dict[int, Mapping[str, Any]] = {}
        self._renewals = Renewals()
        self._open = proposals
        self._proposals: Proposals | None = None
        self._held: dict[Slot, Job] = {}
        self._ended: dict[Slot, End] = {}
        self._knobs: dict[int, Mapping[str, Any]] = {}
        self._bars: tuple[int, frozenset[int]] = 0, frozenset()
        self.reopened: set[str] = set()
        """Runs whose recorded ends and curves are of stages that were, or are to be, trained anew."""
        self._recall()

    @property
    def search(self) -> Search:
        """The search."""
        return self.planner.search

    @property
    def store(self) -> Store:
        """The stage store."""
        return self.planner.place.store

    @property
    def proposals(self) -> Proposals:
        """The sampler's memory, opened when it is first needed."""
        return self._proposals or self._open_proposals()

    def _open_proposals(self) -> Proposals:
        self._proposals = self._open()
        ends = {slot.number: end for slot, end in self._ended.items() if slot.role == "trial"}
        self._proposals.restore({number: (knobs, ends.get(number)) for number, knobs in self._knobs.items()})
        self._proposals.reopen({number for number in self.unfinished if trial_name(number) in self.reopened})
        self._reconcile(self._proposals)
        return self._proposals

    @property
    def progress(self) -> Progress:
        """What has happened."""
        values = self._values()
        progress = Progress(
            ended={slot: end.state for slot, end in self._ended.items()},
            running=frozenset(slot_of(job) for job in self.running.values()),
        )
        last = self._barred(len(values)) if searched(self.plan, progress) else frozenset[int]()
        return replace(progress, ranking=ranking(self.search, values, self._knobs, last=last))

    @property
    def finalists(self) -> tuple[int, ...]:
        """The trials that are repeated over seeds, best first."""
        return finalists(self.plan, self.progress)

    def next(self) -> Job | Literal["not yet", "finished"]:
        """The next job; runs whose stages are all stored end here and now.

        Raises:
            StudyFailed: what all trials stand on could not be trained.

        """
        while True:
            progress = self.progress
            self._require_hope(progress)
            if self._proposals is None and any(slot.role == "trial" for slot in wanted(self.plan, progress)):
                self._open_proposals()  # they may know of ends that the ledger has lost
                continue
            job = self._first_free(progress)
            if job is None:
                return "finished" if finished(self.plan, progress) else "not yet"
            self._begin(job)
            if not all(self.store.has(key) for key in job.keys):
                return job
            self.ended(job.run, stored_end(job, self.store))

    def ended(self, run: str, end: End) -> None:
        """Record the end of a run that was handed out; one that is handed out again has not ended."""
        job = self.running.pop(run)
        number = job.planned.number if job.planned.role == "trial" else None
        if self._renewals.again(run, end):
            if number is not None:
                self.unfinished[number] = job.planned.knobs
            return
        if number is not None:
            self.unfinished.pop(number, None)
            self.proposals.tell(number, end)
        self._write_end(run, end)
        self.ledger.explain(run, end.trace)
        self._ended[slot_of(job)] = end
        self.listener(Event(kind="ended", run=run, planned=job.planned, end=end))

    def require_result(self) -> None:
        """Refuse a search that ended without one complete trial.

        Raises:
            StudyFailed: no trial came to its end.

        """
        if not searched(self.plan, self.progress) or self.progress.ranking:
            return
        reasons = [end.reason for slot, end in self._ended.items() if slot.role == "trial" and end.reason]
        why = f"; the last one: {reasons[-1]}" if reasons else ""
        msg = f"none of {self.plan.trials} trials came to its end{why}; see {self.ledger.folder / FAILURES}"
        raise StudyFailed(msg)

    def _first_free(self, progress: Progress) -> Job | None:
        """The most urgent job that shares no unfinished stage with one under way."""
        busy = {key for job in self.running.values() for key in job.keys}
        proposed = any(slot.role == "trial" for slot in self._held)
        for slot in wanted(self.plan, progress):
            if slot.role == "trial" and slot not in self._held:
                if proposed:  # one that waits is enough: later proposals know more
                    continue
                proposed = True
            job = self._held.get(slot) or self._job(slot)
            self._held[slot] = job
            if not any(key in busy and not self.store.has(key) for key in job.keys):
                return job
        return None

    def _job(self, slot: Slot) -> Job:
        knobs: Mapping[str, Any] = {}
        if slot.role == "trial" and slot.number is not None:
            knobs = self.unfinished.get(slot.number) or self.proposals.propose(slot.number)
            self._knobs[slot.number] = knobs
        elif slot.role == "replicate" and slot.number is not None:
            knobs = self._knobs[slot.number]
        elif slot.role == "reference":
            knobs = next(row.knobs for row in self.search.settled.references if row.label == slot.label)
        return self.planner.job(slot.role, slot.seed, knobs=knobs, number=slot.number, label=slot.label)

    def _begin(self, job: Job) -> None:
        del self._held[slot_of(job)]
        self.running[job.run] = job
        self.ledger.started(job.planned)
        self.listener(Event(kind="started", run=job.run, planned=job.planned))

    def _write_end(self, run: str, end: End) -> None:
        self.ledger.finished(run, state=end.state, values=end.values, rung=end.rung, reason=end.reason, cause=end.cause)

    def _barred(self, complete: int) -> frozenset[int]:
        """Trials that the freeze rule does not allow; their metrics are read once for so many complete trials."""
        if self._bars[0] != complete:
            self._bars = complete, barred(self.search, self.ledger.runs().values(), self.store)
        return self._bars[1]

    def _values(self) -> dict[int, tuple[float, ...]]:
        return {
            slot.number: end.values
            for slot, end in self._ended.items()
            if slot.role == "trial" and slot.number is not None and end.state == "complete"
        }

    def _require_hope(self, progress: Progress) -> None:
        if doomed(self.plan, progress):
            reason = self._ended[prefix(self.plan.seeds[0])].reason
            msg = f"the stages that all trials share could not be trained: {reason}"
            raise StudyFailed(msg)

    def _recall(self) -> None:
        """Take over what earlier lives of the study wrote."""
        records = self.ledger.runs()
        self.reopened = {record.run for record in records.values() if self._is_outdated(record)}
        for record in records.values():
            slot = slot_of_record(record)
            if record.role == "trial" and record.number is not None:
                self._knobs[record.number] = record.knobs
                if record.state == "running" or record.run in self.reopened:
                    self.unfinished[record.number] = record.knobs
            if record.state != "running" and self._counts(record):
                self._ended[slot] = _end(record)
        if self.unfinished:
            self._open_proposals()
        for slot, end in self._ended.items():
            knobs = self._knobs.get(slot.number, {}) if slot.number is not None else {}
            planned = PlannedRun(role=slot.role, seed=slot.seed, number=slot.number, label=slot.label, knobs=knobs)
            self.listener(Event(kind="resumed", run=planned.run, planned=planned, end=end))

    def _counts(self, record: RunRecord) -> bool:
        """Whether an end from an earlier life still stands; a failure other than divergence is given another chance."""
        if record.run in self.reopened:
            return False
        if record.role == "trial":
            return True
        if record.state == "failed" and record.cause != "diverged":
            return False
        if record.role == "reference" and record.label not in self.plan.references:
            return False
        if record.role == "replicate" and record.number not in self._knobs:
            return False
        slot = slot_of_record(record)
        return self._job(slot).planned.stages == record.stages

    def _is_outdated(self, record: RunRecord) -> bool:
        """Whether a run of the ledger is to be done again, because of stages that are trained anew, or have been."""
        if record.state == "complete" and not all(self.store.has(key) for _, key in record.stages):
            return True
        if self.store.outdated is not None and any(not self.store.has(key) for _, key in record.stages):
            codes = {run.key: run.code.digest if run.code else None for run in self._recorded_job(record).runs}
            if any(self.store.is_outdated(key, codes.get(key)) for _, key in record.stages):
                return True
        if record.state != "complete" or self._renewed.isdisjoint(key for _, key in record.stages):
            return False
        return stored_end(self._recorded_job(record), self.store).values != record.values

    def _recorded_job(self, record: RunRecord) -> Job:
        return self.planner.job(record.role, record.seed, knobs=record.knobs, number=record.number, label=record.label)

    @cached_property
    def _renewed(self) -> frozenset[str]:
        """Stored stages that were trained anew, here or by another study."""
        return frozenset(key for key, of in self.store.summaries().items() if "replaces" in of)

    def _reconcile(self, proposals: Proposals) -> None:
        """Bring the ledger up to what the sampler was told, and the sampler up to runs that were not done again."""
        for number in proposals.running() - self.unfinished.keys():
            if (end := self._ended.get(Slot(role="trial", seed=self.plan.seeds[0], number=number))) is not None:
                proposals.tell(number, end)
        for number, knobs, end in proposals.ended():
            slot = Slot(role="trial", seed=self.plan.seeds[0], number=number)
            known = self._ended.get(slot)
            self._knobs.setdefault(number, knobs)
            self.unfinished.pop(number, None)
            if known is None:
                job = self.planner.job("trial", slot.seed, knobs=self._knobs[number], number=number)
                self.ledger.started(job.planned)
                self._write_end(job.run, end)
            self._ended[slot] = end


def plan_of(planner: Planner) -> Plan:
    """How much of what the search wants."""
    search = planner.search
    whole = planner.job("trial", search.settled.seeds[0], knobs={}, number=0)
    return Plan(
        seeds=search.settled.seeds,
        trials=search.settled.trials,
        finalists=search.settled.finalists,
        references=tuple(row.label for row in search.settled.references),
        prefixed=bool(ancestors(whole.runs, search.searched_stage)),
    )


def slot_of(job: Job) -> Slot:
    """The agenda's name of a job."""
    planned = job.planned
    return Slot(role=planned.role, seed=planned.seed, number=planned.number, label=planned.label)


def slot_of_record(record: RunRecord) -> Slot:
    """The agenda's name of a run in the ledger."""
    return Slot(role=record.role, seed=record.seed, number=record.number, label=record.label)


def _end(record: RunRecord) -> End:
    state = "complete" if record.state == "running" else record.state
    return End(state=state, values=record.values, rung=record.rung, reason=record.reason, cause=record.cause)  # type: ignore[arg-type]
