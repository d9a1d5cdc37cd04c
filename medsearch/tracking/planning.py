"""What to do so that a server holds what it should: the difference between a wanted run and the one it has.

Pure: no server, no clock. Doing a plan twice, or a part of it and then a new plan, ends in the same place.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

from medsearch.tracking.desired_runs import ANEW, KNOBS, SHARED, DesiredRun, Point
from medsearch.tracking.reading import File

SENT = "medsearch.sent"
"""The tag that counts, per series, the entries that are on the server; it travels in one batch with them."""

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
@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run as a server has it.

    `summary` holds the last values of metrics that are replaced, `files` (name -> digest) what this place remembers to
    have uploaded.
    """

    id: str
    status: str
    ended: int | None = None
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    summary: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> dict[str, int]:
        """Entries on the server, per series."""
        return {str(key): int(count) for key, count in json.loads(self.tags.get(SENT, "{}")).items()}


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
class Log:
    """One batch. The server stores params, then points, then tags."""

    params: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


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


def plan(wanted: DesiredRun, held: TrackedRun | None, *, parent: str | None) -> list[Operation]:
    """The operations, in order, that turn `held` into `wanted`; `parent` is the id of the parent run on this server."""
    tags = {**wanted.tags, **({"mlflow.parentRunId": parent} if parent else {})}
    if held is not None and _contradicts(wanted, held):
        return [Delete(held.id), *plan(wanted, None, parent=parent)]
    steps: list[Operation] = []
    if held is None:
        steps.append(Create(wanted.name, wanted.started, {**wanted.once, **tags}))
        held = TrackedRun(id="", status="RUNNING", tags={**wanted.once, **tags})
    steps += _tags(wanted, held, tags)
    steps += _params(wanted, held)
    steps += _points(wanted, held)
    steps += _summary(wanted, held)
    steps += [Upload(file) for file in wanted.files if held.files.get(file.name) != file.digest]
    if (wanted.status, wanted.ended) != (held.status, held.ended if wanted.ended is not None else None):
        steps.append(Close(wanted.status, wanted.ended))
    return steps


def settled(wanted: DesiredRun, held: TrackedRun | None, *, id: str, parent: str | None) -> TrackedRun:
    """What the server has once the plan is done."""
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


def adopt(found: Iterable[TrackedRun]) -> tuple[dict[str, TrackedRun], list[Delete]]:
    """Runs by name; of several with one name (a lost answer made the sender ask twice) one stays, to be completed."""
    kept: dict[str, TrackedRun] = {}
    extra = []
    for held in sorted(found, key=lambda held: held.id):
        run = held.tags["medsearch.run"].rpartition("/")[2]
        if run in kept:
            extra.append(Delete(held.id))
        else:
            kept[run] = held
    return kept, extra


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


def _tags(wanted: DesiredRun, held: TrackedRun, tags: Mapping[str, str]) -> Iterator[Operation]:
    new = {key: value for key, value in tags.items() if held.tags.get(key) != value}
    new |= {key: value for key, value in wanted.once.items() if key not in held.tags}
    if new:
        yield Log(tags=new)
    yield from (Untag(key) for key in sorted(OWN & held.tags.keys() - tags.keys() - wanted.once.keys()))


def _params(wanted: DesiredRun, held: TrackedRun) -> Iterator[Operation]:
    missing = [(key, value) for key, value in wanted.params.items() if key not in held.params]
    for at in range(0, len(missing), PARAMS):
        yield Log(params=dict(missing[at : at + PARAMS]))


def _summary(wanted: DesiredRun, held: TrackedRun) -> Iterator[Operation]:
    told = [point for point in wanted.summary if not math.isnan(point.value) or point.key in held.summary]
    new = [point for point in told if not _equal(point.value, held.summary.get(point.key))]
    for at in range(0, len(new), POINTS):
        yield Log(points=tuple(new[at : at + POINTS]))


def _points(wanted: DesiredRun, held: TrackedRun) -> Iterator[Operation]:
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
