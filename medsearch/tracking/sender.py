"""Bringing a server up to date: plan the difference, do it, and look again whenever an answer was lost.

The server is asked once what it has; from then on its state is known, until an error or another sender makes it
uncertain. Then it is asked again, so a run that was created without our hearing of it is found by its tags.
"""

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import final

from medsearch.tracking import ablation_runs, search_runs
from medsearch.tracking.backend import Backend, locate, quiet_mlflow
from medsearch.tracking.mirror import Mirror, Traffic
from medsearch.tracking.reading import StudyReader
from medsearch.tracking.report import SyncReport
from medsearch.tracking.server import MlflowServer
from medsearch.tracking.upload_log import Receipts
from medsearch.tracking.views import views_of

ATTEMPTS, PAUSE_S, BUSY_S = 3, 1.0, 60.0
BUSY = "another sender is at work"
TOLERATED = 3
"""Runs in a row that may be refused before the server is taken for dead."""


def sync(
    study_folder: Path,
    store_root: Path,
    uri: str | None,
    *,
    remote: str | None = None,
    artifacts: Path | None = None,
) -> SyncReport:
    """Bring the MLflow at `uri` (None: the database beside `store_root`) up to date with a study's files.

    A server that does not answer is no error: the report says so, and the next call sends the rest. `remote`: URI of
    the store, if stages lie there that are not here.

    Raises:
        BadInput: `uri` is of a kind that MLflow has no store for.

    """
    backend = locate(uri, home=store_root.parent, artifacts=artifacts)
    with quiet_mlflow():
        return Sender(StudyReader(study_folder, store_root, remote), backend).finish()


@final
class Sender:
    """Sends one study to one backend. `connect` opens the backend when something is to be sent."""

    def __init__(
        self, reader: StudyReader, backend: Backend, *, connect: Callable[[Backend], MlflowServer] = MlflowServer
    ) -> None:
        self.receipts = Receipts(reader.folder / "tracking", backend.short)
        self._reader, self._backend, self._connect = reader, backend, connect
        self._server: MlflowServer | None = None
        self._mirror: Mirror | None = None
        self._pending: set[str] = set()
        self._above: dict[str, str] = {}
        self._views: dict[str, str] = {}
        self._live: bool | None = None
        self._traffic = Traffic()
        self._problem: str | None = None

    def finish(self) -> SyncReport:
        """Send everything, the report's files too; a server that has just gone away gets a moment to come back."""
        for attempt in range(ATTEMPTS):
            time.sleep(PAUSE_S if attempt else 0.0)
            if self.step(live=self.receipts.followed(), final=True, wait_s=BUSY_S) in (None, BUSY):
                break
        return self.report()

    def report(self) -> SyncReport:
        """What was sent since this sender began, and whether that was all."""
        study = self._reader.study
        return SyncReport(
            study=study.name,
            uri=self._backend.shown,
            runs=len(study.runs),
            behind=self._problem is not None,
            problem=self._problem,
            views=self._views,
            **dataclasses.asdict(self._traffic),
        )

    def step(self, *, live: bool, final: bool = False, wait_s: float = 0.0) -> str | None:
        """Send what is new; `final` looks at every run. Returns what went wrong, in a line, or None."""
        try:
            owing = self._problem is not None
            self._problem = None
            if self._note_changes(live=live, final=final) or owing:
                with self.receipts.sole_sender(wait_s=wait_s) as alone:
                    self._problem = BUSY if alone is None else self._send(alone, final=final)
        except Exception as error:  # whatever it was: the files still hold everything, and the next step sends it
            self._problem = _brief(error)
        if self._problem is not None:
            self._problem = self._backend.masked(self._problem)
            self._mirror = None
        return self._problem

    def _note_changes(self, *, live: bool, final: bool) -> bool:
        """Whether there is anything to send."""
        changed = self._reader.refresh()
        runs = self._reader.study.runs
        changed |= set(runs) if final else set()
        if live != self._live:  # who was running was interrupted, or goes on
            changed |= {name for name, record in runs.items() if record.state == "running"}
        self._pending |= changed
        news = bool(runs) and (bool(self._pending) or live != self._live)
        self._live = live
        return news

    def _send(self, alone: bool, *, final: bool) -> str | None:
        mirror = self._mirror if alone and self._mirror else self._load()
        created = self._traffic.created
        problem = self._send_pending(mirror, final=final)
        if problem is None and final and self._traffic.created > created:
            # A request that was thought lost may have arrived meanwhile: look again, so that no second copy stays.
            problem = self._send_pending(self._load(), final=final)
        return problem

    def _load(self) -> Mirror:
        study = self._reader.study
        self._server = self._server or self._connect(self._backend)
        mirror = Mirror(self._server, self._traffic)
        mirror.load(study.title, str(study.origin), uploaded=self.receipts.uploaded())
        self._pending |= set(study.runs)
        self._mirror = mirror
        return mirror

    def _send_pending(self, mirror: Mirror, *, final: bool) -> str | None:
        before = mirror.uploaded()
        try:
            return self._send_runs(mirror, final=final)
        finally:
            if (now := mirror.uploaded()) != before:
                self.receipts.remember(now, origin=str(self._reader.study.origin))

    def _send_runs(self, mirror: Mirror, *, final: bool) -> str | None:
        """The parent first, then runs in the order of the ledger. One that is refused holds up no other."""
        study, live = self._reader.study, bool(self._live)
        report = self._reader.report() if final else ()
        runs = search_runs if study.ablation is None else ablation_runs
        parent = mirror.bring(runs.parent_run(study, live=live, report=report), parent=None)
        self._views = mirror.show(views_of(study), study.header.question if study.header else "")
        above = {row.run: mirror.bring(row, parent=parent) for row in runs.row_runs(study, live=live)}
        if above != self._above:  # runs hang under others than before
            self._above = above
            self._pending |= set(study.runs)
        problem, refused = None, 0
        for name in [name for name in study.runs if name in self._pending]:
            try:
                run = runs.ledger_run(study, study.runs[name], live=live)
                mirror.bring(run, parent=above.get(run.under, parent))
            except Exception as error:
                problem, refused = f"{name}: {_brief(error)}", refused + 1
                if refused == TOLERATED:
                    break
            else:
                self._pending.discard(name)
                refused = 0
        if problem is None:  # nothing hangs any more under a row that the study no longer has
            mirror.drop(lambda run: ablation_runs.is_group(run) and run not in above)
        return problem


def _brief(error: Exception) -> str:
    if "API request to" in str(error) and (lost := re.search(r"failed with (?:timeout )?exception", str(error))):
        cause = re.search(r"Caused by (\w+)", str(error)[lost.end() :])
        return f"the server does not answer ({cause[1] if cause else 'timeout'})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("(raised as")]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:300]
