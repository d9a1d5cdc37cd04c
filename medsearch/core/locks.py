"""A lock between processes of one machine, freed by the kernel when its holder dies.

The file may be removed by whoever holds the lock: those who waited for it then wait for its successor.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from medsearch.core.errors import BadInput


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; whoever else wants it waits."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            opened = path.open("w")
        except FileNotFoundError:  # its folder was removed just now
            continue
        with opened as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _stands(path, file):
                yield
                return


@contextmanager
def claimed(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock file `path`, or refuse at once.

    Raises:
        BadInput: another process holds it; the message is `refusal`.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(refusal) from error
        yield


@contextmanager
def free(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` if nobody else does; whether that is so. Nothing to hold is no hold, either."""
    try:
        opened = path.open("w")
    except FileNotFoundError:
        yield False
        return
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield _stands(path, file)


def _stands(path: Path, file: TextIOWrapper) -> bool:
    """Whether the file that was locked is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
