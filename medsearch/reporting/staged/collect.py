"""From the header of a staged search and its searches' own results to `StagedResults`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.reporting.evidence import provenance
from medsearch.reporting.search.collect import axis_of
from medsearch.reporting.search.collect import collect as collect_search
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.staged.results import Design, Group, Point, Refined, StagedResults
from medsearch.stages.store import Store
from medsearch.study.ledger import Ledger


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
    point = {knob: value for of in header["groups"] if of["frozen"] for knob, value in of["frozen"]["knobs"].items()}
    return StagedResults(
        design=_design(header),
        provenance=origin,
        groups=tuple(_group(of, folder, store) for of in header["groups"]),
        refinement=_refined(header["refinement"], point, folder, store),
        refused=header["refused"],
    )


def _design(header: Mapping[str, Any]) -> Design:
    task = header["task"]
    names = ("question", "method", "selection", "cost", "fixed", "published", "published_in")
    return Design(
        study=header["name"],
        task=f"{task['source']} → {task['target']}",
        seeds=tuple(header["seeds"]),
        weights=tuple(header["weights"]),
        **{name: header[name] for name in names},
    )


def _group(of: Mapping[str, Any], folder: Path, store: Store) -> Group:
    return Group(
        space={knob: axis_of(domain) for knob, domain in of["space"].items()},
        minimised=of["direction"] == "minimize",
        frozen=Point(**of["frozen"]) if of["frozen"] else None,
        search=_search(of["study"], folder, store),
        **{name: of[name] for name in ("name", "study", "metric", "scored_stage", "fixed", "trials", "rule")},
    )


def _refined(of: Mapping[str, Any] | None, point: Mapping[str, Any], folder: Path, store: Store) -> Refined | None:
    """With its search, if that began at the point that is frozen now."""
    if of is None:
        return None
    start = Ledger(folder.parent / of["study"]).header().get("start", {})
    begun = bool(start) and all(point.get(knob) == value for knob, value in start.items())
    return Refined(
        minimised=of["direction"] == "minimize",
        knobs=tuple(of["knobs"]),
        search=_search(of["study"], folder, store) if begun else None,
        **{name: of[name] for name in ("study", "metric", "trials", "factor")},
    )


def _search(study: str, folder: Path, store: Store) -> SearchResults | None:
    beside = folder.parent / study
    return collect_search(beside, store) if Ledger(beside).header() else None
