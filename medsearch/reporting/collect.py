"""From a study's header, its ledger and the stage store to its results: every number and picture is looked up here.

Fields that results share with a part of the header under the same name are taken over as they are (`_same_fields`).
"""

import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, final

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.paths import below, child
from medsearch.core.records import lacks, read_json, read_record, warn_once
from medsearch.reporting.results import (
    TITLES,
    AblationDesign,
    AblationResults,
    CandidateResults,
    CellResults,
    ColumnResults,
    Finalist,
    GroupResults,
    Picture,
    Provenance,
    Published,
    ReferenceResults,
    RefinementResults,
    Replicate,
    RunState,
    SearchDesign,
    SearchResults,
    StagedDesign,
    StagedResults,
    StageRunResults,
    Tile,
    Trial,
    digest,
)
from medsearch.reporting.search.tables import ranking
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import listed
from medsearch.stages.code import Trained, trained
from medsearch.stages.manifest import Manifest
from medsearch.stages.store import Store
from medsearch.study.record.headers import (
    AblationHeader,
    Candidate,
    Cell,
    Column,
    Figure,
    Header,
    OneTaskHeader,
    SearchHeader,
    StagedHeader,
    Stages,
    way_of,
)
from medsearch.study.record.ledger import HEADER, Ledger, RunRecord, trial_of

IMPORTANCES = "importances.json"
"""In a search's folder: Optuna's shares by knob, or why there are none; written when a search ends."""
MOST = 8
"""Pictures of one title on an ablation's page: a page of hundreds opens slowly and is read by nobody."""
INDEX = "tiles/index.json"
PLACES = {title: place for place, title in enumerate(TITLES.values())}
"""Where pictures of a title come on a page; others are last."""

H = TypeVar("H", bound=Header)


def collect_search(folder: Path, store: Store) -> SearchResults:
    """What the search in `folder` has come to so far.

    Raises:
        BadInput: there is no study in `folder`.

    """
    header, runs = _header(folder, SearchHeader, "study"), tuple(Ledger(folder).runs().values())
    keys = tuple(dict.fromkeys(key for run in runs for _, key in run.stages))
    for key in keys:
        store.has(key)  # names those that are damaged, also where a trial's value stands in the ledger
    importances, seconds = _importances(folder), _seconds(runs, store)
    tests = {run.run: dict(run.stages).get("test", "") for run in runs if run.state == "complete"}
    tested = {name: key for name, key in tests.items() if key and store.has(key)}  # runs whose test stage is finished

    def replicate(run: RunRecord) -> Replicate:
        return Replicate(
            seed=run.seed,
            state=run.state,
            value=run.value,
            values=run.values if len(run.values) > 1 else (),
            seconds=seconds[run.run],
            reason=run.reason,
            **(_scores(store.artifact(tested[run.run]).manifest) if run.run in tested else {}),
        )

    of_role = {role: [run for run in runs if run.role == role] for role in ("trial", "replicate", "reference")}
    of_role["trial"].sort(key=lambda run: run.number or 0)  # in the ledger, one that was found again comes later
    results = SearchResults(
        design=_search_design(header, runs),
        provenance=_provenance(header, header.scale),
        trials=tuple(_trial(header, run, store, seconds[run.run]) for run in of_role["trial"]),
        importances=importances["shares"],
        no_importances=importances["why"],
        finalists=tuple(
            Finalist(
                number=number,
                knobs=trial_of(runs, number, header.name).knobs,
                replicates=tuple(replicate(run) for run in of_role["replicate"] if run.number == number),
            )
            for number in header.chosen
        ),
        references=tuple(
            ReferenceResults(
                label=row.label,
                replicates=tuple(replicate(run) for run in of_role["reference"] if run.label == row.label),
            )
            for row in header.references
        ),
        trained=_trained(header, keys, store),
    )
    return replace(results, pictures=_search_pictures(results, runs, tested, folder, store))


