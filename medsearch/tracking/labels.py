"""What the runs of an ablation are called, and the tags by which they are filtered, grouped and ordered."""

from collections.abc import Iterable, Iterator

from medsearch.study.record.headers import AblationHeader, Candidate, Row
from medsearch.study.record.ledger import RunRecord
from medsearch.tracking.desired_runs import NAME_LENGTH, plain_tags, plain_text
from medsearch.tracking.reading import Study
from medsearch.tracking.row_status import RowStatus, first_failed

ROW, PLACE = "row", "place"
"""Tags of stage runs: the row of the table, with its column if there are several, and its place there, to order by."""
BETWEEN = "; "
"""Between the names of rows or columns in one tag."""


def row_of(grid: AblationHeader, key: str) -> str:
    """The rows of a stage run, and its columns where the table has several."""
    tasks = _joined(cell.column for cell in grid.owners.get(key, ())) if len(grid.columns) > 1 else ""
    return " · ".join(filter(None, [_joined(grid.labels(key)), tasks]))


def name_of(grid: AblationHeader, record: RunRecord) -> str:
    """A stage run's name. The row first: it is what is read where charts cut names off."""
    node, key = record.stages[0]
    labels = grid.labels(key)
    row = "shared" if len(labels) > 1 else labels[0] if labels else record.label
    task = _joined(cell.column for cell in grid.owners.get(key, ())) if len(grid.columns) > 1 else ""
    return plain_text(", ".join(filter(None, [row, task, f"seed {record.seed}: {node}"])), NAME_LENGTH)


def stage_tags(grid: AblationHeader, record: RunRecord, state: str) -> dict[str, str]:
    """What a stage run is, and whose."""
    node, key = record.stages[0]
    owning = grid.owners.get(key, ())
    columns = [column for column in grid.columns if column.label in {cell.column for cell in owning}]
    rows = [row for row in grid.rows if row.label in grid.labels(key)]
    tried = [owner.number for owner in owning if isinstance(owner, Candidate)]
    tried = tried if len(tried) == len(owning) else []
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
            "candidate": _joined(map(str, tried)) or None,
            "seed": record.seed,
            "node": node,
            "stage": key,
            "state": state,
            "reason": record.reason if state == "failed" else None,
            "cause": record.cause if state == "failed" else None,
        }
    )


def group_tags(counts: RowStatus) -> dict[str, str]:
    """Of what gathers stage runs and is no row."""
    return {"role": "group", "runs": str(counts)}


def row_tags(study: Study, grid: AblationHeader, row: Row, counts: RowStatus) -> dict[str, str]:
    """How far a row has come, why cells of it failed, and what the report says of it."""
    own = {
        "role": row.kind,
        "variant": row.label,
        "against": row.against or None,
        "method": row.method or None,
        "cells": str(counts),
        "state": counts.state,
        "reason": _joined(_reasons(study, grid, row.label)) or None,
    }
    return plain_tags(own | study.table.tags(row.label))


def _place(grid: AblationHeader, key: str) -> str:
    """Column by column, row by row."""
    owning = grid.owners.get(key, ())
    asked = {owner.column for owner in owning}
    columns = [at for at, column in enumerate(grid.columns, start=1) if column.label in asked]
    rows = [at for at, row in enumerate(grid.rows, start=1) if row.label in grid.labels(key)]
    return f"{min(columns, default=0):02d}.{min(rows, default=0):03d}"


def _reasons(study: Study, grid: AblationHeader, label: str) -> Iterator[str]:
    """Why cells failed: by column and seed, the reason of the first stage run that did."""
    for cell in grid.cells:
        if cell.row == label and (record := first_failed(study, cell)):
            yield f"{cell.column}, seed {cell.seed}: {record.reason or 'it failed'} ({record.stages[0][0]})"


def _joined(names: Iterable[str]) -> str:
    return BETWEEN.join(dict.fromkeys(names))
