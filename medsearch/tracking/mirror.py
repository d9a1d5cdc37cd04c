"""What a server is known to hold of one study, kept true by every operation that is done through it."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import final

from medsearch.tracking.desired_runs import DesiredRun
from medsearch.tracking.planning import (
    Close,
    Create,
    Delete,
    Log,
    Operation,
    TrackedRun,
    Untag,
    Upload,
    adopt,
    plan,
    settled,
)
from medsearch.tracking.saved import View, is_ours
from medsearch.tracking.server import Server

DESCRIPTION = "mlflow.note.content"


@final
@dataclasses.dataclass
class Traffic:
    """What went over the wire: runs created, metric points, files."""

    created: int = 0
    points: int = 0
    files: int = 0


@final
class Mirror:
    """Valid until an operation raises or somebody else writes; then a new one has to be loaded."""

    def __init__(self, server: Server, traffic: Traffic) -> None:
        self._server = server
        self._traffic = traffic
        self._held: dict[str, TrackedRun] = {}
        self._experiment, self._marks = "", dict[str, str]()

    def load(self, study: str, origin: str, *, uploaded: Mapping[str, Mapping[str, str]]) -> None:
        """Ask the server. Second copies of a run go; `uploaded` (run id -> name -> digest) is remembered, not asked."""
        held, extra = adopt(self._server.load(study, origin))
        for copy in extra:
            self._server.delete(copy.id)
        self._experiment, self._marks = self._server.marks()
        self._held = {run: dataclasses.replace(of, files=uploaded.get(of.id, {})) for run, of in held.items()}

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
        for step in plan(wanted, held, parent=parent):
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