def _search_design(header: SearchHeader, runs: Sequence[RunRecord]) -> SearchDesign:
    """The search as its header declares it, and what its runs tell: how many trials ended, which stages they share."""
    ended = sum(run.role == "trial" and run.state != "running" for run in runs)
    own = {
        "study": header.name,
        "task": way_of(header.task),
        "trials": max(header.trials, ended),  # all count that have ended, also when fewer are asked for than before
        "space": {**header.space, **header.nuisance},
        "nuisance": tuple(header.nuisance),
        "shared_stages": tuple(dict.fromkeys(node for run in runs if run.role == "prefix" for node, _ in run.stages)),
        "published": {knob: Published(value=v, where=header.published_in) for knob, v in header.published.items()},
        "objective": header.metric,
        "minimised": header.objectives[header.metric] == "minimize",
        "objectives": header.objectives if len(header.objectives) > 1 else {},
        "rule": header.freeze,
    }
    return SearchDesign(**_same_fields(SearchDesign, header) | own)


def _seconds(runs: Sequence[RunRecord], store: Store) -> dict[str, float]:
    """The seconds of every run, by its name.

    Those of a stage are its first run's, so that times add up to what was spent.
    """
    seconds, begun = dict.fromkeys((run.run for run in runs), 0.0), set[str]()
    for run in runs:
        for key in (key for _, key in run.stages if key not in begun):
            seconds[run.run] += sum(line["seconds"] for line in store.journal(key))
            begun.add(key)
    return seconds


def _search_pictures(
    results: SearchResults, runs: Sequence[RunRecord], tested: Mapping[str, str], folder: Path, store: Store
) -> tuple[Picture, ...]:
    """Those of the best finalist and of every reference, under the first seed that was tested, by title.

    tested: the key of a run's finished test stage, by the run's name.
    """
    best = next((finalist.number for finalist in ranking(results)), None)
    shown: dict[str, RunRecord] = {}  # by row
    for run in sorted((run for run in runs if run.run in tested), key=lambda run: (run.role != "replicate", run.seed)):
        if run.role == "reference" or (run.role == "replicate" and run.number == best):
            shown.setdefault(run.label if run.role == "reference" else "best configuration", run)
    pictures = [
        Picture(title=TITLES.get(path.stem, path.stem), path=_within(path, folder), note=f"{row}, seed {run.seed}")
        for row, run in shown.items()
        for path in sorted((store.folder(tested[run.run]) / "pictures").glob("*.png"))
    ]
    return tuple(sorted(pictures, key=lambda picture: PLACES.get(picture.title, len(PLACES))))


def _trial(header: SearchHeader, run: RunRecord, store: Store, seconds: float) -> Trial:
    key, metric = dict(run.stages).get(header.searched_stage), header.metric
    journal = store.journal(key) if key else ()
    return Trial(
        **_same_fields(Trial, run)
        | {
            "number": int(run.number or 0),
            "values": run.values if len(header.objectives) > 1 else (),
            "curve": tuple((line["epoch"], line["metrics"][metric]) for line in journal if metric in line["metrics"]),
            "seconds": seconds,
        }
    )


def _importances(folder: Path) -> Mapping[str, Any]:
    """What is known of the knobs' importances: "shares" by knob, and "why" there are none."""

    def fault(record: Mapping[str, Any]) -> str:
        if problem := lacks(record, {"shares": dict, "why": str}):
            return problem
        numbers = all(type(share) in (int, float) for share in record["shares"].values())
        return "" if numbers else "has a share that is no number"

    try:
        importances: dict[str, Any] = read_record(folder / IMPORTANCES, fault=fault)
    except FileNotFoundError:
        return {"shares": {}, "why": "the search has not ended"}
    except Damaged as error:
        warn_once(f"{error.what} {error.problem}; run the study's file again to have it written anew")
        return {"shares": {}, "why": "their record is damaged; running the study again writes it anew"}
    return importances


