"""An ablation as MLflow should show it: parent -> one run per row of the table -> one run per stage run and seed.

A stage run that several rows share is one run, and MLflow gives a run one parent. So shared ones hang under a run of
their own, "shared stages": what one finds under a row is what this row alone was trained for, and no row looks like the
owner of what others stand on too. The tag `variant` of a stage run names all its rows. What an edited study no longer
asks for hangs under "no longer asked for".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, final

from medsearch.core.recipes import fingerprint
from medsearch.study.ledger import RunRecord
from medsearch.study.tracking.grid import Grid, Row
from medsearch.study.tracking.reading import File, Study
from medsearch.study.tracking.series import epochs, outcome, pictures, scores
from medsearch.study.tracking.standing import (
    Standing,
    began,
    ended,
    first_failed,
    standing_of_cells,
    standing_of_runs,
    started,
    state_of,
)
from medsearch.study.tracking.summary import Table
from medsearch.study.tracking.wanted import (
    KNOBS,
    NAME_LENGTH,
    Point,
    Series,
    WantedRun,
    identity,
    milliseconds,
    note,
    once,
    plain_name,
    plain_params,
    plain_tags,
    plain_text,
)

ABLATION, SHARED_STAGES, DROPPED = "ablation", "shared", "dropped"
ROW, PLACE = "row", "place"
"""Tags of stage runs: the row of the table, with its column if there are several, and its place there, to order by."""
LAST = 1000
"""The place of what is below every row."""
BETWEEN = "; "
"""Between the names of rows or columns in one tag."""


def wanted_ablation(study: Study, grid: Grid, *, live: bool, report: tuple[File, ...] = ()) -> WantedRun:
    """The ablation itself. `live`: its driver is at work; `report`: the files of its table and page."""
    standing = standing_of_cells(study, grid.cells, begun=True)
    interrupted = any(state_of(study, record) == "running" for record in study.runs.values())
    return WantedRun(
        run=ABLATION,
        name=study.title,
        started=began(study),
        status="RUNNING" if live else "KILLED" if interrupted else "FINISHED",
        ended=None if live else max(ended(study, record) for record in study.runs.values()),
        tags=identity(study, ABLATION) | plain_tags({"role": "ablation", "cells": str(standing)}),
        once=once(study) | note(study),
        files=report,
    )


def wanted_rows(study: Study, grid: Grid, *, live: bool) -> Iterator[WantedRun]:
    """The runs between the parent and the stage runs. Starts are a millisecond apart: newest first is table order."""
    for group in _groups(study, grid):
        status = group.standing.status(live=live)
        params = _row_params(study, group.row)
        last = max([ended(study, record) for record in group.records], default=None)
        yield WantedRun(
            run=group.run,
            name=plain_text(group.name, NAME_LENGTH),
            started=began(study) - group.place,
            status=status,
            ended=None if status in ("RUNNING", "SCHEDULED") else last,
            tags=identity(study, group.run) | _group_tags(study, grid, group) | {KNOBS: fingerprint(params)},
            once=once(study),
            params=params,
            summary=_summary(study.table, group.row),
        )


@final
@dataclass(frozen=True)
class _Group:
    """A run that others hang under; `records` are its stage runs, a row's with those that it shares."""

    run: str
    name: str
    place: int
    standing: Standing
    records: tuple[RunRecord, ...]
    row: Row | None = None


def _groups(study: Study, grid: Grid) -> Iterator[_Group]:
    owned: dict[str, list[RunRecord]] = {}
    below: dict[str, list[RunRecord]] = {}
    for record in study.runs.values():
        below.setdefault(parent_of(grid, record), []).append(record)
        for label in grid.labels(record.stages[0][1]):
            owned.setdefault(label, []).append(record)
    if records := below.get(SHARED_STAGES):
        yield _Group(SHARED_STAGES, "shared stages", 0, standing_of_runs(study, records), tuple(records))
    for place, row in enumerate(grid.rows, start=1):
        own, cells = tuple(owned.get(row.label, ())), [cell for cell in grid.cells if cell.row == row.label]
        standing = standing_of_cells(study, cells, begun=bool(own))
        yield _Group(row_run(row.label), row.label, place, standing, own, row)
    if records := below.get(DROPPED):
        yield _Group(DROPPED, "no longer asked for", LAST, standing_of_runs(study, records), tuple(records))


def wanted_stage(study: Study, grid: Grid, record: RunRecord, *, live: bool) -> WantedRun:
    """One stage run of the ledger. The store is the truth: one that is stored is complete, whatever the ledger says."""
    node, key = record.stages[0]
    state = state_of(study, record)
    closed = {"complete": "FINISHED", "failed": "FAILED"}
    status = closed.get(state, "RUNNING" if live else "KILLED")
    params = plain_params(grid.knobs(key))
    files = tuple(pictures(study, record.stages))
    return WantedRun(
        run=record.run,
        name=_name(grid, record),
        under=parent_of(grid, record),
        started=started(study, record),
        status=status,
        ended=None if status == "RUNNING" else ended(study, record),
        tags=identity(study, record.run) | _stage_tags(grid, record, state) | {KNOBS: fingerprint(params)},
        once=once(study) | ({"mlflow.loggedImages": "true"} if files else {}),
        params=params,
        series=_series(study, grid, node, key),
        files=files,
    )


