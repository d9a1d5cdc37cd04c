"""A search as MLflow should show it: the parent run, and one run per run of the ledger.

A stage that a prefix run listed first has its curves there and not once more in every trial that builds on it.
"""

from medsearch.core.recipes import fingerprint
from medsearch.study.record.headers import way_of
from medsearch.study.record.ledger import RunRecord
from medsearch.tracking.desired_runs import (
    KNOBS,
    DesiredRun,
    Point,
    code_tags,
    epochs,
    identity,
    last_heard,
    milliseconds,
    objective_names,
    outcome,
    parent_notes,
    pictures,
    plain_name,
    plain_number,
    plain_params,
    plain_tags,
)
from medsearch.tracking.reading import File, StudyFiles

SEARCH = "search"
"""The name of the parent among the runs; the ledger's runs all have a number or a seed in theirs."""


def parent_run(study: StudyFiles, *, live: bool, report: tuple[File, ...] = ()) -> DesiredRun:
    """The search itself. `live`: its driver is at work; `report`: the files of its page."""
    running = any(record.state == "running" for record in study.runs.values())
    return DesiredRun(
        run=SEARCH,
        name=study.title,
        started=milliseconds(min(record.started for record in study.runs.values())),
        status="RUNNING" if live else "KILLED" if running else "FINISHED",
        ended=None if live else max(last_heard(study, record) for record in study.runs.values()),
        tags=identity(study, SEARCH) | _task_tag(study) | {"role": "search"},
        once=parent_notes(study),
        params=plain_params(study.fixed),
        files=report,
    )


def row_runs(study: StudyFiles, *, live: bool) -> tuple[DesiredRun, ...]:  # noqa: ARG001
    """A search has no runs between the parent and those of the ledger."""
    return ()


def ledger_run(study: StudyFiles, record: RunRecord, *, live: bool) -> DesiredRun:
    """One run of the ledger. One that is unfinished with no driver at work was interrupted: KILLED, until resumed."""
    closed = {"complete": "FINISHED", "cut": "FINISHED", "failed": "FAILED"}
    status = closed.get(record.state, "RUNNING" if live else "KILLED")
    params = plain_params({**study.fixed, **record.knobs})
    stages = [
        (node, key)
        for node, key in record.stages
        if study.first[key] == record.run or study.runs[study.first[key]].role != "prefix"
    ]
    series: dict[str, tuple[tuple[Point, ...], ...]] = {}
    for node, key in stages:
        if study.journals.get(key):
            series[node] = epochs(study, node, key)
        if finished := study.finished.get(key):
            series[f"final/{node}"] = (outcome(node, finished),)
    if record.value is not None and record.ended is not None:
        values = {"value": record.value, **dict(zip(objective_names(study.search), record.values, strict=False))}
        time = milliseconds(record.ended)
        series["value"] = (tuple(Point(name, plain_number(value), time, 0) for name, value in values.items()),)
    chosen = record.role == "trial" and study.search is not None and record.number in study.search.chosen
    own = {
        "role": record.role,
        "variant": record.label or None,
        "trial": record.number,
        "seed": record.seed,
        "state": record.state,
        "finalist": "yes" if chosen else None,
        "cut_rung": record.rung if record.state == "cut" else None,
        "reason": record.reason,
        "cause": record.cause,
    } | {f"stage.{plain_name(node)}": key for node, key in record.stages}
    tags = identity(study, record.run) | _task_tag(study) | plain_tags(own) | code_tags(study, record)
    files = tuple(pictures(study, stages))
    return DesiredRun(
        run=record.run,
        name=f"{record.label}, seed {record.seed}" if record.label else record.run,
        started=milliseconds(record.started),
        status=status,
        ended=None if status == "RUNNING" else last_heard(study, record),
        tags=tags | {KNOBS: fingerprint(params)},
        once={"mlflow.loggedImages": "true"} if files else {},
        params=params,
        series=series,
        files=files,
        value=None if record.value is None else plain_number(record.value),
    )


def _task_tag(study: StudyFiles) -> dict[str, str]:
    return plain_tags({"task": way_of(study.search.task, " to ")}) if study.search else {}
