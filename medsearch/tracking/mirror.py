"""A server brought to hold what it should: what is missing is found, done, and then known to be there.

`operations` is pure: no server, no clock. Doing them twice, or a part of them and then those that are missing by then,
ends in the same place.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

from medsearch.tracking.desired_runs import ANEW, KNOBS, SHARED, DesiredRun, Point
from medsearch.tracking.reading import File
from medsearch.tracking.saved_views import View, is_ours
from medsearch.tracking.server import SENT, Log, MlflowServer, TrackedRun

DESCRIPTION = "mlflow.note.content"

POINTS, PARAMS = 900, 50  # in one batch; MLflow takes 1000 entities, 100 params, 1 MB

OWN = frozenset(
    {
        *SHARED,
        "commit",
        "mlflow.source.git.commit",
        "task",
        "variant",
        "trial",
        "finalist",
        "cut_rung",
        "reason",
        "cause",
    }
    | {"against", "cells", "runs", "candidate", "row", "place", "verdict", "verdict_reason"}
)
"""Tags that come and go with what they tell; every other tag on the server is somebody else's."""


@final
@dataclass(frozen=True)
class Delete:
    """Remove a run that contradicts what is stored, or a second copy of one."""

    id: str


@final
@dataclass(frozen=True)
class Create:
    """Make the run, running, with all its tags at once: found again by them if the sender dies right afterwards."""

    name: str
    started: int
    tags: Mapping[str, str]


@final
@dataclass(frozen=True)
class Untag:
    """Remove a tag that is no longer true."""

    key: str


@final
@dataclass(frozen=True)
class Upload:
    """Put a file among the run's artifacts, over an older one of the same name."""

    file: File


@final
@dataclass(frozen=True)
class Close:
    """Set the status; `ended` in Unix milliseconds."""

    status: str
    ended: int | None


Operation = Delete | Create | Log | Untag | Upload | Close


def operations(wanted: DesiredRun, held: TrackedRun | None, *, parent: str | None) -> list[Operation]:
    """The operations, in order, that turn `held` into `wanted`; `parent` is the id of the parent run on this server."""
    tags = {**wanted.tags, **({"mlflow.parentRunId": parent} if parent else {})}
    if held is not None and _contradicts(wanted, held):
        return [Delete(held.id), *operations(wanted, None, parent=parent)]
    steps: list[Operation] = []
    if held is None:
        steps.append(Create(wanted.name, wanted.started, {**wanted.once, **tags}))
        held = TrackedRun(id="", status="RUNNING", tags={**wanted.once, **tags})
    new = {key: value for key, value in tags.items() if held.tags.get(key) != value}
    new |= {key: value for key, value in wanted.once.items() if key not in held.tags}
    steps += [Log(tags=new)] if new else []
    steps += [Untag(key) for key in sorted(OWN & held.tags.keys() - tags.keys() - wanted.once.keys())]
    missing = [(key, value) for key, value in wanted.params.items() if key not in held.params]
    steps += [Log(params=dict(missing[at : at + PARAMS])) for at in range(0, len(missing), PARAMS)]
    steps += _new_points(wanted, held)
    known = [point for point in wanted.summary if not math.isnan(point.value) or point.key in held.summary]
    changed = [point for point in known if not _equal(point.value, held.summary.get(point.key))]
    steps += [Log(points=tuple(changed[at : at + POINTS])) for at in range(0, len(changed), POINTS)]
    steps += [Upload(file) for file in wanted.files if held.files.get(file.name) != file.digest]
    if (wanted.status, wanted.ended) != (held.status, held.ended if wanted.ended is not None else None):
        steps.append(Close(wanted.status, wanted.ended))
    return steps


def settled(wanted: DesiredRun, held: TrackedRun | None, *, id: str, parent: str | None) -> TrackedRun:
    """What the server has once the `operations` are done."""
    kept = held if held is not None and held.id == id else TrackedRun(id=id, status="RUNNING", tags={})
    sent = {**kept.sent, **{name: len(entries) for name, entries in wanted.series.items()}}
    tags = {**wanted.once, **wanted.tags, **({"mlflow.parentRunId": parent} if parent else {})}
    return TrackedRun(
        id=id,
        status=wanted.status,
        ended=wanted.ended,
        tags={**tags, SENT: _count(sent)},
        params=wanted.params,
        value=wanted.value,
        summary={
            **kept.summary,
            **{p.key: p.value for p in wanted.summary if not math.isnan(p.value) or p.key in kept.summary},
        },
        files={**kept.files, **{file.name: file.digest for file in wanted.files}},
    )


