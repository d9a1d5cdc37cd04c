"""What one place remembers about one backend: studies/<study>/tracking/<backend>.*

.json       which files were uploaded, by content, and under which origin; without it they are uploaded once more, over
            themselves
.lock       held while something is sent, so that two senders never create the same run; names the last sender
.following  held (shared) by followers while their driver lives
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, final

from medsearch.core.errors import Damaged
from medsearch.core.locks import flock
from medsearch.core.ownership import unlinked
from medsearch.core.records import lacks, read_record, write_sealed


@final
class Receipts:
    """The memory and the locks of the sender of `folder` (studies/<study>/tracking) to the backend called `short`."""

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
        try:
            return dict(read_record(self._memory, fault=_fault)["files"])
        except (FileNotFoundError, Damaged):  # nothing remembered: everything is uploaded again, over itself
            return {}

    def remember(self, files: Mapping[str, Mapping[str, str]], *, origin: str) -> None:
        """Keep what was uploaded, and the study's origin, for the next process."""
        write_sealed(self._memory, {"origin": origin, "files": files})


def _fault(memory: Mapping[str, Any]) -> str:
    if problem := lacks(memory, {"files": dict}):
        return problem
    return "" if all(isinstance(of, dict) for of in memory["files"].values()) else "names a run without its files"


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
