"""An ablation as MLflow should show it: parent -> one run per row of the table -> one run per stage run and seed.

A stage run that several rows share is one run, and MLflow gives a run one parent. So shared ones hang under a run of
their own, "shared stages": what one finds under a row is what this row alone was trained for, and no row looks like the
owner of what others stand on too. The tag `variant` of a stage run names all its rows. What an edited study no longer
asks for hangs under "no longer asked for".

The store is the truth: a stage run that is stored is complete, whatever the ledger says of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, final

from medsearch.core.recipes import fingerprint
from medsearch.study.record.headers import AblationHeader, Candidate, Cell, Row
from medsearch.study.record.ledger import RunRecord, stage_name
from medsearch.tracking import search_runs
from medsearch.tracking.desired_runs import (
    KNOBS,
    NAME_LENGTH,
    DesiredRun,
    Point,
    code_tags,
    commit_tags,
    epochs,
    identity,
    last_heard,
    milliseconds,
    outcome,
    parent_notes,
    pictures,
    plain_name,
    plain_params,
    plain_tags,
    plain_text,
    scores,
)
from medsearch.tracking.reading import File, StudyFiles

ABLATION, SHARED_STAGES, DROPPED = "ablation", "shared", "dropped"
ROW_PREFIX = "row-"
LAST = 1000
"""The place of what is below every row."""
ROW, PLACE = "row", "place"
"""Tags of stage runs: the row of the table, with its column if there are several, and its place there, to order by."""


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

    def __str__(self) -> str:
        complete = f"{self.complete} of {self.complete + self.failed + self.waiting} complete"
        return f"{complete}, {self.failed} failed" if self.failed else complete


def parent_run(study: StudyFiles, *, live: bool, report: tuple[File, ...] = ()) -> DesiredRun:
    """The ablation itself. `live`: its driver is at work; `report`: the files of its table and page."""
    grid = _header(study)
    status = row_status(study, grid.cells, begun=True, unknown=sum(grid.unknown(row.label) for row in grid.rows))
    interrupted = any(state_of(study, record) == "running" for record in study.runs.values())
    return DesiredRun(
        run=ABLATION,
        name=study.title,
        started=_began(study),
        status="RUNNING" if live else "KILLED" if interrupted else "FINISHED",
        ended=None if live else max(_ended(study, record) for record in study.runs.values()),
        tags=identity(study, ABLATION) | plain_tags({"role": "ablation", "cells": str(status)}),
        once=parent_notes(study),
        files=report,
    )


def row_runs(study: StudyFiles, *, live: bool) -> Iterator[DesiredRun]:
    """The runs between the parent and the stage runs. Starts are a millisecond apart: newest first is table order."""
    grid = _header(study)
    by_row: dict[str, list[RunRecord]] = {}
    by_parent: dict[str, list[RunRecord]] = {}
    for record in study.runs.values():
        by_parent.setdefault(parent_of(grid, record), []).append(record)
        for label in grid.labels(record.stages[0][1]):
            by_row.setdefault(label, []).append(record)

    def group(
        run: str, name: str, place: int, status: RowStatus, records: Iterable[RunRecord], row: Row | None = None
    ) -> DesiredRun:
        """A run that others hang under; `records` are its stage runs, a row's with those that it shares."""
        word = status.status(live=live)
        params = plain_params({**study.fixed, **row.knobs}) if row else {}
        numbers = study.table.numbers(row.label) if row else {}
        tags = _row_tags(study, row, status) if row else {"role": "group", "runs": str(status)}
        last = max([_ended(study, record) for record in records], default=None)
        time = milliseconds(study.table.time)
        return DesiredRun(
            run=run,
            name=plain_text(name, NAME_LENGTH),
            started=_began(study) - place,
            status=word,
            ended=None if word in ("RUNNING", "SCHEDULED") else last,
            tags=identity(study, run) | tags | {KNOBS: fingerprint(params)},
            once=commit_tags(study.commit),
            params=params,
            summary=tuple(Point(plain_name(key), value, time, 0) for key, value in numbers.items()),
        )

    def gathered(run: str, name: str, place: int) -> Iterator[DesiredRun]:
        """The run that gathers stage runs and is no row, if there are any."""
        if records := by_parent.get(run):
            states = [state_of(study, record) for record in records]
            complete, failed = states.count("complete"), states.count("failed")
            yield group(run, name, place, RowStatus(complete, failed, len(states) - complete - failed, True), records)

    yield from gathered(SHARED_STAGES, "shared stages", 0)
    for place, row in enumerate(grid.rows, start=1):
        records, cells = by_row.get(row.label, []), [cell for cell in grid.cells if cell.row == row.label]
        status = row_status(study, cells, begun=bool(records), unknown=grid.unknown(row.label))
        yield group(row_run_name(row.label), row.label, place, status, records, row)
    yield from gathered(DROPPED, "no longer asked for", LAST)


