"""From the header of a staged search and its searches' own results to `StagedResults`."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.paths import child
from medsearch.reporting.code import trained_by
from medsearch.reporting.evidence import provenance
from medsearch.reporting.search.collect import axis_of
from medsearch.reporting.search.collect import collect as collect_search
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.tables import ranking
from medsearch.reporting.staged.results import Bound, Design, Group, Point, Refined, StagedResults
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import way_of
from medsearch.stages.code import Trained
from medsearch.stages.store import Store
from medsearch.study.ledger import HEADER, Ledger
from medsearch.study.staged_header import parts


def collect(folder: Path, store: Store) -> StagedResults:
    """What the staged search in `folder` has come to so far; its searches lie beside it.

    Raises:
        BadInput: there is no staged search in `folder`.

    """
    header = Ledger(folder).header()
    if header.get("kind") != "staged":
        msg = f"no staged search in {folder}; run its file first, or name its folder's --home"
        raise BadInput(msg)
    origin = provenance(
        header["about"],
        subjects=header["subjects"],
        fingerprint=header["cohort"],
        scale=header["scale"],
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    return StagedResults(
        design=_design(header),
        provenance=origin,
        groups=tuple(_group(of, folder, store) for of in header["groups"]),
        refinement=_refined(header, folder, store),
        refused=header["refused"],
        trained=_trained(header, folder, store),
    )


def _trained(header: Mapping[str, Any], folder: Path, store: Store) -> tuple[Trained, ...]:
    """Of every search, beside the code that it last ran with; stages of several, beside that which ran last."""
    ledgers = [Ledger(folder.parent / name) for name in parts(header)]
    begun = [ledger for ledger in ledgers if ledger.header()]
    seen: set[str] = set()
    found: list[Trained] = []
    for ledger in sorted(begun, key=lambda of: (of.folder / HEADER).stat().st_mtime, reverse=True):
        keys = {key: None for run in ledger.runs().values() for _, key in run.stages if key not in seen}
        found += trained_by(ledger.header(), keys, store)
        seen |= keys.keys()
    return tuple(found)


def _design(header: Mapping[str, Any]) -> Design:
    names = ("question", "method", "selection", "cost", "fixed", "published", "published_in")
    return Design(
        study=header["name"],
        task=way_of(header["task"]),
        seeds=tuple(header["seeds"]),
        weights=tuple(header["weights"]),
        **{name: header[name] for name in names},
    )


def _group(of: Mapping[str, Any], folder: Path, store: Store) -> Group:
    return Group(
        space={knob: axis_of(domain) for knob, domain in of["space"].items()},
        minimised=of["direction"] == "minimize",
        frozen=Point(**of["frozen"]) if of["frozen"] else None,
        bound=Bound(**of["bound"]) if of.get("bound") else None,
        overtaken=of.get("overtaken", ""),
        search=_search(of["study"], folder, store),
        **{name: of[name] for name in ("name", "study", "metric", "scored_stage", "fixed", "trials", "rule")},
    )


def _refined(header: Mapping[str, Any], folder: Path, store: Store) -> Refined | None:
    """With its search, if that stands on the point that is frozen now."""
    of = header["refinement"]
    if of is None:
        return None
    beside = child(folder.parent, of["study"], what="study name")
    search = _search(of["study"], folder, store) if _begun(header["groups"], Ledger(beside).header()) else None
    bounds = {group["bound"]["metric"] for group in header["groups"] if group.get("bound")}
    return Refined(
        minimised=of["direction"] == "minimize",
        knobs=tuple(of["knobs"]),
        metrics=_metrics(search, Ledger(beside), store, bounds) if search and bounds else {},
        search=search,
        **{name: of[name] for name in ("study", "metric", "trials", "factor")},
    )


def _begun(groups: Sequence[Mapping[str, Any]], header: Mapping[str, Any]) -> bool:
    """Whether the refinement of that header stands on what the groups froze; what it does not move is fixed."""
    if not header or not all(group["frozen"] for group in groups):
        return False
    stood = {**header["fixed"], **header.get("start", {})}
    return all(stood.get(knob) == value for group in groups for knob, value in group["frozen"]["knobs"].items())


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
