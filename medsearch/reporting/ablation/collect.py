"""From an ablation's header, ledger and stages to `AblationResults`: every number and picture is looked up here.

Of all stage runs the store's index is read, of test stages the whole manifest.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.paths import below
from medsearch.core.records import lacks, read_json, warn_once
from medsearch.reporting.provenance import trained_by
from medsearch.reporting.results import (
    AblationDesign,
    AblationResults,
    CandidateResults,
    CellResults,
    ColumnResults,
    Picture,
    Replicate,
    RunState,
    StageRunResults,
    Tile,
    digest,
    place_of,
    provenance,
    title_of,
)
from medsearch.reporting.wording import listed
from medsearch.stages.context import Artifact
from medsearch.stages.store import Store
from medsearch.study.record import headers as record
from medsearch.study.record.headers import AblationHeader, Figure, Stages, way_of
from medsearch.study.record.ledger import Ledger, RunRecord

MOST = 8
"""Pictures of one title on the page: a page of hundreds opens slowly and is read by nobody."""

Shown = dict[tuple[str, int], list[str]]  # (column, seed) -> rows

INDEX = "tiles/index.json"


@final
class StageResults:
    """The stage runs of the study in `folder`."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        self._artifacts: dict[str, Artifact] = {}

    @cached_property
    def records(self) -> Mapping[str, RunRecord]:
        """What the ledger knows, by the key of the stage run."""
        runs = Ledger(self.folder).runs().values()
        return {run.stages[0][1]: run for run in runs if run.role == "stage" and run.stages}

    @cached_property
    def finished(self) -> Mapping[str, Mapping[str, Any]]:
        """By key, what finished stage runs say of themselves, without the values of cases."""
        return self.store.summaries()

    def artifact(self, key: str) -> Artifact | None:
        """A finished stage run with all that it says of itself; None for one that is not finished."""
        if key not in self._artifacts and key in self.finished:
            self._artifacts[key] = self.store.artifact(key)
        return self._artifacts.get(key)

    def state(self, key: str) -> RunState:
        """The store decides what is finished, the ledger what failed or runs."""
        if key in self.finished:
            return "complete"
        record = self.records.get(key)
        return record.state if record and record.state in ("failed", "running") else "waiting"

    def seconds(self, key: str) -> float | None:
        """Training time: all of a finished stage run, what is recorded of an unfinished one; None before it began."""
        if key in self.finished:
            return float(self.finished[key]["seconds"])
        journal = self.store.journal(key) if key in self.records else []
        return sum(line["seconds"] for line in journal) if journal else None

    def failure(self, stages: Stages) -> tuple[str, RunRecord] | None:
        """The first of these stage runs that failed, with the name of its node."""
        failed = ((node, key) for node, key in stages if self.state(key) == "failed")
        return next(((node, self.records[key]) for node, key in failed), None)


def collect(folder: Path, store: Store) -> AblationResults:
    """What the ablation in `folder` has come to so far.

    Raises:
        BadInput: there is no ablation in `folder`.

    """
    header = Ledger(folder).header(AblationHeader)
    if header is None:
        msg = f"no ablation in {folder}; run its file first, or name its folder's --home"
        raise BadInput(msg)
    stored = StageResults(folder, store)
    cells = tuple(_cells(header, stored))
    pictures, left_out = pictures_of(cells, stored, folder / "report")
    panels = header.figure is not None and header.figure.kind == "panels"
    return AblationResults(
        design=_design(header),
        columns=tuple(_column(column, header.scale) for column in header.columns),
        rows=header.rows,
        cells=cells,
        candidates=tuple(_candidate(of, stored) for of in header.candidates),
        runs=(runs := tuple(_runs(header, stored))),
        pictures=pictures,
        pictures_left_out=left_out,
        tiles=tiles_of(cells, stored, folder / "report") if panels else (),
        trained=trained_by(header, (run.key for run in runs), store),
    )


def _design(header: AblationHeader) -> AblationDesign:
    return AblationDesign(
        study=header.name,
        question=header.question,
        method=header.method,
        scale=header.scale,
        seeds=header.seeds,
        cost=header.cost,
        metrics=header.metrics,
        margin=header.margin,
        supervised=header.supervised,
        fixed=header.fixed,
        within=header.within,
        retuning=header.retune,
        objective=header.objective,
        base=header.of,
        reported=header.reported,
        figure=header.figure or Figure(),
    )


def _column(of: record.Column, scale: str) -> ColumnResults:
    return ColumnResults(
        label=of.label,
        direction=way_of(of.task),
        layout=of.layout,
        selection=of.selection,
        provenance=provenance(of, scale),
        task=of.task,
    )


def _cells(header: AblationHeader, stored: StageResults) -> Iterator[CellResults]:
    planned = {(cell.row, cell.column, cell.seed): cell for cell in header.cells}
    for row in header.rows:
        for column in row.columns:
            found = [planned.get((row.label, column, seed)) for seed in header.seeds]
            replicates = (_replicate(seed, of, stored) for seed, of in zip(header.seeds, found, strict=True))
            first = next((of for of in found if of), None)
            yield CellResults(
                row=row.label,
                column=column,
                replicates=tuple(replicates),
                knobs=first.knobs if first else row.knobs,
            )


