"""The header of an ablation: all that reports and trackers need to know of its question, and of its cells."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.recipes import plain
from medsearch.study.ablation import Ablation
from medsearch.study.code import header_codes
from medsearch.study.figures import described
from medsearch.study.freezing import freeze, standing
from medsearch.study.graph import Candidate, Cell, Grapher
from medsearch.study.identity import domain_of
from medsearch.study.jobs import Planner, Workplace
from medsearch.study.ledger import Ledger, trial_of
from medsearch.study.rules import Rule
from medsearch.study.search import Search
from medsearch.study.variants import Variant


def begin(grapher: Grapher, ledger: Ledger) -> None:
    """Write the header, unless the folder belongs to another scale or cohort.

    Raises:
        BadInput: it does; the message says in what they differ.

    """
    old, ours = ledger.header().get("identity"), _identity(grapher)
    if old is not None and old != ours:
        parts = ", ".join(part for part in ours if old.get(part) != ours[part]) or "kind of study"
        msg = (
            f"study {grapher.ablation.name!r} in {ledger.folder} was begun with another {parts}; "
            "choose another --home or study name, or remove the folder"
        )
        raise BadInput(msg)
    describe(grapher, ledger)


def describe(grapher: Grapher, ledger: Ledger, failed: Iterable[str] = ()) -> None:
    """Bring the header up to date: cells of rows that retune are known only later."""
    old = ledger.header()
    header = {**_header(grapher, failed), "begun": old.get("begun", time.time())}
    if old != plain(header):
        ledger.write_header(header)


def winner(ablation: Ablation, place: Workplace) -> dict[str, Any]:
    """The knobs of the best configuration of the search that the rows vary; none when they vary the method itself.

    Raises:
        BadInput: that search has not ended in this home.
        StudyFailed: none of its trials is what the ablation takes.

    """
    return {} if ablation.of is None else dict(_chosen(ablation, place)["knobs"])


def _chosen(ablation: Ablation, place: Workplace) -> dict[str, Any]:
    assert ablation.of is not None
    search = ablation.of
    ledger = Ledger(place.study(search.name))
    header = ledger.header()
    if not header.get("chosen") or header["scale"] != search.scale:
        msg = (
            f"ablation {ablation.name!r} varies the best configuration of {search.name!r}, which has none at scale "
            f"{search.scale!r} in {place.home}; run that study first"
        )
        raise BadInput(msg)
    number = header["chosen"][0] if ablation.take is None else _taken(search, ablation.take, place)
    trial = trial_of(ledger.runs().values(), number, search.name)
    return {"study": search.name, "trial": number, "knobs": {**header["fixed"], **trial.knobs}}


def _taken(search: Search, rule: Rule, place: Workplace) -> int:
    """The trial that a rule takes of a search that has ended.

    Raises:
        StudyFailed: it allows none.

    """
    return freeze(search, rule, standing(Planner(search, place)), place.store).number


def _identity(grapher: Grapher) -> dict[str, Any]:
    return {
        "scale": grapher.ablation.scale,
        "cohort": {layout: place.cohort for layout, place in sorted(grapher.places.items())},
    }


def _header(grapher: Grapher, failed: Iterable[str]) -> dict[str, Any]:
    of, place = grapher.ablation, next(iter(grapher.places.values()))
    graph = grapher.graph(place.store, failed)
    declared: dict[str, Any] = plain(
        {
            "kind": "ablation",
            "name": of.name,
            "question": of.question,
            "cost": of.cost,
            "method": of.method.name,
            "scale": of.scale,
            "commit": place.about.get("git_commit"),
            "code": header_codes(of),
            "tasks": [_task(grapher, column) for column in of.tasks],
            "variants": [_row(of, row) for row in of.rows],
            "seeds": of.seeds,
            "metrics": of.metrics,
            "objective": of.objective,
            "supervised": of.supervised if any(row.label == of.supervised for row in of.rows) else "",
            "margin": of.margin,
            "fixed": of.fixed,
            "within": of.within,
            "retune": _retune(of),
            "of": _chosen(of, place) if of.of else None,
            "reported": of.reported,
            "figure": described(of.figure),
            "cells": [_cell(cell) for cell in graph.cells],
            "candidates": [_candidate(candidate) for candidate in graph.candidates],
            "identity": _identity(grapher),
        }
    )
    return declared


def _task(grapher: Grapher, column: str) -> dict[str, Any]:
    task = grapher.ablation.tasks[column]
    place = grapher.place(task)
    return {
        "label": column,
        "task": task,
        "layout": task.layout,
        "selection": grapher.ablation.rule(column),
        "cohort": place.cohort,
        "subjects": len(place.roster.subjects),
        "about": place.about,
    }


def _row(of: Ablation, row: Variant) -> dict[str, Any]:
    return {
        "label": row.label,
        "knobs": row.knobs,
        "kind": "variant" if row in of.variants else "reference",
        "against": row.against,
        "tasks": row.tasks or tuple(of.tasks),
        "method": str(row.method or of.method),
        "line": row.line,
    }


def _retune(of: Ablation) -> Mapping[str, Any] | None:
    if not of.retune:
        return None
    return {"space": {knob: domain_of(domain) for knob, domain in of.retune.items()}, "trials": of.trials}


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "variant": cell.row,
        "task": cell.column,
        "seed": cell.seed,
        "knobs": cell.knobs,
        "stages": [(run.node, run.key) for run in cell.runs],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "variant": candidate.row,
        "task": candidate.column,
        "number": candidate.number,
        "knobs": candidate.knobs,
        "stages": [(run.node, run.key) for run in candidate.runs],
        "scored": candidate.scored.node,
        "value": candidate.value,
        "chosen": candidate.chosen,
    }
