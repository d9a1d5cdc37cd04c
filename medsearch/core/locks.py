"""A lock between processes of one machine, freed by the kernel when its holder dies.

The file may be removed by whoever holds the lock: those who waited for it then wait for its successor. A link in the
place of the file is refused. So is a file system without locks (Lustre mounted without `flock`, NFS without its lock
daemon, some that live in user space): two processes would train the same stage over each other.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from medsearch.core.errors import BadInput
from medsearch.core.ownership import open_unlinked

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; whoever else wants it waits.

    Raises:
        BadInput: its file system has no locks, or a link is in its place.

    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            opened = open_unlinked(path, "a")
        except FileNotFoundError:  # its folder was removed just now
            continue
        with opened as file:
            flock(file, fcntl.LOCK_EX, path)
            if _stands(path, file):
                yield
                return


@contextmanager
def claimed(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock file `path`, or refuse at once.

    Raises:
        BadInput: another process holds it; the message is `refusal`. Or as of `locked`.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_unlinked(path, "a") as file:
        try:
            flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
        except BlockingIOError as error:
            raise BadInput(refusal) from error
        yield


@contextmanager
def free(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` if nobody else does; whether that is so. Nothing to hold is no hold, either.

    Raises:
        BadInput: as of `locked`.

    """
    try:
        opened = open_unlinked(path, "a")
    except FileNotFoundError:
        yield False
        return
    with opened as file:
        try:
            flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB, path)
        except BlockingIOError:
            yield False
            return
        yield _stands(path, file)


def flock(file: IO[Any], operation: int, path: Path) -> None:
    """The kernel's lock on an open file. `path`: what messages call it.

    Raises:
        BlockingIOError: with LOCK_NB, another process holds it.
        BadInput: its file system has no locks.

    """
    try:
        fcntl.flock(file, operation)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        remedy = "put --home on a disk of this machine or on NFS with its lock daemon, or mount with locks (-o flock)"
        msg = f"{path.parent}: its file system does not lock files ({error.strerror}); {remedy}"
        raise BadInput(msg) from error


def _stands(path: Path, file: IO[Any]) -> bool:
    """Whether the file that was locked is still the one of that name."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