def _replicate(seed: int, cell: record.Cell | None, stored: StageResults) -> Replicate:
    """A cell that is not in the header waits for the re-tuning of its row."""
    stages = cell.stages if cell else ()
    artifact = stored.artifact(stages[-1][1]) if stages else None
    failure = None if artifact else stored.failure(stages)
    if failure:
        node, record = failure
        reason = f"{node}: {record.reason or 'no reason recorded'}"
        return Replicate(seed=seed, state="failed", stages=stages, reason=reason, cause=record.cause)
    if artifact is None:
        return Replicate(seed=seed, state="waiting", stages=stages)
    test, seconds = artifact.manifest, [stored.seconds(key) for _, key in stages]
    notes = test.get("notes", {})
    return Replicate(
        seed=seed,
        metrics={name: value for name, value in test["metrics"].items() if name.startswith("test/")},
        cases=tuple(notes.get("cases", ())),
        seconds=sum(value for value in seconds if value is not None),
        stages=stages,
        unit=notes.get("scoring", ""),
        unscored=notes.get("unscored", 0),
        forms=notes.get("forms", {}),
        given=notes.get("given", {}),
    )


def _candidate(of: record.Candidate, stored: StageResults) -> CandidateResults:
    failure = stored.failure(of.stages) if of.value is None else None
    return CandidateResults(
        row=of.row,
        column=of.column,
        number=of.number,
        knobs=of.knobs,
        value=of.value,
        chosen=of.chosen,
        reason=failure and (failure[1].reason or "no reason recorded"),
    )


def _runs(header: AblationHeader, stored: StageResults) -> Iterator[StageRunResults]:
    """Distinct stage runs, in the order in which candidates and cells list them."""
    asked: dict[str, list[record.Cell | record.Candidate]] = {}
    nodes: dict[str, str] = {}
    everybody: tuple[record.Cell | record.Candidate, ...] = (*header.candidates, *header.cells)
    for owner in everybody:
        for node, key in owner.stages:
            asked.setdefault(key, []).append(owner)
            nodes.setdefault(key, node)
    for key, owners in asked.items():
        state, known = stored.state(key), stored.records.get(key)
        first = owners[0]
        yield StageRunResults(
            node=nodes[key],
            key=key,
            seed=first.seed if isinstance(first, record.Cell) else header.seeds[0],
            state=state,
            owners=tuple(dict.fromkeys((owner.row, owner.column) for owner in owners)),
            asked=len(owners),
            seconds=stored.seconds(key),
            reason=known.reason if known and state == "failed" else None,
        )


def pictures_of(cells: Sequence[CellResults], stored: StageResults, report: Path) -> tuple[tuple[Picture, ...], int]:
    """Of each cell's first finished seed, the first few of each title; and how many were left out.

    Rows that share a stage may have the same picture: it comes once and names them all. Paths are relative to the
    report, so that a home can move.
    """
    found: dict[str, dict[bytes, tuple[Path, Shown]]] = {}
    for cell, seed, folder in _tested(cells, stored):
        for path in sorted((folder / "pictures").glob("*.png")):
            _, rows = found.setdefault(title_of(path.stem), {}).setdefault(digest(path), (path, {}))
            rows.setdefault((cell.column, seed), []).append(cell.row)
    shown = [
        Picture(title=title, path=os.path.relpath(path, report), note=_note(rows))
        for title in sorted(found, key=place_of)
        for path, rows in list(found[title].values())[:MOST]
    ]
    return tuple(shown), sum(len(pictures) for pictures in found.values()) - len(shown)


def _note(rows: Shown) -> str:
    return "; ".join(f"{listed(labels)}, {column}, seed {seed}" for (column, seed), labels in rows.items())


def tiles_of(cells: Sequence[CellResults], stored: StageResults, report: Path) -> tuple[Tile, ...]:
    """Every tile of each cell's first finished seed."""
    return tuple(
        Tile(
            row=cell.row,
            column=cell.column,
            kind=entry["kind"],
            subject=entry["subject"],
            what=entry["what"],
            path=os.path.relpath(below(folder / "tiles", entry["file"], source=folder / INDEX), report),
            note=entry.get("note", ""),
        )
        for cell, _, folder in _tested(cells, stored)
        for entry in _listed(folder / INDEX)
    )


def _listed(index: Path) -> list[dict[str, Any]]:
    """The tiles that a stage drew, in its own words; none of an index that is damaged, which is named."""
    try:
        entries = read_json(index)
    except FileNotFoundError:
        return []
    except Damaged as error:
        warn_once(f"{error.what} {error.problem}; its tiles are left out, `medsearch verify` says more")
        return []
    wanted = {"kind": str, "subject": str, "what": str, "file": str}
    sound = isinstance(entries, list) and all(isinstance(one, dict) and not lacks(one, wanted) for one in entries)
    if not sound:
        warn_once(f"{index} lists no tiles; they are left out, `medsearch verify` says more")
    return entries if sound else []


def _tested(cells: Sequence[CellResults], stored: StageResults) -> Iterator[tuple[CellResults, int, Path]]:
    for cell in cells:
        done = next((replicate for replicate in cell.replicates if replicate.state == "complete"), None)
        if done is not None:
            yield cell, done.seed, stored.store.folder(done.stages[-1][1])