def row_run(label: str) -> str:
    """The name among the study's runs of a row's own run."""
    return f"row-{fingerprint(label)[:12]}"


def parent_of(grid: Grid, record: RunRecord) -> str:
    """The run that a stage run hangs under."""
    labels = grid.labels(record.stages[0][1])
    return SHARED_STAGES if len(labels) > 1 else row_run(labels[0]) if labels else DROPPED


def row_of(grid: Grid, key: str) -> str:
    """The rows of a stage run, and its columns where the table has several."""
    tasks = _joined(cell.task for cell in grid.owners.get(key, ())) if len(grid.columns) > 1 else ""
    return " · ".join(filter(None, [_joined(grid.labels(key)), tasks]))


def _place(grid: Grid, key: str) -> str:
    """Column by column, row by row."""
    owning = grid.owners.get(key, ())
    columns = [at for at, column in enumerate(grid.columns, start=1) if column.label in {cell.task for cell in owning}]
    rows = [at for at, row in enumerate(grid.rows, start=1) if row.label in grid.labels(key)]
    return f"{min(columns, default=0):02d}.{min(rows, default=0):03d}"


def _name(grid: Grid, record: RunRecord) -> str:
    """The row first: it is what is read where charts cut names off."""
    node, key = record.stages[0]
    labels = grid.labels(key)
    row = "shared" if len(labels) > 1 else labels[0] if labels else record.label
    task = _joined(cell.task for cell in grid.owners.get(key, ())) if len(grid.columns) > 1 else ""
    return plain_text(", ".join(filter(None, [row, task, f"seed {record.seed}: {node}"])), NAME_LENGTH)


def _series(study: Study, grid: Grid, node: str, key: str) -> Series:
    found: dict[str, Any] = {node: epochs(study, node, key)} if study.journals.get(key) else {}
    if finished := study.finished.get(key):
        scored = node in grid.scored
        found["scores" if scored else f"final/{node}"] = (scores(finished) if scored else outcome(node, finished),)
    return found


def _stage_tags(grid: Grid, record: RunRecord, state: str) -> dict[str, str]:
    node, key = record.stages[0]
    owning = grid.owners.get(key, ())
    columns = [column for column in grid.columns if column.label in {cell.task for cell in owning}]
    rows = [row for row in grid.rows if row.label in grid.labels(key)]
    tried = owning and all(cell.number is not None for cell in owning)
    return plain_tags(
        {
            "role": "candidate" if tried else "stage" if owning else "dropped stage",
            "variant": _joined(row.label for row in rows) or None,
            ROW: row_of(grid, key) or None,
            PLACE: _place(grid, key) if owning else None,
            "task": _joined(column.label for column in columns) or None,
            "selection": _joined(column.selection for column in columns) or None,
            "cohort": _joined(column.cohort for column in columns) or None,
            "method": _joined(row.method for row in rows) or None,
            "candidate": _joined(str(cell.number) for cell in owning) if tried else None,
            "seed": record.seed,
            "node": node,
            "stage": key,
            "state": state,
            "reason": record.reason if state == "failed" else None,
            "cause": record.cause if state == "failed" else None,
        }
    )


def _group_tags(study: Study, grid: Grid, group: _Group) -> dict[str, str]:
    row, standing = group.row, group.standing
    if row is None:
        return {"role": "group", "runs": str(standing)}
    return plain_tags(
        {
            "role": row.kind,
            "variant": row.label,
            "against": row.against or None,
            "method": row.method or None,
            "cells": str(standing),
            "state": standing.state,
            "reason": _joined(_reasons(study, grid, row.label)) or None,
        }
        | study.table.tags(row.label)
    )


def _row_params(study: Study, row: Row | None) -> dict[str, str]:
    return plain_params({**study.header.get("fixed", {}), **row.knobs}) if row else {}


def _summary(table: Table, row: Row | None) -> tuple[Point, ...]:
    found = table.numbers(row.label) if row else {}
    return tuple(Point(plain_name(name), value, milliseconds(table.time), 0) for name, value in found.items())


def _reasons(study: Study, grid: Grid, label: str) -> Iterator[str]:
    """Why cells failed: by column and seed, the reason of the first stage run that did."""
    for cell in grid.cells:
        if cell.row == label and (record := first_failed(study, cell)):
            yield f"{cell.task}, seed {cell.seed}: {record.reason or 'it failed'} ({record.stages[0][0]})"


def _joined(names: Iterable[str]) -> str:
    return BETWEEN.join(dict.fromkeys(names))
