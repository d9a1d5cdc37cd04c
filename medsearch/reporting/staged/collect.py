"""From the header of a staged search and its searches' own results to `StagedResults`."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.core.paths import child
from medsearch.reporting.collect import collect_search as collect_search
from medsearch.reporting.provenance import trained_by
from medsearch.reporting.results import (
    GroupResults,
    RefinementResults,
    SearchResults,
    StagedDesign,
    StagedResults,
    provenance,
)
from medsearch.reporting.search.tables import ranking
from medsearch.reporting.statistics import known
from medsearch.stages.code import Trained
from medsearch.stages.store import Store
from medsearch.study.record import headers as record
from medsearch.study.record.headers import SearchHeader, StagedHeader, way_of
from medsearch.study.record.ledger import HEADER, Ledger


def collect(folder: Path, store: Store) -> StagedResults:
    """What the staged search in `folder` has come to so far; its searches lie beside it.

    Raises:
        BadInput: there is no staged search in `folder`.

    """
    header = Ledger(folder).header(StagedHeader)
    if header is None:
        msg = f"no staged search in {folder}; run its file first, or name its folder's --home"
        raise BadInput(msg)
    return StagedResults(
        design=_design(header),
        provenance=provenance(header, header.scale),
        groups=tuple(_group(of, folder, store) for of in header.groups),
        refinement=_refined(header, folder, store),
        refused=header.refused,
        trained=_trained(header, folder, store),
    )


def _trained(header: StagedHeader, folder: Path, store: Store) -> tuple[Trained, ...]:
    """Of every search, beside the code that it last ran with; stages of several, beside that which ran last."""
    ledgers = [Ledger(folder.parent / name) for name in header.studies]
    begun = {ledger: of for ledger in ledgers if (of := ledger.header())}
    seen: set[str] = set()
    found: list[Trained] = []
    for ledger in sorted(begun, key=lambda of: (of.folder / HEADER).stat().st_mtime, reverse=True):
        keys = {key: None for run in ledger.runs().values() for _, key in run.stages if key not in seen}
        found += trained_by(begun[ledger], keys, store)
        seen |= keys.keys()
    return tuple(found)


def _design(header: StagedHeader) -> StagedDesign:
    return StagedDesign(
        study=header.name,
        question=header.question,
        method=header.method,
        task=way_of(header.task),
        selection=header.selection,
        cost=header.cost,
        seeds=header.seeds,
        fixed=header.fixed,
        weights=header.weights,
        published=header.published,
        published_in=header.published_in,
    )


def _group(of: record.Group, folder: Path, store: Store) -> GroupResults:
    return GroupResults(
        name=of.name,
        study=of.study,
        metric=of.metric,
        minimised=of.direction == "minimize",
        scored_stage=of.scored_stage,
        space=of.space,
        fixed=of.fixed,
        trials=of.trials,
        rule=of.rule,
        bound=of.bound,
        frozen=of.frozen,
        overtaken=of.overtaken,
        search=_search(of.study, folder, store),
    )


def _refined(header: StagedHeader, folder: Path, store: Store) -> RefinementResults | None:
    """With its search, if that stands on the point that is frozen now."""
    of = header.refinement
    if of is None:
        return None
    ledger = Ledger(child(folder.parent, of.study, what="study name"))
    stands = _stands(ledger.header(SearchHeader), header.groups)
    search = _search(of.study, folder, store) if stands else None
    bounds = {group.bound.metric for group in header.groups if group.bound}
    return RefinementResults(
        study=of.study,
        metric=of.metric,
        minimised=of.direction == "minimize",
        trials=of.trials,
        factor=of.factor,
        knobs=of.knobs,
        metrics=_metrics(search, ledger, store, bounds) if search and bounds else {},
        search=search,
    )


def _stands(refinement: SearchHeader | None, groups: Sequence[record.Group]) -> bool:
    """Whether a refinement that has begun stands on what the groups froze; what it does not move is fixed."""
    if refinement is None:
        return False
    stood = {**refinement.fixed, **refinement.start}
    frozen = [group.frozen.knobs if group.frozen else None for group in groups]
    return all(knobs is not None and all(stood.get(k) == value for k, value in knobs.items()) for knobs in frozen)


def _metrics(search: SearchResults, ledger: Ledger, store: Store, names: Iterable[str]) -> dict[str, float]:
    """Metrics of the best finalist's last training stage, the mean over seeds, where every seed reports a number."""
    best = next((finalist.number for finalist in ranking(search)), None)
    runs = [run for run in ledger.runs().values() if run.role == "replicate" and run.number == best]
    trained = [[key for node, key in run.stages if node != "test"][-1] for run in runs if run.state == "complete"]
    found = [store.artifact(key).metrics for key in trained]
    return {
        name: statistics.fmean(of[name] for of in found)
        for name in names
        if found and all(known(of.get(name)) for of in found)
    }


def _search(study: str, folder: Path, store: Store) -> SearchResults | None:
    beside = child(folder.parent, study, what="study name")
    return collect_search(beside, store) if Ledger(beside).header() else None