def _contradicts(wanted: DesiredRun, held: TrackedRun) -> bool:
    """MLflow never forgets a param or a point: what was started again with others needs a new run."""
    if KNOBS not in wanted.tags:
        return False
    nodes = {key: value for key, value in held.tags.items() if key.startswith("stage.")}
    other_stages = any(wanted.tags.get(node) != key for node, key in nodes.items())
    anew = {key: value for key, value in wanted.tags.items() if key.startswith(ANEW)}
    other_stages = other_stages or any(held.tags.get(key) != value for key, value in anew.items())
    other_knobs = held.tags.get(KNOBS) != wanted.tags[KNOBS] and not held.params.items() <= wanted.params.items()
    ended = wanted.status in ("FINISHED", "FAILED")  # one that runs again may well end with the same value
    other_value = ended and held.value is not None and not _equal(held.value, wanted.value)
    return other_knobs or other_stages or other_value


def _equal(one: float, other: float | None) -> bool:
    if other is None or math.isnan(one) or math.isnan(other):
        return other is not None and math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)  # some databases keep fewer digits


def _new_points(wanted: DesiredRun, held: TrackedRun) -> Iterator[Operation]:
    """Batches of new entries; the count goes up only with the batch that completes them."""
    sent, batch = held.sent, list[Point]()
    for series, entries in wanted.series.items():
        for count, entry in enumerate(entries[sent.get(series, 0) :], start=sent.get(series, 0) + 1):
            for at in range(0, len(entry), POINTS):
                piece = entry[at : at + POINTS]
                if len(batch) + len(piece) > POINTS:
                    yield Log(points=tuple(batch), tags={SENT: _count(sent)})
                    batch = []
                batch += piece
            sent[series] = count
    if sent != held.sent:
        yield Log(points=tuple(batch), tags={SENT: _count(sent)})


def _count(sent: Mapping[str, int]) -> str:
    return json.dumps(dict(sorted(sent.items())))


@final
@dataclass
class Traffic:
    """What went over the wire: runs created, metric points, files."""

    created: int = 0
    points: int = 0
    files: int = 0


@final
class Mirror:
    """Valid until an operation raises or somebody else writes; then a new one has to be loaded."""

    def __init__(self, server: MlflowServer, traffic: Traffic) -> None:
        self._server = server
        self._traffic = traffic
        self._held: dict[str, TrackedRun] = {}
        self._experiment, self._marks = "", dict[str, str]()

    def load(self, study: str, origin: str, *, uploaded: Mapping[str, Mapping[str, str]]) -> None:
        """Ask the server; `uploaded` (run id -> name -> digest) is remembered, not asked.

        Of several runs with one name, as a lost answer makes the sender ask twice, one stays, to be completed.
        """
        self._held = {}
        for held in sorted(self._server.load(study, origin), key=lambda held: held.id):
            run = held.tags["medsearch.run"].rpartition("/")[2]
            if run in self._held:
                self._server.delete(held.id)
            else:
                self._held[run] = dataclasses.replace(held, files=uploaded.get(held.id, {}))
        self._experiment, self._marks = self._server.marks()

    def uploaded(self) -> dict[str, dict[str, str]]:
        """The files of every run: run id -> name -> digest."""
        return {run.id: dict(run.files) for run in self._held.values() if run.files}

    def show(self, views: Iterable[View], question: str) -> dict[str, str]:
        """Write saved views, but for those that a user has saved over; the address of each, by its name.

        The experiment's description, if it has none, begins with links to them: it heads all of MLflow's pages.
        """
        found = {}
        for view in views:
            held = self._marks.get(view.tag)
            value = view.value
            if held is None or (held != value and is_ours(held)):
                if not self._server.mark(view.tag, value):
                    continue
                self._marks[view.tag] = value
            found[view.name] = view.address(self._experiment)
        if found and DESCRIPTION not in self._marks:
            links = " · ".join(f"[{name}]({address})" for name, address in found.items())
            self._marks[DESCRIPTION] = f"{links}\n\n{question}"
            self._server.mark(DESCRIPTION, self._marks[DESCRIPTION])
        return found

    def bring(self, wanted: DesiredRun, *, parent: str | None) -> str:
        """Make the server hold `wanted`, under the run with id `parent`; the run's id."""
        held = self._held.get(wanted.run)
        id = held.id if held else ""
        for step in operations(wanted, held, parent=parent):
            id = self._do(step, id)
        self._held[wanted.run] = settled(wanted, held, id=id, parent=parent)
        return id

    def drop(self, unwanted: Callable[[str], bool]) -> None:
        """Remove the runs whose name `unwanted` says yes to."""
        for run in sorted(filter(unwanted, self._held)):
            self._do(Delete(self._held.pop(run).id), "")

    def _do(self, step: Operation, id: str) -> str:
        match step:
            case Create(name, started, tags):
                id = self._server.create(name, started, dict(tags))
                self._traffic.created += 1
            case Log():
                self._server.log(id, step)
                self._traffic.points += len(step.points)
            case Untag(key):
                self._server.untag(id, key)
            case Upload(file):
                self._server.upload(id, file)
                self._traffic.files += 1
            case Close(status, ended):
                self._server.close(id, status, ended)
            case Delete(old):
                self._server.delete(old)
        return id
