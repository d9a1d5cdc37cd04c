"""What MLflow should hold of a study: one parent run, one child per run of the ledger. No server is asked here.

    params     dotted knobs: those that the study fixed, and the run's own
    metrics    <stage>/<domain>/<split>/<metric> by epoch; final/<stage>/... what a finished stage ended with;
               value: the selection metric. Times are those of the journals, so sending twice adds no point.
    tags       study, role, variant, trial, seed, task, selection, method, scale, cohort, commit, state, finalist,
               cut_rung, reason, cause, stage.<node> = key. medsearch.* are this program's own.

A stage that a prefix run listed first has its curves there and not once more in every trial that builds on it.
"""

import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.core.recipes import fingerprint
from medsearch.study.ledger import RunRecord
from medsearch.study.tracking.reading import File, Finished, Study

PARENT = "search"
"""The name of the parent among the runs; the ledger's runs all have a number or a seed in theirs."""

SHARED = ("method", "scale", "selection", "cohort")
"""What every run repeats from the study's header, so that runs can be filtered by it."""

NAME_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 6000, 5000  # MLflow's limits; tags as the oldest supported server has it


@final
@dataclass(frozen=True)
class Point:
    """One value of a metric at an epoch, at `time` (Unix milliseconds)."""

    key: str
    value: float
    time: int
    step: int


@final
@dataclass(frozen=True, kw_only=True)
class WantedRun:
    """A run as MLflow should show it. Times are Unix milliseconds.

    `once` are tags that are set where they are missing and then the user's to edit. `series` only ever grow at their
    ends, entry by entry, so that "how many were sent" is all that has to be remembered.
    """

    run: str
    name: str
    started: int
    status: str
    ended: int | None
    tags: Mapping[str, str]
    once: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    series: Mapping[str, tuple[tuple[Point, ...], ...]] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    value: float | None = None


def wanted_parent(study: Study, *, live: bool, report: tuple[File, ...] = ()) -> WantedRun:
    """The search itself. `live`: its driver is at work; `report`: the files of its page."""
    running = any(record.state == "running" for record in study.runs.values())
    status = "RUNNING" if live else "KILLED" if running else "FINISHED"
    question = study.header.get("question")
    return WantedRun(
        run=PARENT,
        name=study.title,
        started=_ms(min(record.started for record in study.runs.values())),
        status=status,
        ended=None if live else max(_last(study, record) for record in study.runs.values()),
        tags=_shared_tags(study, PARENT) | {"role": "search"},
        once=_once(study) | ({"mlflow.note.content": str(question)} if question else {}),
        params=_params(study.header.get("fixed", {})),
        files=report,
    )


def wanted_run(study: Study, record: RunRecord, *, live: bool) -> WantedRun:
    """One run of the ledger. One that is unfinished with no driver at work was interrupted: KILLED, until resumed."""
    closed = {"complete": "FINISHED", "cut": "FINISHED", "failed": "FAILED"}
    status = closed.get(record.state, "RUNNING" if live else "KILLED")
    params = _params({**study.header.get("fixed", {}), **record.knobs})
    stages = [(node, key) for node, key in record.stages if _shows(study, record, key)]
    return WantedRun(
        run=record.run,
        name=f"{record.label}, seed {record.seed}" if record.label else record.run,
        started=_ms(record.started),
        status=status,
        ended=None if status == "RUNNING" else _last(study, record),
        tags=_shared_tags(study, record.run) | _own_tags(study, record) | {"medsearch.knobs": fingerprint(params)},
        once=_once(study),
        params=params,
        series=dict(_series(study, record, stages)),
        files=tuple(_pictures(study, stages)),
        value=None if record.value is None else _number(record.value),
    )


def _params(knobs: Mapping[str, Any]) -> dict[str, str]:
    return {_name(path): _text(value, PARAM_LENGTH) for path, value in knobs.items()}


