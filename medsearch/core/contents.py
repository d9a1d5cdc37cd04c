"""What files hold, by size and SHA-256; checked once on each node, and again only when a file has changed.

Of the hashes that Python brings, SHA-256 is the fastest that is no mere checksum where processors compute it themselves
(about 2.5 times BLAKE2b on such a one, half of CRC-32).

    <folder>/.verified-<device>.jsonl   what was read of each file below the folder, with its size, inode and times

A file whose size, inode and times of modification and change are those of the record is not read again. Inodes and
times are those of a file system as it is mounted: the record is named by the device number of that mount, which all
processes and containers of a node share, and a node that mounts the folder under another number reads the files for
itself. Who can write the record can write the files, so it is trusted no further than they are; it can be removed at
any time.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.ownership import open_unlinked
from medsearch.core.paths import unsafe
from medsearch.core.records import line_of, parsed_line, write_bytes

State = tuple[int, int, int, int]
"""Size, inode, times of modification and of change (ns): what tells a file from what it was."""

_THREADS = 4
_LONG = 32 << 20  # bytes from which on others wait for who is reading a file, rather than read it, too


@final
@dataclass(frozen=True)
class Content:
    """What a file holds. digest: 32 hex digits; empty where it was recorded before digests were kept."""

    size: int
    digest: str = ""


def content_of(path: Path) -> Content:
    """What the file holds now."""
    with path.open("rb") as file:
        return Content(os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()[:32])


def recorded(sizes: object, digests: object) -> dict[str, Content]:
    """Contents by file name, from the two mappings of a record that is sound by `fault`."""
    known: Mapping[str, str] = digests if isinstance(digests, dict) else {}
    return {name: Content(size, known.get(name, "")) for name, size in sizes.items()} if isinstance(sizes, dict) else {}


def fault(sizes: object, digests: object) -> str:
    """What is wrong with the two mappings of a record, in words; empty if nothing is."""
    if not isinstance(sizes, dict) or not isinstance(digests, dict):
        return "lists its files in no mapping"
    for name, size in sizes.items():
        if why := unsafe(name):
            return f"names the file {name!r}: {why}"
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            return f"has {size!r} for the bytes of {name}"
        if not isinstance(digests.get(name, ""), str):
            return f"has {digests[name]!r} for the digest of {name}"
    return ""


@final
class Verified:
    """What this node has read of the files below `folder`; many threads may ask at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.RLock()
        self._known: dict[str, tuple[State, str]] = {}
        self._inode = self._at = self._lines = 0

    @cached_property
    def _record(self) -> Path:
        return self.folder / f".verified-{self.folder.stat().st_dev:x}.jsonl"

    def problem(self, name: str, wanted: Content, *, again: bool = False) -> str:
        """What is wrong with the file `name`, which lies below the folder, in words; empty if it is as `wanted`.

        again: read it even if it has not changed since it was read last.
        """
        path = self.folder / name
        try:
            state = state_of(path)
        except OSError as error:
            return f"cannot be found ({error.strerror})"
        if state[0] != wanted.size:
            return f"has {state[0]} bytes, {wanted.size} were written"
        if not wanted.digest:
            return ""
        try:
            found = self._digest(name, path, state, again=again)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return "" if found == wanted.digest else "was changed since it was written"

    def note(self, contents: Mapping[str, Content]) -> None:
        """Remember what has just been written or read of files below the folder."""
        found = {}
        for name, content in contents.items():
            state = state_of(self.folder / name)
            if content.digest and state[0] == content.size:
                found[name] = state, content.digest
        self._write(found)

    def _digest(self, name: str, path: Path, state: State, *, again: bool) -> str:
        if not again and (known := self._lookup(name, state)):
            return known
        with self._sole_reader(state[0]):
            if not again and (known := self._lookup(name, state)):
                return known
            content = content_of(path)
            if state_of(path) == state:
                self._write({name: (state, content.digest)})
            return content.digest

    def _lookup(self, name: str, state: State) -> str:
        known = self._known.get(name)
        if known is None or known[0] != state:
            self._load()
            known = self._known.get(name)
        return known[1] if known is not None and known[0] == state else ""

    def _load(self) -> None:
        """Take in what was written since the last time, by whichever process."""
        with self._guard:
            self._take_in(self._written_since())

    def _written_since(self) -> bytes:
        """The whole lines that the record has beyond those that were taken in; nothing where it cannot be read."""
        try:
            with self._record.open("rb") as file:
                stat = os.fstat(file.fileno())
                if (stat.st_ino, stat.st_size) == (self._inode, self._at):
                    return b""
                if stat.st_ino != self._inode or stat.st_size < self._at:
                    self._inode, self._at, self._lines = stat.st_ino, 0, 0
                file.seek(self._at)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return b""
        self._at += len(whole) + len(newline)
        return whole

    def _take_in(self, whole: bytes) -> None:
        for line in whole.split(b"\n"):
            with contextlib.suppress(ValueError):  # torn or changed: that file is read once more
                of = parsed_line(line)
                if not _line_fault(of):
                    self._known[of["name"]] = tuple(of["state"]), of["digest"]
                self._lines += 1

    def _write(self, found: Mapping[str, tuple[State, str]]) -> None:
        with self._guard:
            self._load()
            new = {name: of for name, of in found.items() if self._known.get(name) != of}
            self._known |= new
            try:
                if self._lines > 64 + 2 * len(self._known):
                    kept = {name: of for name, of in self._known.items() if (self.folder / name).exists()}
                    write_bytes(self._record, _as_lines(kept))
                elif new:
                    with open_unlinked(self._record, "ab") as file:  # no sync: what a crash loses is read once more
                        file.write(_as_lines(new))
            except (OSError, BadInput):  # another's folder, a full disk, a link: the next process reads the files again
                return

    @contextmanager
    def _sole_reader(self, size: int) -> Iterator[None]:
        """Let one process of the node read a long file, while the others wait for what it finds."""
        if size < _LONG or not os.access(self.folder, os.W_OK):
            yield
            return
        with locked(self._record.with_suffix(".lock")):
            yield


@cache
def verified_in(folder: Path) -> Verified:
    """What this process knows of the files below `folder`."""
    return Verified(folder)


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, Content]:
    """What each of these files holds."""
    listed = list(names)
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing lets go of the interpreter
        return dict(zip(listed, pool.map(lambda name: content_of(folder / name), listed), strict=True))


def state_of(path: Path) -> State:
    """The file's state now.

    Raises:
        OSError: there is no such file.

    """
    stat = os.stat(path)  # noqa: PTH116 - thousands of them
    return stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def _as_lines(found: Mapping[str, tuple[State, str]]) -> bytes:
    lines = [line_of({"name": name, "state": state, "digest": digest}) for name, (state, digest) in found.items()]
    return b"".join(line + b"\n" for line in lines)


def _line_fault(line: Mapping[str, Any]) -> str:
    state = line.get("state")
    if not isinstance(line.get("name"), str) or not isinstance(line.get("digest"), str):
        return "names no file with its digest"
    if not isinstance(state, list) or len(state) != 4 or not all(type(part) is int for part in state):
        return "has no state of a file"
    return ""