def collect_ablation(folder: Path, store: Store) -> AblationResults:
    """What the ablation in `folder` has come to so far.

    Of all stage runs the store's index is read, of test stages the whole manifest.

    Raises:
        BadInput: there is no ablation in `folder`.

    """
    header = _header(folder, AblationHeader, "ablation")
    stages, figure = _StageRuns(folder, store), header.figure or Figure()
    planned = {(cell.row, cell.column, cell.seed): cell for cell in header.cells}
    cells = []
    for row, column in ((of, label) for of in header.rows for label in of.columns):
        under = [planned.get((row.label, column, seed)) for seed in header.seeds]
        replicates = (_replicate(seed, cell, stages) for seed, cell in zip(header.seeds, under, strict=True))
        knobs = next((cell.knobs for cell in under if cell), row.knobs)
        cells.append(CellResults(row=row.label, column=column, replicates=tuple(replicates), knobs=knobs))
    tested = [
        (cell, done.seed, store.folder(done.stages[-1][1]))
        for cell in cells
        if (done := next((run for run in cell.replicates if run.state == "complete"), None))
    ]
    pictures, left_out = _pictures(tested, folder)
    runs = _stage_runs(header, stages)
    design = _same_fields(AblationDesign, header)
    design |= {"study": header.name, "retuning": header.retune, "base": header.of, "figure": figure}
    return AblationResults(
        design=AblationDesign(**design),
        columns=tuple(
            ColumnResults(
                **_same_fields(ColumnResults, column),
                direction=way_of(column.task),
                provenance=_provenance(column, header.scale),
            )
            for column in header.columns
        ),
        rows=header.rows,
        cells=tuple(cells),
        candidates=tuple(
            CandidateResults(
                **_same_fields(CandidateResults, candidate),
                reason=failure and (failure[1].reason or "no reason recorded"),
            )
            for candidate in header.candidates
            for failure in [stages.failure(candidate.stages) if candidate.value is None else None]
        ),
        runs=runs,
        pictures=pictures,
        pictures_left_out=left_out,
        tiles=_tiles(tested, folder) if figure.kind == "panels" else (),
        trained=_trained(header, (run.key for run in runs), store),
    )