def _shared_tags(study: Study, run: str) -> dict[str, str]:
    title = study.title
    named = {key: study.header.get(key) for key in SHARED}
    tags = {key: value for key, value in named.items() if isinstance(value, str)} | _task(study.header.get("task"))
    identity = {"medsearch.run": f"{title}/{run}", "medsearch.origin": str(study.origin)}
    return {key: _text(value, TAG_LENGTH) for key, value in ({"study": title} | tags | identity).items()}


def _task(of: Any) -> dict[str, str]:
    if isinstance(of, dict) and {"source", "target"} <= set(of):
        return {"task": f"{of['source']} to {of['target']}"}
    return {"task": of} if isinstance(of, str) else {}


def _own_tags(study: Study, record: RunRecord) -> dict[str, str]:
    chosen = record.role == "trial" and record.number in study.header.get("chosen", ())
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
    of |= {f"stage.{_name(node)}": key for node, key in record.stages}
    return {key: _text(value, TAG_LENGTH) for key, value in of.items() if value is not None}


def _once(study: Study) -> dict[str, str]:
    commit = study.header.get("commit")
    return {"commit": str(commit), "mlflow.source.git.commit": str(commit)} if commit else {}


def _shows(study: Study, record: RunRecord, key: str) -> bool:
    first = study.first[key]
    return first == record.run or study.runs[first].role != "prefix"


def _series(
    study: Study, record: RunRecord, stages: list[tuple[str, str]]
) -> Iterator[tuple[str, tuple[tuple[Point, ...], ...]]]:
    for node, key in stages:
        if journal := study.journals.get(key):
            yield node, tuple(_epoch(node, line) for line in journal)
        if finished := study.finished.get(key):
            yield f"final/{node}", (_outcome(node, finished),)
    if record.value is not None and record.ended is not None:
        yield "value", ((Point("value", _number(record.value), _ms(record.ended), 0),),)


def _epoch(node: str, line: Mapping[str, Any]) -> tuple[Point, ...]:
    named = _by_domain(line["metrics"], line.get("domains", {}))
    return _points(node, named, time=line["time"], step=int(line["epoch"]))


def _outcome(node: str, finished: Finished) -> tuple[Point, ...]:
    metrics = finished.metrics | ({} if finished.seconds is None else {"seconds": finished.seconds})
    points = _points(node, _by_domain(metrics, finished.domains), time=finished.time, step=0)
    return tuple(replace(point, key=f"final/{point.key}") for point in points)


def _by_domain(metrics: Mapping[str, Any], domains: Mapping[str, str]) -> dict[str, Any]:
    """<split>/<metric> as <domain>/<split>/<metric> where it is known whose cases the split holds."""
    owner = {name: domains.get(name.partition("/")[0]) for name in metrics}
    return {f"{owner[name]}/{name}" if owner[name] else name: value for name, value in metrics.items()}


def _points(node: str, metrics: Mapping[str, Any], *, time: float, step: int) -> tuple[Point, ...]:
    """Named <node>/<metric>; a name that begins with the node bears it already."""
    return tuple(
        Point(_name(f"{node}/{name.removeprefix(f'{node}/')}"), _number(value), _ms(time), step)
        for name, value in metrics.items()
        if isinstance(value, int | float)
    )


def _pictures(study: Study, stages: list[tuple[str, str]]) -> Iterator[File]:
    for node, key in stages:
        if finished := study.finished.get(key):
            for file in finished.pictures:
                inner = file.folder.removeprefix("pictures")
                yield File(file.path, f"pictures/{node}{inner}", file.digest)


def _last(study: Study, record: RunRecord) -> int:
    """When the run ended, or was last heard of."""
    if record.ended is not None:
        return _ms(record.ended)
    heard = [line["time"] for _, key in record.stages for line in study.journals.get(key, ())]
    return _ms(max([record.started, *heard]))


def _number(value: float) -> float:
    """MLflow keeps NaN, but turns infinities into 1.8e308, which nobody measured."""
    return float(value) if math.isfinite(value) else math.nan


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _name(of: str) -> str:
    return posixpath.normpath(re.sub(r"[^\w\-. :/]", "_", of))[:NAME_LENGTH]


def _text(value: Any, length: int) -> str:
    text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"
