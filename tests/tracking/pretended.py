"""MLflow's rules in memory, with answers that get lost: for laws that need thousands of operations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from medsearch.tracking.desired_runs import Point
from medsearch.tracking.mirror import SENT, Log, TrackedRun
from medsearch.tracking.reading import SUMMARY, File


class Lost(Exception):
    """The server did not answer."""


@dataclass
class Run:
    name: str
    started: int
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    points: set[Point] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    status: str = "RUNNING"
    ended: int | None = None
    deleted: bool = False


class PretendedServer:
    """Params never change, points are a set, runs of one name may be many, deleted runs take nothing.

    `trouble` yields for every operation whether it fails "before", "amid" or "after" its effect, or goes well (None).
    "late": it fails, and takes effect only after the sender has asked what there is.
    """

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.experiment: dict[str, str] = {}
        self.operations = self._created = 0
        self.trouble: Iterator[str | None] = iter(())
        self._late: list[Callable[[], Any]] = []

    def _do(self, effect: Callable[[], Any], *parts: Callable[[], Any]) -> Any:
        self.operations += 1
        trouble = next(self.trouble, None)
        if trouble == "before":
            raise Lost
        if trouble == "late":
            self._late += [effect, *parts]
            raise Lost
        result = effect()
        if trouble == "amid":
            raise Lost
        for part in parts:
            part()
        if trouble == "after":
            raise Lost
        return result

    def load(self, study: str, origin: str) -> list[TrackedRun]:
        found = [
            TrackedRun(
                id=id,
                status=run.status,
                ended=run.ended,
                tags=dict(run.tags),
                params=dict(run.params),
                value=max(((p.time, p.value) for p in run.points if p.key == "value"), default=(0, None))[1],
                summary={p.key: p.value for p in sorted(run.points, key=lambda p: p.time) if p.key.startswith(SUMMARY)},
            )
            for id, run in self.runs.items()
            if run.tags["medsearch.origin"] == origin and not run.deleted
        ]
        for effect in self._late:
            effect()
        self._late = []
        return found

    def create(self, name: str, started: int, tags: dict[str, str]) -> str:
        self._created += 1
        id = f"id-{self._created}"
        self._do(lambda: self.runs.update({id: Run(name, started, dict(tags))}))
        return id

    def log(self, run: str, batch: Log) -> None:
        of = self._active(run)
        assert len(batch.points) <= 1000
        assert len(batch.params) <= 100
        assert all(of.params.get(key, value) == value for key, value in batch.params.items()), "a param was changed"
        self._do(
            lambda: of.params.update(batch.params) or of.points.update(batch.points), lambda: of.tags.update(batch.tags)
        )

    def untag(self, run: str, key: str) -> None:
        self._do(lambda: self._active(run).tags.pop(key))

    def upload(self, run: str, file: File) -> None:
        self._do(lambda: self._active(run).files.update({file.name: file.path.read_bytes().decode("latin-1")}))

    def close(self, run: str, status: str, ended: int | None) -> None:
        of = self._active(run)
        self._do(lambda: (setattr(of, "status", status), setattr(of, "ended", of.ended if ended is None else ended)))

    def delete(self, run: str) -> None:
        self._do(lambda: setattr(self._active(run), "deleted", True))

    def marks(self) -> tuple[str, dict[str, str]]:
        return "7", dict(self.experiment)

    def mark(self, key: str, value: str) -> bool:
        self._do(lambda: self.experiment.update({key: value}))
        return True

    def _active(self, run: str) -> Run:
        assert not self.runs[run].deleted, "MLflow refuses to change a deleted run"
        return self.runs[run]

    def shown(self) -> dict[str, Any]:
        """What a user sees: the runs that are not deleted, by name. Fails when a run is there twice."""
        shown: dict[str, Any] = {}
        for run in self.runs.values():
            if run.deleted:
                continue
            assert run.tags["medsearch.run"] not in shown, "a run is there twice"
            shown[run.tags["medsearch.run"]] = self._face(run)
        return shown

    def _face(self, run: Run) -> dict[str, Any]:
        tags = {key: value for key, value in run.tags.items() if key not in (SENT, "mlflow.parentRunId")}
        parent = run.tags.get("mlflow.parentRunId")
        going = run.status in ("RUNNING", "KILLED")
        return {
            "name": run.name,
            "started": run.started,
            "parent": parent and self.runs[parent].tags["medsearch.run"],
            "tags": tags,
            "params": run.params,
            "points": {point for point in run.points if point.key != "value"},
            # A run that goes on keeps the value it had, until it ends with another.
            "value": None if going else {p.value for p in run.points if p.key == "value"},
            "files": run.files,
            "status": run.status,
            "ended": run.ended if run.status != "RUNNING" else None,
        }