@final
class _StageRuns:
    """The stage runs of an ablation: the store decides what is finished, the ledger what failed or runs.

    finished: by key, what they say of themselves, without the values of cases. records: the ledger's, by key.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self.store, self.finished, self.artifact = store, store.summaries(), cache(store.artifact)
        runs = Ledger(folder).runs().values()
        self.records = {run.stages[0][1]: run for run in runs if run.role == "stage" and run.stages}

    def state(self, key: str) -> RunState:
        """What has become of the stage run."""
        if key in self.finished:
            return "complete"
        record = self.records.get(key)
        return record.state if record and record.state in ("failed", "running") else "waiting"

    def seconds(self, key: str) -> float | None:
        """Training time: all of a finished stage run, what is recorded of an unfinished one; None before it began."""
        if key in self.finished:
            return float(self.finished[key].seconds or 0)
        journal = self.store.journal(key) if key in self.records else []
        return sum(line["seconds"] for line in journal) if journal else None

    def failure(self, stages: Stages) -> tuple[str, RunRecord] | None:
        """The first of these stage runs that failed, with the name of its node."""
        return next(((node, self.records[key]) for node, key in stages if self.state(key) == "failed"), None)


def _replicate(seed: int, cell: Cell | None, runs: _StageRuns) -> Replicate:
    """A cell under a seed; one that is not in the header waits for the re-tuning of its row."""
    stages = cell.stages if cell else ()
    if stages and stages[-1][1] in runs.finished:
        manifest, seconds = runs.artifact(stages[-1][1]).manifest, [runs.seconds(key) for _, key in stages]
        return Replicate(
            seed=seed,
            seconds=sum(value for value in seconds if value is not None),
            stages=stages,
            unit=manifest.notes.get("scoring", ""),
            unscored=manifest.notes.get("unscored", 0),
            **_scores(manifest),
        )
    failure = runs.failure(stages)
    if failure is None:
        return Replicate(seed=seed, state="waiting", stages=stages)
    node, record = failure
    reason = f"{node}: {record.reason or 'no reason recorded'}"
    return Replicate(seed=seed, state="failed", stages=stages, reason=reason, cause=record.cause)


def _stage_runs(header: AblationHeader, stages: _StageRuns) -> tuple[StageRunResults, ...]:
    """Distinct stage runs, in the order in which candidates and cells list them."""
    owners: dict[str, list[Cell | Candidate]] = {}
    nodes: dict[str, str] = {}
    everybody: tuple[Cell | Candidate, ...] = (*header.candidates, *header.cells)
    for owner in everybody:
        for node, key in owner.stages:
            owners.setdefault(key, []).append(owner)
            nodes.setdefault(key, node)
    return tuple(
        StageRunResults(
            node=nodes[key],
            key=key,
            seed=asking[0].seed if isinstance(asking[0], Cell) else header.seeds[0],
            state=stages.state(key),
            owners=tuple(dict.fromkeys((owner.row, owner.column) for owner in asking)),
            asked=len(asking),
            seconds=stages.seconds(key),
            reason=stages.records[key].reason if stages.state(key) == "failed" else None,
        )
        for key, asking in owners.items()
    )


def _pictures(tested: Sequence[tuple[CellResults, int, Path]], folder: Path) -> tuple[tuple[Picture, ...], int]:
    """Of each cell's first finished seed, the first few of each title; and how many were left out.

    Rows that share a stage may have the same picture: it comes once and names them all.
    """
    by_title: dict[str, dict[bytes, tuple[Path, dict[tuple[str, int], list[str]]]]] = {}
    for cell, seed, stage in tested:
        for path in sorted((stage / "pictures").glob("*.png")):
            _, rows = by_title.setdefault(TITLES.get(path.stem, path.stem), {}).setdefault(digest(path), (path, {}))
            rows.setdefault((cell.column, seed), []).append(cell.row)
    shown = [
        Picture(
            title=title,
            path=_within(path, folder),
            note="; ".join(f"{listed(labels)}, {column}, seed {seed}" for (column, seed), labels in rows.items()),
        )
        for title in sorted(by_title, key=lambda title: PLACES.get(title, len(PLACES)))
        for path, rows in list(by_title[title].values())[:MOST]
    ]
    return tuple(shown), sum(len(pictures) for pictures in by_title.values()) - len(shown)


def _tiles(tested: Sequence[tuple[CellResults, int, Path]], folder: Path) -> tuple[Tile, ...]:
    """The tiles of each cell's first finished seed, as its test stage lists them; none of a damaged list is shown."""
    tiles = []
    for cell, _, stage in tested:
        index, needed = stage / INDEX, {"kind": str, "subject": str, "what": str, "file": str}
        try:
            entries = read_json(index)
        except FileNotFoundError:
            continue
        except Damaged as error:
            warn_once(f"{error.what} {error.problem}; its tiles are left out, `medsearch verify` says more")
            continue
        if not isinstance(entries, list) or any(not isinstance(e, dict) or lacks(e, needed) for e in entries):
            warn_once(f"{index} lists no tiles; they are left out, `medsearch verify` says more")
            continue
        for entry in entries:
            path = _within(below(stage / "tiles", entry["file"], source=index), folder)
            fields_of = {name: entry.get(name, "") for name in ("kind", "subject", "what", "note")}
            tiles.append(Tile(row=cell.row, column=cell.column, path=path, **fields_of))
    return tuple(tiles)


def collect_staged(folder: Path, store: Store) -> StagedResults:
    """What the staged search in `folder` has come to so far; its searches lie beside it.

    Raises:
        BadInput: there is no staged search in `folder`.

    """
    header = _header(folder, StagedHeader, "staged search")

    def search(study: str) -> SearchResults | None:
        beside = child(folder.parent, study, what="study name")
        return collect_search(beside, store) if Ledger(beside).header() else None

    ledgers = [Ledger(folder.parent / name) for name in header.studies]
    begun = {ledger: of for ledger in ledgers if (of := ledger.header())}
    code: list[Trained] = []
    seen: set[str] = set()  # a stage of several searches counts beside the code of the one that ran last
    for ledger in sorted(begun, key=lambda ledger: (ledger.folder / HEADER).stat().st_mtime, reverse=True):
        keys = {key: None for run in ledger.runs().values() for _, key in run.stages if key not in seen}
        code += _trained(begun[ledger], keys, store)
        seen |= keys.keys()
    return StagedResults(
        design=StagedDesign(**_same_fields(StagedDesign, header) | {"study": header.name, "task": way_of(header.task)}),
        provenance=_provenance(header, header.scale),
        groups=tuple(
            GroupResults(
                **_same_fields(GroupResults, group),
                minimised=group.direction == "minimize",
                search=search(group.study),
            )
            for group in header.groups
        ),
        refinement=_refinement(header, folder, store),
        refused=header.refused,
        trained=tuple(code),
    )


