"""A lock between processes of one machine, freed by the kernel when its holder dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medsearch.core.errors import BadInput


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; whoever else wants it waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
