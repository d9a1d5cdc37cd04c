"""The driver's side of the follower: start it, forget it, and at the end ask it to finish."""

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import final

from medsearch.core.machine import python_path
from medsearch.tracking.backend import locate
from medsearch.tracking.sender import SyncReport


def start_follower(
    study_folder: Path,
    store_root: Path,
    uri: str | None,
    *,
    remote: str | None = None,
    artifacts: Path | None = None,
    every_s: float = 2.0,
) -> "Follower":
    """Start a process that keeps the MLflow at `uri` up to date with the study while it runs. Returns at once.

    remote: URI of the store, if other machines train where this one does not see it.

    Raises:
        BadInput: `uri` is of a kind that MLflow has no store for.

    """
    backend = locate(uri, home=store_root.parent, artifacts=artifacts)
    folder = study_folder / "tracking"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "study_folder": str(study_folder.resolve()),
        "store_root": str(store_root.resolve()),
        "remote": remote,
        "uri": backend.uri,
        "artifacts": artifacts and str(artifacts.resolve()),
        "driver": os.getpid(),
        "every": every_s,
    }
    with (folder / "follow.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "medsearch.tracking.follow"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": python_path(), "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
    follower = Follower(process, SyncReport(study=study_folder.name, uri=backend.shown, behind=True))
    follower.say(json.dumps(settings))
    return follower


@final
class Follower:
    """A running follower; `behind` is the report if it has nothing to say for itself."""

    def __init__(self, process: "subprocess.Popen[bytes]", behind: SyncReport) -> None:
        self.process = process
        self._report: SyncReport | None = None
        self._behind = behind

    def say(self, line: str) -> None:
        """Write a line to the follower; a dead one hears nothing, which `finish` reports."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._behind = replace(self._behind, problem="its sender has died, see tracking/follow.log")

    def finish(self, timeout_s: float) -> SyncReport:
        """Ask for one last look at everything, wait for at most `timeout_s`, and stop the follower in any case."""
        if self._report is None:
            self.say("finish")
            self._report = self._answer(timeout_s)
            # It may be in the middle of anything: the files hold it all, and the next sender looks what arrived.
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
        return self._report

    def _answer(self, timeout_s: float) -> SyncReport:
        assert self.process.stdout is not None
        pipe, until, answer = self.process.stdout.fileno(), time.monotonic() + timeout_s, b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return replace(self._behind, problem=f"no answer within {timeout_s:g} s")
            piece = os.read(pipe, 65536)
            if not piece:
                return replace(self._behind, problem="its sender has died, see tracking/follow.log")
            answer += piece
        return SyncReport(**json.loads(answer))
