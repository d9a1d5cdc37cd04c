"""From an ablation's header, ledger and stages to `AblationResults`: every number is looked up here."""

from collections.abc import Iterator
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.reporting.ablation.results import (
    AblationResults,
    Candidate,
    Cell,
    Column,
    Design,
    Run,
)
from medsearch.reporting.ablation.stored import StageResults, pictures_of, tiles_of
from medsearch.reporting.evidence import Replicate, provenance
from medsearch.reporting.provenance import trained_by
from medsearch.stages.store import Store
from medsearch.study import record
from medsearch.study.ledger import Ledger
from medsearch.study.record import AblationHeader, Figure, way_of


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


def _design(header: AblationHeader) -> Design:
    return Design(
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


def _column(of: record.Column, scale: str) -> Column:
    return Column(
        label=of.label,
        direction=way_of(of.task),
        layout=of.layout,
        selection=of.selection,
        provenance=provenance(of, scale),
        task=of.task,
    )


def _cells(header: AblationHeader, stored: StageResults) -> Iterator[Cell]:
    planned = {(cell.row, cell.column, cell.seed): cell for cell in header.cells}
    for row in header.rows:
        for column in row.columns:
            found = [planned.get((row.label, column, seed)) for seed in header.seeds]
            replicates = (_replicate(seed, of, stored) for seed, of in zip(header.seeds, found, strict=True))
            first = next((of for of in found if of), None)
            yield Cell(
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


def _candidate(of: record.Candidate, stored: StageResults) -> Candidate:
    failure = stored.failure(of.stages) if of.value is None else None
    return Candidate(
        row=of.row,
        column=of.column,
        number=of.number,
        knobs=of.knobs,
        value=of.value,
        chosen=of.chosen,
        reason=failure and (failure[1].reason or "no reason recorded"),
    )


def _runs(header: AblationHeader, stored: StageResults) -> Iterator[Run]:
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
        yield Run(
            node=nodes[key],
            key=key,
            seed=first.seed if isinstance(first, record.Cell) else header.seeds[0],
            state=state,
            owners=tuple(dict.fromkeys((owner.row, owner.column) for owner in owners)),
            asked=len(owners),
            seconds=stored.seconds(key),
            reason=known.reason if known and state == "failed" else None,
        )
