"""The follower's process: sends what is new every few seconds until its driver says "finish" or dies.

    python -m medsearch.tracking.follow     started by `start_follower`, never by hand

On standard input: one JSON line of settings (they may hold a password, so they are no arguments), later "finish".
The end of that pipe, or another parent than at the start, means that the driver is dead. On standard output: the final
SyncReport as one JSON line. Everything else goes to standard error, which is the follower's log.
"""

import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import final

from medsearch.tracking.backend import locate, quiet_mlflow
from medsearch.tracking.reading import StudyReader
from medsearch.tracking.sender import Sender

NICENESS = 10
LONGEST_PAUSE_S = 60.0
ALIVE_CHECK_S = 1.0


@final
class Orders:
    """What the driver says, on the file descriptor `pipe`; `driver` is its process id."""

    def __init__(self, pipe: int, driver: int) -> None:
        self._pipe = pipe
        self._driver = driver

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; whether it is time to end."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            ready, _, _ = select.select([self._pipe], [], [], min(left, ALIVE_CHECK_S))
            if ready or os.getppid() != self._driver:  # "finish" or the end of the pipe: both end it
                return True
            if left == 0.0:
                return False


def main() -> None:
    """Follow one study, as the settings on standard input say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which then says "finish"
    os.nice(NICENESS)
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to the log
    settings = json.loads(_line(0))
    store_root, artifacts = Path(settings["store_root"]), settings["artifacts"] and Path(settings["artifacts"])
    backend = locate(settings["uri"], home=store_root.parent, artifacts=artifacts)
    with quiet_mlflow():
        sender = Sender(StudyReader(Path(settings["study_folder"]), store_root, settings["remote"]), backend)
        follow(sender, Orders(0, settings["driver"]), every=settings["every"])
        report = sender.finish()
    _log(str(report))
    try:
        os.write(answer, json.dumps(asdict(report)).encode() + b"\n")
    except BrokenPipeError:
        _log("the driver is gone")


def follow(sender: Sender, orders: Orders, *, every: float) -> None:
    """Send what is new every `every` seconds, less often while the server does not answer, until ordered to end."""
    pause, told = 0.0, None
    with sender.receipts.following():
        while not orders.wait(pause):
            problem = sender.step(live=True)
            pause = every if problem is None else min(max(2 * pause, every), LONGEST_PAUSE_S)
            if problem != told:
                _log(problem or "up to date again")
                told = problem


def _line(pipe: int) -> bytes:
    """One line, byte by byte: nothing behind it may be swallowed by a buffer."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(pipe, 1)):
        line += byte
    return line


def _log(text: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