def _row_tags(study: StudyFiles, row: Row, status: RowStatus) -> dict[str, str]:
    """How far a row has come, why cells of it failed, and what the report says of it."""
    reasons = [
        f"{cell.column}, seed {cell.seed}: {failed.reason or 'it failed'} ({failed.stages[0][0]})"
        for cell in _header(study).cells
        if cell.row == row.label and (failed := _first_failed(study, cell))
    ]
    own = {
        "role": row.kind,
        "variant": row.label,
        "against": row.against or None,
        "method": row.method or None,
        "cells": str(status),
        "state": "waiting" if status.waiting else "failed" if status.failed else "complete",
        "reason": _joined(reasons) or None,
    }
    return plain_tags(own | study.table.tags(row.label))


def ledger_run(study: StudyFiles, record: RunRecord, *, live: bool) -> DesiredRun:
    """One stage run of the ledger."""
    if record.role != "stage":
        return search_runs.ledger_run(study, record, live=live)
    grid, (node, key), state = _header(study), record.stages[0], state_of(study, record)
    status = {"complete": "FINISHED", "failed": "FAILED"}.get(state, "RUNNING" if live else "KILLED")
    params = plain_params(grid.knobs(key))
    series: dict[str, tuple[tuple[Point, ...], ...]] = {}
    if study.journals.get(key):
        series[node] = epochs(study, node, key)
    if finished := study.finished.get(key):
        scored = node in grid.scored
        series["scores" if scored else f"final/{node}"] = (scores(finished) if scored else outcome(node, finished),)
    # A stage that another study trained began before this one asked for it.
    heard = [line["time"] for line in study.journals.get(key, ())[:1]]
    files = tuple(pictures(study, record.stages))
    tags = identity(study, record.run) | _stage_tags(grid, record, state) | code_tags(study, record)
    return DesiredRun(
        run=record.run,
        name=_stage_run_name(grid, record),
        under=parent_of(grid, record),
        started=milliseconds(min([record.started, *heard])),
        status=status,
        ended=None if status == "RUNNING" else _ended(study, record),
        tags=tags | {KNOBS: fingerprint(params)},
        once={"mlflow.loggedImages": "true"} if files else {},
        params=params,
        series=series,
        files=files,
    )


def _stage_tags(grid: AblationHeader, record: RunRecord, state: str) -> dict[str, str]:
    """What a stage run is, and whose; its place is column by column, row by row."""
    node, key = record.stages[0]
    owners, labels = grid.owners.get(key, ()), grid.labels(key)
    asked = {owner.column for owner in owners}
    columns = [(at, column) for at, column in enumerate(grid.columns, start=1) if column.label in asked]
    rows = [(at, row) for at, row in enumerate(grid.rows, start=1) if row.label in labels]
    tried = [owner.number for owner in owners if isinstance(owner, Candidate)]
    tried = tried if len(tried) == len(owners) else []
    place = f"{min([at for at, _ in columns], default=0):02d}.{min([at for at, _ in rows], default=0):03d}"
    tags: dict[str, Any] = {
        "role": "candidate" if tried else "stage" if owners else "dropped stage",
        "variant": _joined(row.label for _, row in rows) or None,
        ROW: row_of(grid, key) or None,
        PLACE: place if owners else None,
        "task": _joined(column.label for _, column in columns) or None,
        "selection": _joined(column.selection for _, column in columns) or None,
        "cohort": _joined(column.cohort for _, column in columns) or None,
        "method": _joined(row.method for _, row in rows) or None,
        "candidate": _joined(map(str, tried)) or None,
        "seed": record.seed,
        "node": node,
        "stage": key,
        "state": state,
        "reason": record.reason if state == "failed" else None,
        "cause": record.cause if state == "failed" else None,
    }
    return plain_tags(tags)


