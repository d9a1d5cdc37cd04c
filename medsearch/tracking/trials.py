"""A search as MLflow should show it: the parent run, and one run per run of the ledger.

A stage that a prefix run listed first has its curves there and not once more in every trial that builds on it.
"""

from collections.abc import Iterator
from typing import Any

from medsearch.core.recipes import fingerprint
from medsearch.study.record.headers import way_of
from medsearch.study.record.ledger import RunRecord
from medsearch.tracking.desired_runs import (
    KNOBS,
    DesiredRun,
    Point,
    Series,
    code_tags,
    identity,
    last_heard,
    milliseconds,
    note,
    objective_names,
    once,
    plain_name,
    plain_number,
    plain_params,
    plain_tags,
)
from medsearch.tracking.reading import File, Study
from medsearch.tracking.series import epochs, outcome, pictures

SEARCH = "search"
"""The name of the parent among the runs; the ledger's runs all have a number or a seed in theirs."""


def wanted_search(study: Study, *, live: bool, report: tuple[File, ...] = ()) -> DesiredRun:
    """The search itself. `live`: its driver is at work; `report`: the files of its page."""
    running = any(record.state == "running" for record in study.runs.values())
    status = "RUNNING" if live else "KILLED" if running else "FINISHED"
    return DesiredRun(
        run=SEARCH,
        name=study.title,
        started=milliseconds(min(record.started for record in study.runs.values())),
        status=status,
        ended=None if live else max(last_heard(study, record) for record in study.runs.values()),
        tags=identity(study, SEARCH) | _task(study) | {"role": "search"},
        once=once(study) | note(study),
        params=plain_params(study.fixed),
        files=report,
    )


def wanted_trial(study: Study, record: RunRecord, *, live: bool) -> DesiredRun:
    """One run of the ledger. One that is unfinished with no driver at work was interrupted: KILLED, until resumed."""
    closed = {"complete": "FINISHED", "cut": "FINISHED", "failed": "FAILED"}
    status = closed.get(record.state, "RUNNING" if live else "KILLED")
    params = plain_params({**study.fixed, **record.knobs})
    stages = [(node, key) for node, key in record.stages if _shows(study, record, key)]
    files = tuple(pictures(study, stages))
    return DesiredRun(
        run=record.run,
        name=f"{record.label}, seed {record.seed}" if record.label else record.run,
        started=milliseconds(record.started),
        status=status,
        ended=None if status == "RUNNING" else last_heard(study, record),
        tags=identity(study, record.run)
        | _task(study)
        | _own_tags(study, record)
        | code_tags(study, record)
        | {KNOBS: fingerprint(params)},
        once={"mlflow.loggedImages": "true"} if files else {},
        params=params,
        series=_series(study, record, stages),
        files=files,
        value=None if record.value is None else plain_number(record.value),
    )


def _task(study: Study) -> dict[str, str]:
    return plain_tags({"task": way_of(study.search.task, " to ")}) if study.search else {}


def _own_tags(study: Study, record: RunRecord) -> dict[str, str]:
    chosen = record.role == "trial" and study.search is not None and record.number in study.search.chosen
    of: dict[str, Any] = {
        "role": record.role,
        "variant": record.label or None,
        "trial": record.number,
        "seed": record.seed,
        "state": record.state,
        "finalist": "yes" if chosen else None,
        "cut_rung": record.rung if record.state == "cut" else None,
        "reason": record.reason,
        "cause": record.cause,
    }
    return plain_tags(of | {f"stage.{plain_name(node)}": key for node, key in record.stages})


def _shows(study: Study, record: RunRecord, key: str) -> bool:
    first = study.first[key]
    return first == record.run or study.runs[first].role != "prefix"


def _series(study: Study, record: RunRecord, stages: list[tuple[str, str]]) -> Series:
    return dict(_all_series(study, record, stages))


def _all_series(
    study: Study, record: RunRecord, stages: list[tuple[str, str]]
) -> Iterator[tuple[str, tuple[tuple[Point, ...], ...]]]:
    for node, key in stages:
        if study.journals.get(key):
            yield node, epochs(study, node, key)
        if finished := study.finished.get(key):
            yield f"final/{node}", (outcome(node, finished),)
    if record.value is not None and record.ended is not None:
        told = {"value": record.value, **dict(zip(objective_names(study.search), record.values, strict=False))}
        at = milliseconds(record.ended)
        yield "value", (tuple(Point(name, plain_number(value), at, 0) for name, value in told.items()),)
