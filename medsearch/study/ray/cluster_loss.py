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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from subprocess import Popen
from typing import Any, Final, final

from medsearch.core.errors import Interrupted, MedsearchError
from medsearch.study.ray.interruption import GO_ON, Halt

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


@final
class ClusterMonitor:
    """Looks every second whether the cluster still lives, in a thread of its own; ends what is left of a lost one.

    patience: seconds for which the cluster may be away before it counts as lost. loss: what has died; empty: nothing.
    left: set once Ray is shut down.
    """

    def __init__(self, cluster: "Embedded | Joined", patience: float) -> None:
        self.loss = ""
        self.cluster = cluster
        self.patience = patience
        self.left = threading.Event()
        self._leaving = threading.Event()
        threading.Thread(target=self._watch, name="cluster-monitor", daemon=True).start()

    def leave(self) -> None:
        """Ray is about to be shut down: what ends now is no loss. A loss before it still ends a shutdown that hangs."""
        self._leaving.set()

    def _watch(self) -> None:
        since: float | None = None
        while not self.loss and not self._leaving.wait(LOOK):
            away, now = self.cluster.missing(), time.monotonic()
            since = (since or now) if away else None
            if since is not None and now - since >= self.patience:
                self.loss = away
        if not self.loss:
            return
        if isinstance(self.cluster, Embedded):  # others end a cluster that they have started
            self.cluster.end()
        if not self.left.wait(GRACE):
            _end(f"{self.loss}; {GO_ON}", Interrupted.exit_code)


_MONITORS: Final[list[ClusterMonitor]] = []
"""That of this process's cluster, if it has one: Ray itself allows no second one."""


@contextmanager
def monitored(node: Any, *, embedded: bool) -> Iterator[ClusterMonitor]:
    """Watch the cluster of this process. node: what Ray knows of this process's part in it."""
    if embedded:
        processes = ((kind, info.process) for kind, infos in node.all_processes.items() for info in infos)
        monitor = ClusterMonitor(Embedded(tuple(processes)), patience=0.0)  # what has ended does not come back
    else:
        monitor = ClusterMonitor(Joined.by(node), patience=PATIENCE)
    _MONITORS.append(monitor)
    try:
        yield monitor
    finally:
        _MONITORS.remove(monitor)
        monitor.leave()
        monitor.left.set()


def require_cluster() -> None:
    """Stop if the cluster was lost.

    Raises:
        Halt: with Interrupted, which names what has died.

    """
    for monitor in _MONITORS:
        if monitor.loss:
            raise Halt(Interrupted(f"{monitor.loss}; {GO_ON}"))


@contextmanager
def loss_of_cluster() -> Iterator[None]:
    """Within, an error is raised as the loss of the cluster where that is what it comes from; without patience, for
    what is away now is the reason.
    """
    try:
        yield
    except Exception:
        for monitor in _MONITORS:
            monitor.loss = monitor.loss or monitor.cluster.missing()
        require_cluster()
        raise


@final
@dataclass(frozen=True)
class Embedded:
    """A cluster that this process has started: its processes by kind."""

    processes: tuple[tuple[str, Popen[bytes]], ...]

    def missing(self) -> str:
        """Which process that does not come back has ended, and how; or nothing."""
        for kind, process in self.processes:
            if kind in ("raylet", "gcs_server") and (code := process.poll()) is not None:
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
                if code == -signal.SIGKILL:
                    how = "was killed by SIGKILL, as the kernel does when memory runs out"
                return f"the {kind} of this study's Ray cluster (process {process.pid}) {how}"
        return ""

    def end(self) -> None:
        """Kill what is left with all that it has started: Ray's agents look for a lost GCS for a minute."""
        import psutil

        for _, process in self.processes:
            with suppress(psutil.NoSuchProcess):
                started = psutil.Process(process.pid)
                for left in (*started.children(recursive=True), started):
                    with suppress(psutil.NoSuchProcess):
                        left.kill()


@final
@dataclass(frozen=True, kw_only=True)
class Joined:
    """A cluster that others have started. head: host and port. raylet: this machine's, by process id; None: it is in
    another container, or the system does not tell.
    """

    head: tuple[str, int]
    raylet: int | None

    @staticmethod
    def by(node: Any) -> "Joined":
        """The cluster that `node` is part of."""
        host, _, port = node.gcs_address.rpartition(":")
        raylet = None
        option = getattr(socket, "SO_PEERCRED", None)  # macOS does not tell of a socket whose it is
        if option is not None:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.connect(node.raylet_socket_name)
                raylet = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, option, 4), sys.byteorder) or None
        return Joined(head=(host.strip("[]"), int(port)), raylet=raylet)

    def missing(self) -> str:
        """Whether the raylet or the head has gone; or nothing."""
        import psutil

        if self.raylet is not None and not psutil.pid_exists(self.raylet):
            return f"the raylet that this study had joined (process {self.raylet}) has ended"
        try:
            socket.create_connection(self.head, timeout=ANSWER).close()
        except OSError as error:
            host, port = self.head
            return f"the head of the Ray cluster, {host}:{port}, does not answer ({error.strerror or error})"
        return ""


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