def _stage_run_name(grid: AblationHeader, record: RunRecord) -> str:
    """The row first: it is what is read where charts cut names off."""
    node, key = record.stages[0]
    labels = grid.labels(key)
    row = "shared" if len(labels) > 1 else labels[0] if labels else record.label
    return plain_text(", ".join(filter(None, [row, _columns(grid, key), f"seed {record.seed}: {node}"])), NAME_LENGTH)


def row_of(grid: AblationHeader, key: str) -> str:
    """The rows of a stage run, and its columns where the table has several."""
    return " · ".join(filter(None, [_joined(grid.labels(key)), _columns(grid, key)]))


def _columns(grid: AblationHeader, key: str) -> str:
    return _joined(cell.column for cell in grid.owners.get(key, ())) if len(grid.columns) > 1 else ""


def _joined(names: Iterable[str]) -> str:
    """Names of rows or columns in one tag, each once."""
    return "; ".join(dict.fromkeys(names))


def row_run_name(label: str) -> str:
    """The name among the study's runs of a row's own run."""
    return f"{ROW_PREFIX}{fingerprint(label)[:12]}"


def is_group(run: str) -> bool:
    """Whether a run of an ablation, by its name, is one that others hang under: a row, or what gathers shared ones."""
    return run.startswith(ROW_PREFIX) or run in (SHARED_STAGES, DROPPED)


def parent_of(grid: AblationHeader, record: RunRecord) -> str:
    """The run that a stage run hangs under."""
    labels = grid.labels(record.stages[0][1])
    return SHARED_STAGES if len(labels) > 1 else row_run_name(labels[0]) if labels else DROPPED


def row_status(study: StudyFiles, cells: Iterable[Cell], *, begun: bool, unknown: int = 0) -> RowStatus:
    """Of a row's cells, of which `unknown` more wait for its re-tuning; a row without any cell waits.

    A cell is what its last stage is, unless a stage before it failed.
    """
    states = []
    for cell in cells:
        node, key = cell.stages[-1]
        last = study.runs.get(stage_name(node, key))
        complete = key in study.finished or (last is not None and last.state == "complete")
        states.append("complete" if complete else "failed" if _first_failed(study, cell) else "waiting")
    waiting = states.count("waiting") + unknown if states or unknown else 1
    return RowStatus(states.count("complete"), states.count("failed"), waiting, begun)


def _first_failed(study: StudyFiles, cell: Cell) -> RunRecord | None:
    records = (study.runs.get(stage_name(node, key)) for node, key in cell.stages)
    return next((record for record in records if record and state_of(study, record) == "failed"), None)


def state_of(study: StudyFiles, record: RunRecord) -> str:
    """A stage run's state; a search's run has that of the ledger."""
    return "complete" if record.stages and record.stages[0][1] in study.finished else record.state


def _began(study: StudyFiles) -> int:
    return milliseconds(min(record.started for record in study.runs.values()))


def _ended(study: StudyFiles, record: RunRecord) -> int:
    """When a stage run was stored, ended otherwise, or was last heard of (Unix milliseconds)."""
    finished = study.finished.get(record.stages[0][1]) if record.stages else None
    return milliseconds(finished.time) if finished else last_heard(study, record)


def _header(study: StudyFiles) -> AblationHeader:
    assert study.ablation is not None
    return study.ablation
