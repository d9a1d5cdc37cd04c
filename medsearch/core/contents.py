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

import hashlib
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import final

from medsearch.core.codec import encoded, validated
from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.ownership import open_unlinked
from medsearch.core.paths import unsafe
from medsearch.core.records import intact, line_of, parsed_line, write_bytes

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


@final
@dataclass(frozen=True, kw_only=True)
class _Line:
    """A line of the record: what the file `name` held when it had that state."""

    name: str
    state: State
    digest: str


def content_of(path: Path) -> Content:
    """The size of a file and the SHA-256 of its bytes, read now."""
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
            digest = self._digest(name, path, state, again=again)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return "" if digest == wanted.digest else "was changed since it was written"

    def note(self, contents: Mapping[str, Content]) -> None:
        """Remember what has just been written or read of files below the folder."""
        states = {name: state_of(self.folder / name) for name in contents}
        whole = {name: of for name, of in contents.items() if of.digest and states[name][0] == of.size}
        self._write({name: (states[name], content.digest) for name, content in whole.items()})

    def _digest(self, name: str, path: Path, state: State, *, again: bool) -> str:
        """The digest of a file in that state; one process of the node reads a long file, while the others wait."""
        if not again and (known := self._lookup(name, state)):
            return known
        alone = state[0] >= _LONG and os.access(self.folder, os.W_OK)
        with locked(self._record.with_suffix(".lock")) if alone else nullcontext():
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
        """Take in the whole lines that were written since the last time, by whichever process."""
        with self._guard:
            try:
                with self._record.open("rb") as file:
                    stat = os.fstat(file.fileno())
                    if (stat.st_ino, stat.st_size) == (self._inode, self._at):
                        return
                    if stat.st_ino != self._inode or stat.st_size < self._at:
                        self._inode, self._at, self._lines = stat.st_ino, 0, 0
                    file.seek(self._at)
                    whole, newline, _ = file.read().rpartition(b"\n")
            except OSError:  # it is not there, or cannot be read
                return
            self._at += len(whole) + len(newline)
            for content in whole.split(b"\n"):
                with suppress(ValueError):  # torn or changed: that file is read once more
                    if not intact(content):
                        parsed_line(content)
                    line = validated(_Line, content)
                    self._known[line.name] = line.state, line.digest
                    self._lines += 1

    def _write(self, read: Mapping[str, tuple[State, str]]) -> None:
        """Record the state and digest of files, by name."""
        with self._guard:
            self._load()
            new = {name: of for name, of in read.items() if self._known.get(name) != of}
            self._known |= new
            rewritten = self._lines > 64 + 2 * len(self._known)
            try:
                if rewritten:
                    new = {name: of for name, of in self._known.items() if (self.folder / name).exists()}
                lines = (_Line(name=name, state=state, digest=digest) for name, (state, digest) in new.items())
                content = b"".join(line_of(encoded(line)) + b"\n" for line in lines)
                if rewritten:
                    write_bytes(self._record, content)
                elif new:
                    with open_unlinked(self._record, "ab") as file:  # no sync: what a crash loses is read once more
                        file.write(content)
            except (OSError, BadInput):  # another's folder, a full disk, a link: the next process reads the files again
                return


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
