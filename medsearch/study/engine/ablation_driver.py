"""The driver of an ablation: hands out the stage runs of its graph, each once, as soon as what it takes is stored.

The longest chain of stage runs is begun first. A failed one holds back what takes it, and nothing else. Every end costs
a time that does not grow with the ablation, but for one that completes the candidates of a row: its cells are then
known, and the graph is made anew.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import final

from medsearch.core.errors import StudyFailed
from medsearch.stages.pipelines import stages_to_train
from medsearch.stages.store import Store
from medsearch.study.engine.ablation_header import describe
from medsearch.study.engine.driver import Listener, StudyDriver, ignore_event
from medsearch.study.engine.graph import CellRuns, Graph, Grapher, Item, has_ended
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
        """How far the ablation has come, of the rows that are run."""
        keys = self.graph.items.keys()
        return StageCounts(distinct=len(keys), stored=len(self._stored & keys), failed=len(self.failed.keys() & keys))

    def require_result(self) -> None:
        """Refuse an ablation of which no cell came to its end.

        Raises:
            StudyFailed: none did.

        """
        if not self.failed or any(cell.runs[-1].key in self._stored for cell in self.graph.cells):
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
        if not self._ready:
            return None
        item = self.graph.items[heapq.heappop(self._ready)[-1]]
        environment = self.grapher.environment(item.run.task)
        arrays = environment.arrays(item.run.task)
        return Job(planned=planned_run(item), prepared=arrays, runs=(item.run,), cache=environment.cache)

    def _requeue(self, job: Job) -> None:  # noqa: ARG002
        self._changed = True

    def _take_in(self, job: Job, end: RunResult) -> None:
        key = job.keys[0]
        if end.state != "complete":
            self.failed[key] = end.reason or "it failed"
        else:
            self._stored.add(key)
            for taker in self._takers[key]:
                self._lacking[taker] -= 1
                self._offer(taker)
        for row, column in self._candidates_taking.get(key, ()):
            group = self._candidates[row, column]
            self._changed |= all(has_ended(candidate, self.store, self.failed) for candidate in group)

    def _take_stock(self) -> None:
        """Look anew at what there is to do: which cells are known by now, and what of them is stored.

        A stage whose outputs were pruned must be trained, if one that is left takes them.
        """
        self._changed = False
        graph = self.grapher.graph(self.store, self.failed)
        self.graph: Graph = graph.only(self.only) if self.only else graph
        items = self.graph.items
        self._candidates: dict[tuple[str, str], list[CellRuns]] = defaultdict(list)
        self._candidates_taking: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for candidate in self.graph.candidates:
            place = candidate.row, candidate.column
            self._candidates[place].append(candidate)
            for run in candidate.runs:
                self._candidates_taking[run.key].add(place)
        self._stored = items.keys() - stages_to_train([item.run for item in items.values()], self.store)
        self._takers: dict[str, list[str]] = {key: [] for key in items}
        self._lacking: dict[str, int] = {}  # inputs that are not stored, by key
        for key, item in items.items():
            self._lacking[key] = sum(taken not in self._stored for taken in item.run.upstream.values())
            for taken in item.run.upstream.values():
                self._takers[taken].append(key)
        chain = dict.fromkeys(items, 0)  # how many stage runs wait for each, one after the other
        for key in reversed(items):
            chain[key] = max((chain[taker] + 1 for taker in self._takers[key]), default=0)
        self._priority = {key: (-chain[key], position) for position, key in enumerate(items)}
        self._ready: list[tuple[tuple[int, int], str]] = []
        under_way = {key for job in self.running.values() for key in job.keys}
        for key in items.keys() - under_way:
            self._offer(key)

    def _offer(self, key: str) -> None:
        """Let a stage run begin, if it may."""
        if not self._lacking[key] and key not in self._stored and key not in self.failed:
            heapq.heappush(self._ready, (self._priority[key], key))

    def _write_down(self) -> None:
        """Say which cells there are before any of their stages begins, and which of those are stored.

        Stages that another study trained are complete here, too: the ledger shows every stage of the table.
        """
        if self.grapher.ablation.retune:
            describe(self.grapher, self.ledger, self.failed)
        complete = {record.run for record in self.ledger.runs().values() if record.state == "complete"}
        for key, item in self.graph.items.items():
            planned = planned_run(item)
            if key in self._stored and planned.run not in complete:
                self.ledger.started(planned)
                self.ledger.finished(planned.run, state="complete")


def failed_for_good(ledger: Ledger) -> dict[str, str]:
    """Why stage runs failed that are not tried again, by key."""
    failed = [record for record in ledger.runs().values() if record.state == "failed" and record.cause in LASTING]
    return {record.stages[0][1]: record.reason or "it failed" for record in failed}


def planned_run(item: Item) -> PlannedRun:
    """A stage run as the ledger names it, under the first row that asks for it."""
    run = item.run
    return PlannedRun(role="stage", seed=run.seed, label=item.row, stages=((run.node, run.key),))
