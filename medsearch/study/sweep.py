"""The sweep: hands out the stage runs of an ablation, each once, as soon as what it takes is stored. Knows no Ray.

The store and the ledger are its only memory, so a new sweep goes on where another one was killed.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, final

from medsearch.stages.lineage import due
from medsearch.stages.store import Store
from medsearch.study.ablation_header import describe
from medsearch.study.conducting import Renewals, StudyFailed
from medsearch.study.events import Event, Listener, unheard
from medsearch.study.graph import Graph, Grapher, Item
from medsearch.study.jobs import End, Job
from medsearch.study.ledger import FAILURES, Ledger, PlannedRun

LASTING = ("diverged",)
"""Causes for which a stage run that failed is not tried again when the study is run again; another machine may have the
memory, the file or the code that this one lacked."""


@final
@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far a sweep has come, in distinct stage runs."""

    distinct: int
    stored: int
    failed: int


@final
class Sweep:
    """Runs one ablation to its end. `only`: labels of the rows to run; empty: all."""

    def __init__(
        self,
        grapher: Grapher,
        *,
        store: Store,
        ledger: Ledger,
        only: Collection[str] = (),
        listener: Listener = unheard,
    ) -> None:
        self.grapher = grapher
        self.store = store
        self.ledger = ledger
        self.listener = listener
        self.only = only
        self.running: dict[str, Job] = {}
        self.failed = failed_for_good(ledger)
        self._renewals = Renewals()
        self.graph = self._graph()
        self._stored = self._settled()
        self._write_down()

    @property
    def standing(self) -> Standing:
        """How far it has come."""
        keys = self.graph.items.keys()
        return Standing(distinct=len(keys), stored=len(self._stored & keys), failed=len(self.failed.keys() & keys))

    def next(self) -> Job | Literal["not yet", "finished"]:
        """The stage run on which most others wait, of those whose inputs are stored."""
        item = max(self._ready(), key=lambda item: self.graph.heights[item.run.key], default=None)
        if item is None:
            return "not yet" if self.running else "finished"
        job = self._job(item)
        self.running[job.run] = job
        self.ledger.started(job.planned)
        self.listener(Event(kind="started", run=job.run, planned=job.planned))
        return job

    def ended(self, run: str, end: End) -> None:
        """Record the end of a stage run; a failed one holds back what takes it, and nothing else.

        One that is handed out again has not ended.
        """
        job = self.running.pop(run)
        key = job.keys[0]
        if self._renewals.again(run, end):
            self._stored = self._settled()
            return
        self.ledger.finished(run, state=end.state, reason=end.reason, cause=end.cause)
        self.ledger.explain(run, end.trace)
        if end.state == "complete":
            self._stored.add(key)
        else:
            self.failed[key] = end.reason or "it failed"
        if self.grapher.ablation.retune:
            self._look_again()
        self.listener(Event(kind="ended", run=run, planned=job.planned, end=end))

    def require_result(self) -> None:
        """Refuse a sweep of which no cell came to its end.

        Raises:
            StudyFailed: none did.

        """
        ends = [cell.runs[-1].key for cell in self.graph.cells]
        if any(key in self._stored for key in ends) or not self.failed:
            return
        reason = next(reversed(self.failed.values()))
        where = self.ledger.folder / FAILURES
        msg = f"no cell of {self.grapher.ablation.name!r} came to its end; the last reason: {reason}; see {where}"
        raise StudyFailed(msg)

    def _graph(self) -> Graph:
        graph = self.grapher.graph(self.store, self.failed)
        return graph.only(self.only) if self.only else graph

    def _settled(self) -> set[str]:
        """What need not be trained; a stage whose outputs were pruned must be, if one that is left takes them."""
        return self.graph.items.keys() - due([item.run for item in self.graph.items.values()], self.store)

    def _ready(self) -> Iterator[Item]:
        busy = {key for job in self.running.values() for key in job.keys}
        for key, item in self.graph.items.items():
            if key in self._stored or key in busy or key in self.failed:
                continue
            if all(taken in self._stored for taken in item.run.upstream.values()):
                yield item

    def _job(self, item: Item) -> Job:
        place = self.grapher.place(item.run.task)
        return Job(planned=_planned(item), prepared=place.arrays(item.run.task), runs=(item.run,), cache=place.cache)

    def _look_again(self) -> None:
        """Take in the cells of rows whose candidates have all ended."""
        known, self.graph = self.graph, self._graph()
        self._stored = self._settled()
        if len(self.graph.cells) != len(known.cells):
            self._write_down()

    def _write_down(self) -> None:
        """Say which cells there are before any of their stages begins, and which of those are stored."""
        if self.grapher.ablation.retune:
            describe(self.grapher, self.ledger, self.failed)
        self._record_found()

    def _record_found(self) -> None:
        """Stages that another study trained are complete here, too: the ledger shows every stage of the table."""
        known = {record.run: record.state for record in self.ledger.runs().values()}
        for key in self.graph.items:
            planned = _planned(self.graph.items[key])
            if key in self._stored and known.get(planned.run) != "complete":
                self.ledger.started(planned)
                self.ledger.finished(planned.run, state="complete")


def failed_for_good(ledger: Ledger) -> dict[str, str]:
    """Why stage runs failed that are not tried again, by key."""
    failed = [record for record in ledger.runs().values() if record.state == "failed" and record.cause in LASTING]
    return {record.stages[0][1]: record.reason or "it failed" for record in failed}


def _planned(item: Item) -> PlannedRun:
    run = item.run
    return PlannedRun(role="stage", seed=run.seed, label=item.rows[0], stages=((run.node, run.key),))
