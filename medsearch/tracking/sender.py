"""Bringing a server up to date: find the difference, make it good, and look again whenever an answer was lost.

The server is asked once what it has; from then on its state is known, until an error or another sender makes it
uncertain. Then it is asked again, so a run that was created without our hearing of it is found by its tags.
"""

import dataclasses
import fcntl
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, final

from medsearch.core.errors import Damaged
from medsearch.core.locks import flock
from medsearch.core.ownership import unlinked
from medsearch.core.records import lacks, read_record, write_sealed
from medsearch.tracking import ablation_runs, search_runs
from medsearch.tracking.backend import Backend, locate, quiet_mlflow
from medsearch.tracking.mirror import Mirror, Traffic
from medsearch.tracking.reading import StudyReader
from medsearch.tracking.server import MlflowServer
from medsearch.tracking.views import views_of

ATTEMPTS, PAUSE_S, BUSY_S = 3, 1.0, 60.0
BUSY = "another sender is at work"
TOLERATED = 3
"""Runs in a row that may be refused before the server is taken for dead."""


@final
@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """`runs` the study has; `created`, `points`, `files` went out this time; `behind`: the server lacks something.

    `views` are the addresses of the study's saved views by name, behind the address of MLflow's pages.
    """

    study: str
    uri: str
    runs: int = 0
    created: int = 0
    points: int = 0
    files: int = 0
    behind: bool = False
    problem: str | None = None
    views: Mapping[str, str] = field(default_factory=dict)

    def links(self) -> list[str]:
        """A line for every saved view, where the MLflow is a server, which has pages."""
        base = self.uri.rstrip("/")
        return [f"{name}: {base}/{view}" for name, view in self.views.items()] if base.startswith("http") else []

    def __str__(self) -> str:
        if self.behind:
            reason = self.problem or "not everything was sent"
            return f"{self.uri} is behind ({reason}); run: medsearch sync {self.study}"
        return f"{self.uri} holds all {self.runs} runs of {self.study}"


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


@final
class Receipts:
    """What this place remembers of one backend, called `short`, in `folder` (studies/<study>/tracking), and its locks.

    <short>.json       which files were uploaded, by content, and under which origin; without it they are uploaded once
                       more, over themselves
    <short>.lock       held while something is sent, so that two senders never create the same run; names the last one
    <short>.following  held (shared) by followers while their driver lives
    """

    def __init__(self, folder: Path, short: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._memory = folder / f"{short}.json"
        self._lock = folder / f"{short}.lock"
        self._life = folder / f"{short}.following"
        self._name = uuid.uuid4().hex

    @contextmanager
    def sole_sender(self, *, wait_s: float = 0.0) -> Iterator[bool | None]:
        """None: somebody else is sending. Otherwise hold the lock; True: nobody else has sent since the last time."""
        with _opened(self._lock) as file:
            if not _acquired(file, self._lock, wait_s):
                yield None
                return
            alone = file.read() == self._name
            file.seek(0)
            file.write(self._name)
            file.flush()
            yield alone

    @contextmanager
    def following(self) -> Iterator[None]:
        """Say that a driver is at work, until this process dies or leaves."""
        with _opened(self._life) as file:
            flock(file, fcntl.LOCK_SH, self._life)
            yield

    def followed(self) -> bool:
        """Whether a driver is at work."""
        with _opened(self._life) as file:
            return not _acquired(file, self._life, 0.0)

    def uploaded(self) -> dict[str, dict[str, str]]:
        """Run id -> artifact name -> digest."""

        def fault(memory: Mapping[str, Any]) -> str:
            if problem := lacks(memory, {"files": dict}):
                return problem
            whole = all(isinstance(of, dict) for of in memory["files"].values())
            return "" if whole else "names a run without its files"

        try:
            return dict(read_record(self._memory, fault=fault)["files"])
        except (FileNotFoundError, Damaged):  # nothing remembered: everything is uploaded again, over itself
            return {}

    def remember(self, files: Mapping[str, Mapping[str, str]], *, origin: str) -> None:
        """Keep what was uploaded, and the study's origin, for the next process."""
        write_sealed(self._memory, {"origin": origin, "files": files})


def _opened(path: Path) -> IO[str]:
    return os.fdopen(unlinked(str(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC), "r+")


def _acquired(file: IO[str], path: Path, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while True:
        try:
            flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)
        else:
            return True
