"""From an ablation's header, ledger and stages to `AblationResults`: every number is looked up here."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.reported import Reported
from medsearch.reporting.ablation.pictures import pictures_of, tiles_of
from medsearch.reporting.ablation.results import (
    AblationResults,
    Base,
    Candidate,
    Cell,
    Column,
    Design,
    Figure,
    Retuning,
    Row,
    Run,
)
from medsearch.reporting.ablation.shelf import Shelf, Stages
from medsearch.reporting.code import trained_by
from medsearch.reporting.evidence import Replicate, provenance
from medsearch.reporting.wording import way_of
from medsearch.stages.store import Store
from medsearch.study.ledger import Ledger

Header = Mapping[str, Any]


def collect(folder: Path, store: Store) -> AblationResults:
    """What the ablation in `folder` has come to so far.

    Raises:
        BadInput: there is no ablation in `folder`.

    """
    header = Ledger(folder).header()
    if header.get("kind") != "ablation":
        msg = f"no ablation in {folder}; run its file first, or name its folder's --home"
        raise BadInput(msg)
    shelf = Shelf(folder, store)
    cells = tuple(_cells(header, shelf))
    pictures, left_out = pictures_of(cells, shelf, folder / "report")
    return AblationResults(
        design=_design(header),
        columns=tuple(_column(header, task) for task in header["tasks"]),
        rows=tuple(_row(row) for row in header["variants"]),
        cells=cells,
        candidates=tuple(_candidate(of, shelf) for of in header["candidates"]),
        runs=(runs := tuple(_runs(header, shelf))),
        pictures=pictures,
        pictures_left_out=left_out,
        tiles=tiles_of(cells, shelf, folder / "report") if _panels(header) else (),
        trained=trained_by(header, (run.key for run in runs), store),
    )


def _panels(header: Header) -> bool:
    return bool(header["figure"]) and header["figure"]["kind"] == "panels"


def _design(header: Header) -> Design:
    figure, retune, base = header["figure"] or {}, header["retune"], header["of"]
    return Design(
        study=header["name"],
        question=header["question"],
        method=header["method"],
        scale=header["scale"],
        seeds=tuple(header["seeds"]),
        cost=header["cost"],
        metrics=tuple(header["metrics"]),
        margin=header["margin"],
        supervised=header["supervised"],
        fixed=header["fixed"],
        within=header.get("within", {}),
        retuning=Retuning(**retune, objective=header.get("objective", "")) if retune else None,
        base=Base(**base) if base else None,
        reported=tuple(Reported(**value) for value in header["reported"]),
        figure=Figure(**{**figure, "kinds": tuple(figure.get("kinds", ()))}),
    )


def _column(header: Header, task: Mapping[str, Any]) -> Column:
    return Column(
        label=task["label"],
        direction=way_of(task["task"]),
        layout=task["layout"],
        selection=task["selection"],
        provenance=provenance(
            task["about"],
            subjects=task["subjects"],
            fingerprint=task["cohort"],
            scale=header["scale"],
            created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        ),
        task=task["task"],
    )


def _row(row: Mapping[str, Any]) -> Row:
    named = {name: row[name] for name in ("label", "kind", "knobs", "against", "method", "line")}
    return Row(**named, columns=tuple(row["tasks"]))


def _cells(header: Header, shelf: Shelf) -> Iterator[Cell]:
    planned = {(cell["variant"], cell["task"], cell["seed"]): cell for cell in header["cells"]}
    for row in header["variants"]:
        for column in row["tasks"]:
            found = [planned.get((row["label"], column, seed)) for seed in header["seeds"]]
            replicates = (_replicate(seed, of, shelf) for seed, of in zip(header["seeds"], found, strict=True))
            first = next((of for of in found if of), None)
            yield Cell(
                row=row["label"],
                column=column,
                replicates=tuple(replicates),
                knobs=first["knobs"] if first else row["knobs"],
            )


def _replicate(seed: int, cell: Mapping[str, Any] | None, shelf: Shelf) -> Replicate:
    """A cell that is not in the header waits for the re-tuning of its row."""
    stages = _stages(cell["stages"]) if cell else ()
    artifact = shelf.artifact(stages[-1][1]) if stages else None
    failure = None if artifact else shelf.failure(stages)
    if failure:
        node, record = failure
        reason = f"{node}: {record.reason or 'no reason recorded'}"
        return Replicate(seed=seed, state="failed", stages=stages, reason=reason, cause=record.cause)
    if artifact is None:
        return Replicate(seed=seed, state="waiting", stages=stages)
    test, seconds = artifact.manifest, [shelf.seconds(key) for _, key in stages]
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


def _stages(of: Sequence[Sequence[str]]) -> Stages:
    return tuple((node, key) for node, key in of)


def _candidate(of: Mapping[str, Any], shelf: Shelf) -> Candidate:
    failure = shelf.failure(_stages(of["stages"])) if of["value"] is None else None
    return Candidate(
        row=of["variant"],
        column=of["task"],
        number=of["number"],
        knobs=of["knobs"],
        value=of["value"],
        chosen=of["chosen"],
        reason=failure and (failure[1].reason or "no reason recorded"),
    )


def _runs(header: Header, shelf: Shelf) -> Iterator[Run]:
    """Distinct stage runs, in the order in which cells list them."""
    asked: dict[str, list[Mapping[str, Any]]] = {}
    nodes: dict[str, str] = {}
    for owner in (*header["candidates"], *header["cells"]):
        for node, key in owner["stages"]:
            asked.setdefault(key, []).append(owner)
            nodes.setdefault(key, node)
    for key, owners in asked.items():
        state, record = shelf.state(key), shelf.records.get(key)
        yield Run(
            node=nodes[key],
            key=key,
            seed=owners[0].get("seed", header["seeds"][0]),  # candidates are trained under the first
            state=state,
            owners=tuple(dict.fromkeys((owner["variant"], owner["task"]) for owner in owners)),
            asked=len(owners),
            seconds=shelf.seconds(key),
            reason=record.reason if record and state == "failed" else None,
        )
