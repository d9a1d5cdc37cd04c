"""The driver of an ablation: hands out the stage runs of its graph, each once, as soon as what it takes is stored.

The longest chain of stage runs is begun first. A failed one holds back what takes it, and nothing else.
"""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from typing import final

from medsearch.core.errors import StudyFailed
from medsearch.stages.pipelines import stages_to_train
from medsearch.stages.store import Store
from medsearch.study.engine.ablation_header import describe
from medsearch.study.engine.driver import StudyDriver
from medsearch.study.engine.events import Listener, ignore_event
from medsearch.study.engine.graph import Graph, Grapher, Item
from medsearch.study.engine.jobs import Job, RunResult
from medsearch.study.record.ledger import FAILURES, Ledger, PlannedRun

LASTING = ("diverged",)
"""Causes for which a stage run that failed is not tried again when the study is run again; another machine may have the
memory, the file or the code that this one lacked."""


@final
@dataclass(frozen=True, kw_only=True)
class StageCounts:
    """How far an ablation has come, in distinct stage runs."""

    distinct: int
    stored: int
    failed: int


@final
class AblationDriver(StudyDriver):
    """Runs an ablation to its end. only: labels of the rows to run; empty: all. failed: why, by key."""

    def __init__(
        self,
        grapher: Grapher,
        *,
        store: Store,
        ledger: Ledger,
        only: Collection[str] = (),
        listener: Listener = ignore_event,
    ) -> None:
        super().__init__(store=store, ledger=ledger, listener=listener)
        self.grapher = grapher
        self.only = only
        self.failed = failed_for_good(ledger)
        self._take_stock()
        self._write_down()

    @property
    def counts(self) -> StageCounts:
        """How far it has come."""
        keys = self.graph.items.keys()
        return StageCounts(distinct=len(keys), stored=len(self._stored & keys), failed=len(self.failed.keys() & keys))

    def require_result(self) -> None:
        """Refuse an ablation of which no cell came to its end.

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

    def _next_job(self) -> Job | None:
        """The stage run on which most others wait, of those whose inputs are stored."""
        if self._changed:
            known = len(self.graph.cells)
            self._take_stock()
            if len(self.graph.cells) != known:
                self._write_down()
        return self._job(self.graph.items[heapq.heappop(self._ready)[-1]]) if self._ready else None

    def _requeue(self, job: Job) -> None:  # noqa: ARG002
        self._changed = True

    def _take_in(self, job: Job, end: RunResult) -> None:
        key = job.keys[0]
        if end.state != "complete":
            self.failed[key] = end.reason or "it failed"
        else:
            self._stored.add(key)
            for taker in self.graph.takers[key]:
                self._lacking[taker] -= 1
                self._offer(taker)
        self._changed = self._changed or key in self._tried

    def _take_stock(self) -> None:
        """Look anew at what there is to do: which cells are known by now, and what of them is stored.

        A stage whose outputs were pruned must be trained, if one that is left takes them.
        """
        self._changed = False
        graph = self.grapher.graph(self.store, self.failed)
        self.graph: Graph = graph.only(self.only) if self.only else graph
        self._tried = {run.key for candidate in self.graph.candidates for run in candidate.runs}
        self._stored = self.graph.items.keys() - stages_to_train(
            [item.run for item in self.graph.items.values()], self.store
        )
        under_way = {key for job in self.running.values() for key in job.keys}
        self._lacking = {
            key: sum(taken not in self._stored for taken in item.run.upstream.values())
            for key, item in self.graph.items.items()
        }
        self._ready: list[tuple[int, int, str]] = []
        for key in self.graph.items.keys() - under_way:
            self._offer(key)

    def _offer(self, key: str) -> None:
        """Let a stage run begin, if it may."""
        if not self._lacking[key] and key not in self._stored and key not in self.failed:
            heapq.heappush(self._ready, (-self.graph.heights[key], self.graph.environments[key], key))

    def _job(self, item: Item) -> Job:
        environment = self.grapher.environment(item.run.task)
        return Job(
            planned=_planned(item),
            prepared=environment.arrays(item.run.task),
            runs=(item.run,),
            cache=environment.cache,
        )

    def _write_down(self) -> None:
        """Say which cells there are before any of their stages begins, and which of those are stored.

        Stages that another study trained are complete here, too: the ledger shows every stage of the table.
        """
        if self.grapher.ablation.retune:
            describe(self.grapher, self.ledger, self.failed)
        known = {record.run: record.state for record in self.ledger.runs().values()}
        for key, item in self.graph.items.items():
            planned = _planned(item)
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
