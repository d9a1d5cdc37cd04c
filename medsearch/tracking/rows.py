"""An ablation as MLflow should show it: parent -> one run per row of the table -> one run per stage run and seed.

A stage run that several rows share is one run, and MLflow gives a run one parent. So shared ones hang under a run of
their own, "shared stages": what one finds under a row is what this row alone was trained for, and no row looks like the
owner of what others stand on too. The tag `variant` of a stage run names all its rows. What an edited study no longer
asks for hangs under "no longer asked for".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from medsearch.core.recipes import fingerprint
from medsearch.study.record.headers import AblationHeader, Row
from medsearch.study.record.ledger import RunRecord
from medsearch.tracking.desired_runs import (
    KNOBS,
    NAME_LENGTH,
    DesiredRun,
    Point,
    Series,
    code_tags,
    identity,
    milliseconds,
    note,
    once,
    plain_name,
    plain_params,
    plain_tags,
    plain_text,
)
from medsearch.tracking.labels import group_tags, name_of, row_tags, stage_tags
from medsearch.tracking.reading import File, Study
from medsearch.tracking.row_status import (
    RowStatus,
    began,
    ended,
    row_status,
    stage_status,
    started,
    state_of,
)
from medsearch.tracking.series import epochs, outcome, pictures, scores
from medsearch.tracking.summary import Table

ABLATION, SHARED_STAGES, DROPPED = "ablation", "shared", "dropped"
ROW_PREFIX = "row-"
LAST = 1000
"""The place of what is below every row."""


def wanted_ablation(study: Study, grid: AblationHeader, *, live: bool, report: tuple[File, ...] = ()) -> DesiredRun:
    """The ablation itself. `live`: its driver is at work; `report`: the files of its table and page."""
    unknown = sum(grid.unknown(row.label) for row in grid.rows)
    counts = row_status(study, grid.cells, begun=True, unknown=unknown)
    interrupted = any(state_of(study, record) == "running" for record in study.runs.values())
    return DesiredRun(
        run=ABLATION,
        name=study.title,
        started=began(study),
        status="RUNNING" if live else "KILLED" if interrupted else "FINISHED",
        ended=None if live else max(ended(study, record) for record in study.runs.values()),
        tags=identity(study, ABLATION) | plain_tags({"role": "ablation", "cells": str(counts)}),
        once=once(study) | note(study),
        files=report,
    )


def wanted_rows(study: Study, grid: AblationHeader, *, live: bool) -> Iterator[DesiredRun]:
    """The runs between the parent and the stage runs. Starts are a millisecond apart: newest first is table order."""
    for group in _groups(study, grid):
        status = group.counts.status(live=live)
        params = _row_params(study, group.row)
        last = max([ended(study, record) for record in group.records], default=None)
        yield DesiredRun(
            run=group.run,
            name=plain_text(group.name, NAME_LENGTH),
            started=began(study) - group.place,
            status=status,
            ended=None if status in ("RUNNING", "SCHEDULED") else last,
            tags=identity(study, group.run) | _tags(study, grid, group) | {KNOBS: fingerprint(params)},
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
    counts: RowStatus
    records: tuple[RunRecord, ...]
    row: Row | None = None


def _groups(study: Study, grid: AblationHeader) -> Iterator[_Group]:
    owned: dict[str, list[RunRecord]] = {}
    below: dict[str, list[RunRecord]] = {}
    for record in study.runs.values():
        below.setdefault(parent_of(grid, record), []).append(record)
        for label in grid.labels(record.stages[0][1]):
            owned.setdefault(label, []).append(record)
    if records := below.get(SHARED_STAGES):
        yield _Group(SHARED_STAGES, "shared stages", 0, stage_status(study, records), tuple(records))
    for place, row in enumerate(grid.rows, start=1):
        own, cells = tuple(owned.get(row.label, ())), [cell for cell in grid.cells if cell.row == row.label]
        counts = row_status(study, cells, begun=bool(own), unknown=grid.unknown(row.label))
        yield _Group(row_run(row.label), row.label, place, counts, own, row)
    if records := below.get(DROPPED):
        yield _Group(DROPPED, "no longer asked for", LAST, stage_status(study, records), tuple(records))


def wanted_stage(study: Study, grid: AblationHeader, record: RunRecord, *, live: bool) -> DesiredRun:
    """One stage run of the ledger. The store is the truth: one that is stored is complete, whatever the ledger says."""
    node, key = record.stages[0]
    state = state_of(study, record)
    closed = {"complete": "FINISHED", "failed": "FAILED"}
    status = closed.get(state, "RUNNING" if live else "KILLED")
    params = plain_params(grid.knobs(key))
    files = tuple(pictures(study, record.stages))
    return DesiredRun(
        run=record.run,
        name=name_of(grid, record),
        under=parent_of(grid, record),
        started=started(study, record),
        status=status,
        ended=None if status == "RUNNING" else ended(study, record),
        tags=identity(study, record.run)
        | stage_tags(grid, record, state)
        | code_tags(study, record)
        | {KNOBS: fingerprint(params)},
        once={"mlflow.loggedImages": "true"} if files else {},
        params=params,
        series=_series(study, grid, node, key),
        files=files,
    )


def row_run(label: str) -> str:
    """The name among the study's runs of a row's own run."""
    return f"{ROW_PREFIX}{fingerprint(label)[:12]}"


def is_group(run: str) -> bool:
    """Whether a run of an ablation, by its name, is one that others hang under: a row, or what gathers shared ones."""
    return run.startswith(ROW_PREFIX) or run in (SHARED_STAGES, DROPPED)


def parent_of(grid: AblationHeader, record: RunRecord) -> str:
    """The run that a stage run hangs under."""
    labels = grid.labels(record.stages[0][1])
    return SHARED_STAGES if len(labels) > 1 else row_run(labels[0]) if labels else DROPPED


def _series(study: Study, grid: AblationHeader, node: str, key: str) -> Series:
    found: dict[str, Any] = {node: epochs(study, node, key)} if study.journals.get(key) else {}
    if finished := study.finished.get(key):
        scored = node in grid.scored
        found["scores" if scored else f"final/{node}"] = (scores(finished) if scored else outcome(node, finished),)
    return found


def _tags(study: Study, grid: AblationHeader, group: _Group) -> dict[str, str]:
    row = group.row
    return row_tags(study, grid, row, group.counts) if row else group_tags(group.counts)


def _row_params(study: Study, row: Row | None) -> dict[str, str]:
    return plain_params({**study.fixed, **row.knobs}) if row else {}


def _summary(table: Table, row: Row | None) -> tuple[Point, ...]:
    found = table.numbers(row.label) if row else {}
    return tuple(Point(plain_name(name), value, milliseconds(table.time), 0) for name, value in found.items())
