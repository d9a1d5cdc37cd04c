"""How far the rows and stage runs of an ablation have come, as its ledger and the stage store say it.

The store is the truth: a stage run that is stored is complete, whatever the ledger says of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from medsearch.study.record.headers import Cell
from medsearch.study.record.ledger import RunRecord, stage_name
from medsearch.tracking.desired_runs import last_heard, milliseconds
from medsearch.tracking.reading import Study


@final
@dataclass(frozen=True)
class RowStatus:
    """How many cells (or stage runs) of a group ended how, and whether any has begun."""

    complete: int = 0
    failed: int = 0
    waiting: int = 0
    begun: bool = False

    def status(self, *, live: bool) -> str:
        """MLflow's word for it. What is unfinished with no driver at work was interrupted, or has not begun."""
        if not self.waiting:
            return "FAILED" if self.failed else "FINISHED"
        if not self.begun:
            return "SCHEDULED"
        return "RUNNING" if live else "KILLED"

    @property
    def state(self) -> str:
        """The word for the tag `state`."""
        return "waiting" if self.waiting else "failed" if self.failed else "complete"

    def __str__(self) -> str:
        parts = [f"{self.complete} of {self.complete + self.failed + self.waiting} complete"]
        parts += [f"{self.failed} failed"] if self.failed else []
        return ", ".join(parts)


def row_status(study: Study, cells: Iterable[Cell], *, begun: bool, unknown: int = 0) -> RowStatus:
    """Of a row's cells, of which `unknown` more wait for its re-tuning; a row without any cell waits."""
    states = [_cell_state(study, cell) for cell in cells]
    waiting = states.count("waiting") + unknown if states or unknown else 1
    return RowStatus(states.count("complete"), states.count("failed"), waiting, begun)


def stage_status(study: Study, records: Iterable[RunRecord]) -> RowStatus:
    """Of stage runs that hang together."""
    states = [state_of(study, record) for record in records]
    complete, failed = states.count("complete"), states.count("failed")
    return RowStatus(complete, failed, len(states) - complete - failed, bool(states))


def _cell_state(study: Study, cell: Cell) -> str:
    """A cell is what its last stage is, unless a stage before it failed."""
    node, key = cell.stages[-1]
    record = study.runs.get(stage_name(node, key))
    if key in study.finished or (record is not None and record.state == "complete"):
        return "complete"
    return "failed" if first_failed(study, cell) else "waiting"


def first_failed(study: Study, cell: Cell) -> RunRecord | None:
    """The first stage run of a cell that failed."""
    return next((record for record in _records(study, cell) if state_of(study, record) == "failed"), None)


def _records(study: Study, cell: Cell) -> list[RunRecord]:
    found = (study.runs.get(stage_name(node, key)) for node, key in cell.stages)
    return [record for record in found if record is not None]


def state_of(study: Study, record: RunRecord) -> str:
    """A stage run's state; a search's run has that of the ledger."""
    return "complete" if record.stages and record.stages[0][1] in study.finished else record.state


def began(study: Study) -> int:
    """When the study began (Unix milliseconds)."""
    return milliseconds(min(record.started for record in study.runs.values()))


def started(study: Study, record: RunRecord) -> int:
    """A stage that another study trained began before this one asked for it (Unix milliseconds)."""
    heard = [line["time"] for line in study.journals.get(record.stages[0][1], ())[:1]]
    return milliseconds(min([record.started, *heard]))


def ended(study: Study, record: RunRecord) -> int:
    """When a stage run was stored, ended otherwise, or was last heard of (Unix milliseconds)."""
    finished = study.finished.get(record.stages[0][1]) if record.stages else None
    return milliseconds(finished.time) if finished else last_heard(study, record)
