"""From the ledger and the stage store to `SearchResults`: every number is looked up here, none is kept twice."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.records import lacks, read_record, warn_once
from medsearch.reporting.provenance import trained_by
from medsearch.reporting.results import (
    Finalist,
    Picture,
    Published,
    ReferenceResults,
    Replicate,
    SearchDesign,
    SearchResults,
    Trial,
    place_of,
    provenance,
    title_of,
)
from medsearch.reporting.search.tables import ranking
from medsearch.stages.store import Store
from medsearch.study.record.headers import SearchHeader, way_of
from medsearch.study.record.ledger import Ledger, RunRecord, State, trial_of

IMPORTANCES = "importances.json"
"""In the study's folder: Optuna's shares by knob, or why there are none; written when a search ends."""


def collect(folder: Path, store: Store) -> SearchResults:
    """What the study in `folder` has come to so far.

    Raises:
        BadInput: there is no study in `folder`.

    """
    ledger = Ledger(folder)
    header = ledger.header(SearchHeader)
    if header is None:
        msg = f"no study in {folder}; run its file first, or name its folder's --home"
        raise BadInput(msg)
    runs = tuple(ledger.runs().values())
    for key in dict.fromkeys(key for run in runs for _, key in run.stages):
        store.has(key)  # names those that are damaged, also where a trial's value stands in the ledger
    importances, seconds = _importances(folder), _seconds(runs, store)
    results = SearchResults(
        design=_design(header, runs),
        provenance=provenance(header, header.scale),
        trials=tuple(_trial(header, run, store, seconds[run.run]) for run in _trials(runs)),
        importances=importances["shares"],
        no_importances=importances["why"],
        finalists=tuple(_finalists(header, runs, store, seconds)),
        references=tuple(_references(header, runs, store, seconds)),
        trained=trained_by(header, (key for run in runs for _, key in run.stages), store),
    )
    best = next((finalist.number for finalist in ranking(results)), None)
    shown = [run for run in runs if run.role == "reference" or (run.role == "replicate" and run.number == best)]
    pictures = sorted(_pictures(shown, store, folder / "report"), key=lambda picture: place_of(picture.title))
    return replace(results, pictures=tuple(pictures))


def _trials(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """By number: in the ledger, one that was found again comes later."""
    return sorted((run for run in runs if run.role == "trial"), key=lambda run: run.number or 0)


def _importances(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = read_record(folder / IMPORTANCES, fault=_importances_fault)
    except FileNotFoundError:
        return {"shares": {}, "why": "the search has not ended"}
    except Damaged as error:
        warn_once(f"{error.what} {error.problem}; run the study's file again to have it written anew")
        return {"shares": {}, "why": "their record is damaged; running the study again writes it anew"}
    return found


def _importances_fault(of: Mapping[str, Any]) -> str:
    if problem := lacks(of, {"shares": dict, "why": str}):
        return problem
    return (
        "" if all(type(share) in (int, float) for share in of["shares"].values()) else "has a share that is no number"
    )


def _design(header: SearchHeader, runs: tuple[RunRecord, ...]) -> SearchDesign:
    return SearchDesign(
        study=header.name,
        question=header.question,
        method=header.method,
        task=way_of(header.task),
        selection=header.selection,
        cost=header.cost,
        sampler=header.sampler,
        scheduler=header.scheduler,
        # all count that have ended, also when fewer are asked for than before
        trials=max(header.trials, sum(run.role == "trial" and run.state != "running" for run in runs)),
        finalists=header.finalists,
        seeds=header.seeds,
        space={**header.space, **header.nuisance},
        nuisance=tuple(header.nuisance),
        fixed=header.fixed,
        shared_stages=tuple(dict.fromkeys(node for run in runs if run.role == "prefix" for node, _ in run.stages)),
        weights=header.weights,
        published={knob: Published(value=v, where=header.published_in) for knob, v in header.published.items()},
        objective=header.metric,
        minimised=header.objectives[header.metric] == "minimize",
        objectives=header.objectives if len(header.objectives) > 1 else {},
        rule=header.freeze,
        frozen=header.frozen,
        scored_stage=header.scored_stage,
    )


def _trial(header: SearchHeader, run: RunRecord, store: Store, seconds: float) -> Trial:
    return Trial(
        number=int(run.number or 0),
        knobs=run.knobs,
        state=run.state,
        value=run.value,
        values=run.values if len(header.objectives) > 1 else (),
        curve=tuple(_curve(header, run, store)),
        seconds=seconds,
        rung=run.rung,
        reason=run.reason,
    )


def _curve(header: SearchHeader, run: RunRecord, store: Store) -> Iterator[tuple[int, float]]:
    """The metric that ranks, by epochs of the searched stage."""
    key, metric = dict(run.stages).get(header.searched_stage), header.metric
    for line in store.journal(key) if key else ():
        if metric in line["metrics"]:
            yield line["epoch"], line["metrics"][metric]


def _seconds(runs: Sequence[RunRecord], store: Store) -> dict[str, float]:
    """Training time by run: of the stages that no earlier run lists, so that times add up to what was spent."""
    owners: dict[str, str] = {}
    for run in runs:
        for _, key in run.stages:
            owners.setdefault(key, run.run)
    seconds = dict.fromkeys((run.run for run in runs), 0.0)
    for key, owner in owners.items():
        seconds[owner] += sum(line["seconds"] for line in store.journal(key))
    return seconds


def _finalists(
    header: SearchHeader, runs: tuple[RunRecord, ...], store: Store, seconds: Mapping[str, float]
) -> Iterator[Finalist]:
    for number in header.chosen:
        trial = trial_of(runs, number, header.name)
        own = [run for run in runs if run.role == "replicate" and run.number == number]
        yield Finalist(
            number=number,
            knobs=trial.knobs,
            replicates=tuple(_replicate(run, store, seconds[run.run]) for run in own),
        )


def _references(
    header: SearchHeader, runs: tuple[RunRecord, ...], store: Store, seconds: Mapping[str, float]
) -> Iterator[ReferenceResults]:
    for row in header.references:
        own = [run for run in runs if run.role == "reference" and run.label == row.label]
        yield ReferenceResults(
            label=row.label, replicates=tuple(_replicate(run, store, seconds[run.run]) for run in own)
        )


def _replicate(run: RunRecord, store: Store, seconds: float) -> Replicate:
    test = _tested(run, store)
    manifest = store.artifact(test).manifest if test else {}
    notes = manifest.get("notes", {})
    metrics = {name: value for name, value in manifest.get("metrics", {}).items() if name.startswith("test/")}
    state: State = run.state
    return Replicate(
        seed=run.seed,
        state=state,
        value=run.value,
        values=run.values if len(run.values) > 1 else (),
        metrics=metrics,
        cases=tuple(notes.get("cases", ())),
        forms=notes.get("forms", {}),
        given=notes.get("given", {}),
        seconds=seconds,
        reason=run.reason,
    )


def _tested(run: RunRecord, store: Store) -> str | None:
    """The key of the run's test stage, once that is finished."""
    key = dict(run.stages).get("test")
    return key if key and run.state == "complete" and store.has(key) else None


def _pictures(runs: Sequence[RunRecord], store: Store, report: Path) -> Iterator[Picture]:
    """Of the first seed of each row that `runs` belong to; paths relative to the report, so a home can move."""
    shown: set[str] = set()
    tested = [run for run in runs if _tested(run, store)]
    for run in sorted(tested, key=lambda run: (run.role != "replicate", run.seed)):
        owner = run.label if run.role == "reference" else "best configuration"
        if owner in shown:
            continue
        shown.add(owner)
        for path in sorted((store.folder(str(_tested(run, store))) / "pictures").glob("*.png")):
            yield Picture(
                title=title_of(path.stem), path=os.path.relpath(path, report), note=f"{owner}, seed {run.seed}"
            )
