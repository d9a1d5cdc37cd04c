"""Processes that tests start, watch and kill."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def descendants(root: int) -> list[int]:
    """`root` and every process below it, parents first."""
    try:
        return [root, *(child.pid for child in psutil.Process(root).children(recursive=True))]
    except psutil.NoSuchProcess:
        return [root]


def named(root: int, name: str) -> int:
    """The process below `root` whose program is `name`."""
    return next(pid for pid in descendants(root) if name in title(pid))


def kill_tree(root: int) -> None:
    """What a power cut does to a machine: nothing is told, nothing is written."""
    doomed = descendants(root)
    for pid in doomed:
        _kill(pid)
    for pid in doomed:
        for late in descendants(pid):
            _kill(late)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, *, seconds: float = 120.0) -> None:
    """Look a few times a second.

    Raises:
        TimeoutError: it did not happen.

    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            msg = f"{what} did not happen within {seconds:g} s"
            raise TimeoutError(msg)
        time.sleep(0.1)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def title(pid: int) -> str:
    """The program, or what the process calls itself; empty when it has ended."""
    return command(pid).split("\0")[0]


def command(pid: int) -> str:
    """The program and its arguments; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
