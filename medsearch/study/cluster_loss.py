"""Losing the Ray cluster under a running study: noticed within seconds, and told in one line that says how to go on.

Ray itself would wait: for ever where the driver's raylet has died, for a minute where the GCS has, after which it ends
the process with words of its own. So a thread looks at what the study stands on:

    an embedded cluster    its two processes, raylet and GCS; one that has ended does not come back
    a joined cluster       the head's address and this machine's raylet; a head may be restarted, so `PATIENCE`

Tune's loop asks `require_cluster` at every step. Where Ray holds the main thread in a call that does not return, the
thread itself says the line and ends the process: what is finished is stored, and locks are the kernel's.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from medsearch.core.errors import Interrupted, MedsearchError
from medsearch.study.interruption import Halt

LOOK = 1.0
"""Seconds between two looks."""

PATIENCE = 15.0
"""Seconds for which the head of a joined cluster may be silent."""

GRACE = 8.0
"""Seconds that Ray has to let go of the main thread after its cluster was lost."""

ANSWER = 3.0
"""Seconds for one connection."""

START = 240.0
"""Seconds for Ray to start; on a machine that is busy beyond measure it waits for its first workers for ever."""

REMEDY = "see that the machine has memory, processes and time for it, then run the same command again"

Look = Callable[[], str]
"""Says what does not live at this moment, or nothing."""


@final
class ClusterMonitor:
    """Looks every second whether the cluster still lives, in a thread of its own.

    loss: what has died. patience: seconds for which it may be away.
    """

    def __init__(self, look: Look, patience: float) -> None:
        self.loss = ""
        self._look, self._patience = look, patience
        self._leaving, self._left = threading.Event(), threading.Event()
        threading.Thread(target=self._watch, name="cluster-monitor", daemon=True).start()

    def leave(self) -> None:
        """Ray is about to be shut down: what ends now is no loss. A loss before it still ends a shutdown that hangs."""
        self._leaving.set()

    def left(self) -> None:
        """Ray is shut down."""
        self._leaving.set()
        self._left.set()

    def look_now(self) -> None:
        """Without patience: something has failed already, and what is away now is the reason."""
        self.loss = self.loss or self._look()

    def _watch(self) -> None:
        since: float | None = None
        while not self.loss and not self._leaving.wait(LOOK):
            away, now = self._look(), time.monotonic()
            since = (since or now) if away else None
            if since is not None and now - since >= self._patience:
                self.loss = away
        if self.loss and not self._left.wait(GRACE):
            _end(_told(self.loss), Interrupted.exit_code)


_MONITORS: Final[list[ClusterMonitor]] = []
"""That of this process's cluster, if it has one: Ray itself allows no second one."""


@contextmanager
def monitored(node: Any, *, embedded: bool) -> Iterator[ClusterMonitor]:
    """Watch the cluster of this process. node: what Ray knows of this process's part in it."""
    monitor = ClusterMonitor(processes_of(node), 0.0) if embedded else ClusterMonitor(Joined.by(node), PATIENCE)
    _MONITORS.append(monitor)
    try:
        yield monitor
    finally:
        _MONITORS.remove(monitor)
        monitor.left()


def require_cluster() -> None:
    """Stop if the cluster was lost.

    Raises:
        Halt: with Interrupted, which names what has died.

    """
    for monitor in _MONITORS:
        if monitor.loss:
            raise Halt(Interrupted(_told(monitor.loss)))


@contextmanager
def explained() -> Iterator[None]:
    """Errors of Ray's within are told as the loss of the cluster, where that is what they come from."""
    try:
        yield
    except Exception:
        for monitor in _MONITORS:
            monitor.look_now()
        require_cluster()
        raise


def processes_of(node: Any) -> Look:
    """How the embedded cluster of `node` is looked at."""
    from ray._private.ray_constants import PROCESS_TYPE_GCS_SERVER, PROCESS_TYPE_RAYLET

    vital = {kind: node.all_processes[kind][0].process for kind in (PROCESS_TYPE_RAYLET, PROCESS_TYPE_GCS_SERVER)}

    def look() -> str:
        for kind, process in vital.items():
            if (code := process.poll()) is not None:
                return f"the {kind} of this study's Ray cluster (process {process.pid}) {_ended(code)}"
        return ""

    return look


@final
@dataclass(frozen=True, kw_only=True)
class Joined:
    """How a cluster that others started is looked at. raylet: this machine's, by process id; None: it is hidden."""

    head: tuple[str, int]
    raylet: int | None

    @staticmethod
    def by(node: Any) -> "Joined":
        """The cluster that `node` is part of."""
        host, _, port = node.gcs_address.rpartition(":")
        return Joined(head=(host.strip("[]"), int(port)), raylet=_peer(node.raylet_socket_name))

    def __call__(self) -> str:
        """What does not live, or nothing."""
        if self.raylet is not None and not Path(f"/proc/{self.raylet}").exists():
            return f"the raylet that this study had joined (process {self.raylet}) has ended"
        try:
            socket.create_connection(self.head, timeout=ANSWER).close()
        except OSError as error:
            host, port = self.head
            return f"the head of the Ray cluster, {host}:{port}, does not answer ({error.strerror or error})"
        return ""


def _peer(name: str) -> int | None:
    """The process behind a socket of this machine, by its id; None if there is none, or in another container."""
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(name)
            pid = int.from_bytes(asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
    except OSError:
        return None
    return pid or None


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL, as the kernel does when memory runs out"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _told(loss: str) -> str:
    return f"{loss}; what is finished is stored: run the same command again to go on"


@contextmanager
def started_in_time() -> Iterator[None]:
    """End the process with a line if the block, in which Ray starts and listens to nothing else, takes too long."""
    line = f"Ray has not started within {START:g} s; {REMEDY}"
    timer = threading.Timer(START, _end, (line, MedsearchError.exit_code))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(line: str, code: int) -> None:
    """End the process, whatever its main thread is held by."""
    sys.stderr.write(f"medsearch: {line}\n")
    sys.stderr.flush()
    os._exit(code)
