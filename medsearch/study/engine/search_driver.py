"""The driver of a search: a sampler proposes the knobs of a trial when there is room for one.

Each end is told to the sampler first and written to the ledger second; `_reconcile` repeats what a kill between the two
left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, final

from medsearch.core.errors import StudyFailed
from medsearch.study.declare.search import Search
from medsearch.study.engine.driver import Event, Listener, StudyDriver, ignore_event
from medsearch.study.engine.jobs import Job, RunResult, SearchJobs, ancestors, stored_end
from medsearch.study.engine.proposals import Proposals
from medsearch.study.engine.ranking import disallowed_trials, ranking
from medsearch.study.engine.run_order import (
    Extent,
    Progress,
    doomed,
    finalists,
    planned,
    prefix,
    searched,
    to_run,
    trial,
)
from medsearch.study.record.ledger import FAILURES, Ledger, PlannedRun, RunRecord, trial_name


@final
class SearchDriver(StudyDriver):
    """Runs a search to its end. unfinished: knobs of trials that are to go on, by number."""

    def __init__(
        self,
        jobs: SearchJobs,
        *,
        ledger: Ledger,
        proposals: Callable[[], Proposals],
        listener: Listener = ignore_event,
    ) -> None:
        super().__init__(store=jobs.environment.store, ledger=ledger, listener=listener)
        self.jobs = jobs
        self.extent = extent_of(jobs)
        self.unfinished: dict[int, Mapping[str, Any]] = {}
        self._open = proposals
        self._proposals: Proposals | None = None
        self._held: dict[PlannedRun, Job] = {}
        self._ended: dict[PlannedRun, RunResult] = {}
        self._knobs: dict[int, Mapping[str, Any]] = {}
        self._disallowed: tuple[int, frozenset[int]] = 0, frozenset()
        """For how many complete trials it was found, and which of them the freeze rule does not allow."""
        self.reopened: set[str] = set()
        """Runs whose recorded ends and curves are of stages that were, or are to be, trained anew."""
        self._recall()

    @property
    def search(self) -> Search:
        """The search as the study file declares it."""
        return self.jobs.search

    @property
    def proposals(self) -> Proposals:
        """The sampler's memory, opened when it is first needed; it may know of ends that the ledger has lost."""
        if self._proposals is None:
            self._proposals = self._open()
            ends = {run.number: end for run, end in self._ended.items() if run.role == "trial"}
            self._proposals.restore({number: (knobs, ends.get(number)) for number, knobs in self._knobs.items()})
            self._proposals.reopen({number for number in self.unfinished if trial_name(number) in self.reopened})
            self._reconcile(self._proposals)
        return self._proposals

    @property
    def progress(self) -> Progress:
        """What has happened; trials are ranked once all of them have ended."""
        progress = Progress(
            ended={run: end.state for run, end in self._ended.items()},
            running=frozenset(job.planned for job in self.running.values()),
        )
        if not searched(self.extent, progress):
            return progress
        values = {
            run.number: end.values
            for run, end in self._ended.items()
            if run.role == "trial" and run.number is not None and end.state == "complete"
        }
        if self._disallowed[0] != len(values):
            records = self.ledger.runs().values()
            self._disallowed = len(values), disallowed_trials(self.search, records, self.store)
        return replace(progress, ranking=ranking(self.search, values, self._knobs, last=self._disallowed[1]))

    @property
    def finalists(self) -> tuple[int, ...]:
        """The trials that are repeated over seeds, best first."""
        return finalists(self.extent, self.progress)

    def _next_job(self) -> Job | None:
        """The most urgent job that shares no unfinished stage with one under way."""
        progress = self.progress
        if doomed(self.extent, progress):
            reason = self._ended[prefix(self.extent.seeds[0])].reason
            msg = f"the stages that all trials share could not be trained: {reason}"
            raise StudyFailed(msg)
        runs = list(to_run(self.extent, progress))
        if self._proposals is None and any(run.role == "trial" for run in runs):
            _ = self.proposals  # opened: they may know of ends that the ledger has lost
            runs = list(to_run(self.extent, self.progress))
        busy = {key for job in self.running.values() for key in job.keys}
        proposed = any(run.role == "trial" for run in self._held)
        for run in runs:
            if run.role == "trial" and run not in self._held:
                if proposed:  # one that waits is enough: later proposals know more
                    continue
                proposed = True
            job = self._held.get(run) or self._job(run)
            self._held[run] = job
            if not any(key in busy and not self.store.has(key) for key in job.keys):
                return self._held.pop(run)
        return None

    def _job(self, run: PlannedRun) -> Job:
        knobs: Mapping[str, Any] = {}
        if run.role == "trial" and run.number is not None:
            knobs = self.unfinished.get(run.number) or self.proposals.propose(run.number)
            self._knobs[run.number] = knobs
        elif run.role == "replicate" and run.number is not None:
            knobs = self._knobs[run.number]
        elif run.role == "reference":
            knobs = next(row.knobs for row in self.search.resolved.references if row.label == run.label)
        return self.jobs.job(run.role, run.seed, knobs=knobs, number=run.number, label=run.label)

    def _is_stored(self, job: Job) -> bool:
        return all(self.store.has(key) for key in job.keys)

    def _requeue(self, job: Job) -> None:
        if job.planned.role == "trial" and job.planned.number is not None:
            self.unfinished[job.planned.number] = job.planned.knobs

    def _take_in(self, job: Job, end: RunResult) -> None:
        if job.planned.role == "trial" and job.planned.number is not None:
            self.unfinished.pop(job.planned.number, None)
            self.proposals.tell(job.planned.number, end)
        self._ended[job.planned] = end

    def require_result(self) -> None:
        """Refuse a search that ended without one complete trial.

        Raises:
            StudyFailed: no trial came to its end.

        """
        progress = self.progress
        if not searched(self.extent, progress) or progress.ranking:
            return
        reasons = [end.reason for run, end in self._ended.items() if run.role == "trial" and end.reason]
        why = f"; the last one: {reasons[-1]}" if reasons else ""
        msg = f"none of {self.extent.trials} trials came to its end{why}; see {self.ledger.folder / FAILURES}"
        raise StudyFailed(msg)

    def _recall(self) -> None:
        """Take over what earlier lives of the study wrote."""
        records = self.ledger.runs().values()
        self.reopened = {record.run for record in records if self._is_outdated(record)}
        for record in records:
            if record.role == "trial" and record.number is not None:
                self._knobs[record.number] = record.knobs
                if record.state == "running" or record.run in self.reopened:
                    self.unfinished[record.number] = record.knobs
            if record.state != "running" and self._counts(record):
                self._ended[planned(record)] = RunResult(
                    state=record.state,
                    values=record.values,
                    rung=record.rung,
                    reason=record.reason,
                    cause=record.cause,  # type: ignore[arg-type]
                )
        if self.unfinished:
            _ = self.proposals  # opened: they may know of ends that the ledger has lost
        for run, end in self._ended.items():
            knobs = self._knobs.get(run.number, {}) if run.number is not None else {}
            self.listener(Event(kind="resumed", run=run.run, planned=replace(run, knobs=knobs, stages=()), end=end))

    def _counts(self, record: RunRecord) -> bool:
        """Whether an end from an earlier life still stands; a failure other than divergence is given another chance."""
        if record.run in self.reopened:
            return False
        if record.role == "trial":
            return True
        if record.state == "failed" and record.cause != "diverged":
            return False
        if record.role == "reference" and record.label not in self.extent.references:
            return False
        if record.role == "replicate" and record.number not in self._knobs:
            return False
        return self._job(planned(record)).planned.stages == record.stages

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
        return self.jobs.job(record.role, record.seed, knobs=record.knobs, number=record.number, label=record.label)

    @cached_property
    def _renewed(self) -> frozenset[str]:
        """Stored stages that were trained anew, here or by another study."""
        summaries = self.store.summaries()
        return frozenset(key for key, manifest in summaries.items() if manifest.replaces is not None)

    def _reconcile(self, proposals: Proposals) -> None:
        """Bring the ledger up to what the sampler was told, and the sampler up to runs that were not done again."""
        for number in proposals.running() - self.unfinished.keys():
            if trial(self.extent, number) in self._ended:
                proposals.tell(number, self._ended[trial(self.extent, number)])
        for number, knobs, end in proposals.ended():
            run = trial(self.extent, number)
            self._knobs.setdefault(number, knobs)
            self.unfinished.pop(number, None)
            if run not in self._ended:
                job = self.jobs.job("trial", run.seed, knobs=self._knobs[number], number=number)
                self.ledger.started(job.planned)
                self._write_end(job.run, end)
            self._ended[run] = end


def extent_of(jobs: SearchJobs) -> Extent:
    """How many runs of each role the search has, as it is declared."""
    search = jobs.search
    whole = jobs.job("trial", search.resolved.seeds[0], knobs={}, number=0)
    return Extent(
        seeds=search.resolved.seeds,
        trials=search.resolved.trials,
        finalists=search.resolved.finalists,
        references=tuple(row.label for row in search.resolved.references),
        prefixed=bool(ancestors(whole.runs, search.searched_stage)),
    )