def _refinement(header: StagedHeader, folder: Path, store: Store) -> RefinementResults | None:
    """The refinement, with its search if that stands on the point that is frozen now.

    Of its best finalist it has the metrics that groups have bounds of: those of its last training stage, the mean over
    seeds, where every seed reports a number.
    """
    refinement = header.refinement
    if refinement is None:
        return None
    ledger = Ledger(child(folder.parent, refinement.study, what="study name"))
    begun = ledger.header(SearchHeader)
    search: SearchResults | None = None
    metrics: dict[str, float] = {}
    if begun is not None:
        stood = {**begun.fixed, **begun.start}  # what it does not move is fixed
        points = [group.frozen.knobs if group.frozen else None for group in header.groups]
        if all(point is not None and all(stood.get(k) == value for k, value in point.items()) for point in points):
            search = collect_search(ledger.folder, store)
    bounds = {group.bound.metric for group in header.groups if group.bound}
    if search is not None and bounds:
        best = next((finalist.number for finalist in ranking(search)), None)
        runs = [run for run in ledger.runs().values() if run.role == "replicate" and run.number == best]
        last = [[key for node, key in run.stages if node != "test"][-1] for run in runs if run.state == "complete"]
        told = [store.artifact(key).metrics for key in last]
        metrics = {
            name: statistics.fmean(seed[name] for seed in told)
            for name in bounds
            if told and all(known(seed.get(name)) for seed in told)
        }
    return RefinementResults(
        **_same_fields(RefinementResults, refinement),
        minimised=refinement.direction == "minimize",
        search=search,
        metrics=metrics,
    )


def _header(folder: Path, kind: type[H], noun: str) -> H:
    header = Ledger(folder).header(kind)
    if header is None:
        msg = f"no {noun} in {folder}; run its file first, or name its folder's --home"
        raise BadInput(msg)
    return header


def _same_fields(kind: type, of: object) -> dict[str, Any]:
    """The fields of `kind`, a class of results, that `of` has under the same name, with their values."""
    return {field.name: getattr(of, field.name) for field in fields(kind) if hasattr(of, field.name)}


def _provenance(of: OneTaskHeader | Column, scale: str) -> Provenance:
    """Of a study on one task, or a column of an ablation, reported now."""
    return Provenance(
        **_same_fields(Provenance, of.about),
        subjects=of.subjects,
        data_fingerprint=of.cohort,
        scale=scale,
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )


def _trained(header: Header, keys: Iterable[str], store: Store) -> tuple[Trained, ...]:
    """By which code the stages `keys` of a study were trained, beside the code that the study last ran with."""
    return trained(
        store.summaries(),
        header.code,
        dict.fromkeys(keys),
        lambda key: store.artifact(key).manifest.modules,
    )


def _scores(manifest: Manifest) -> dict[str, Any]:
    """What a finished test stage measured, as fields of a `Replicate`."""
    notes = manifest.notes
    return {
        "metrics": {name: value for name, value in manifest.metrics.items() if name.startswith("test/")},
        "cases": tuple(notes.get("cases", ())),
        "forms": notes.get("forms", {}),
        "given": notes.get("given", {}),
    }


def _within(path: Path, folder: Path) -> str:
    """The path of a picture from the report of the study in `folder`, so that a home can move."""
    return os.path.relpath(path, folder / "report")
