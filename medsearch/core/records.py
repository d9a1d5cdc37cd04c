"""Records on disk: JSON written aside, synced and renamed; JSON lines that survive a torn last line.

What is read is checked: a sealed record holds a digest of the rest of it, a line the CRC-32 of its own text. Records
and lines from before they had these are taken as they are.
"""

import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from medsearch.core.errors import Damaged
from medsearch.core.ownership import open_unlinked
from medsearch.core.recipes import plain

LOG = logging.getLogger(__name__)
T = TypeVar("T")

SEAL = "digest"
"""The field of a sealed record that holds the digest of the others."""

REMEDY = "bring it back from a copy, or move it aside"
PASSED_OVER = "it is passed over, what it recorded is found again or redone"
"""What becomes of a faulty line, unless its readers say otherwise."""

Fault = Callable[[Mapping[str, Any]], str]
"""Says what is wrong with the content of a record or line, in words; empty if nothing is."""

_CRC = re.compile(rb',?"[^"]*":"(?P<crc>[0-9a-f]{8})"\}$')
_CRC_BYTES = len(b',"crc32":"00000000"}')


def write_json(path: Path, of: Any) -> None:
    """Write anything that `plain` knows as a JSON file, atomically."""
    write_bytes(path, json.dumps(plain(of), indent=1).encode() + b"\n")


def write_sealed(path: Path, of: Mapping[str, Any]) -> None:
    """Write a record with its seal, atomically; `read_record` checks it."""
    write_json(path, sealed(of))


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` atomically: a reader sees the old file or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with open_unlinked(aside, "wb") as file:
        file.write(content)
        sync(file)
    aside.replace(path)
    sync_directory(path.parent)


def read_json(path: Path, *, remedy: str = REMEDY) -> Any:
    """The content of a JSON file.

    Raises:
        Damaged: it is no JSON, such as when it was cut; `remedy` says what to do.
        OSError: there is no such file, or it cannot be read.

    """
    return parsed_json(path.read_bytes(), path, remedy=remedy)


def read_record(path: Path, *, remedy: str = REMEDY, fault: Fault | None = None) -> Any:
    """The content of a file that holds a JSON object, without its seal.

    fault: says what is wrong with the content beyond that, or nothing.

    Raises:
        Damaged: it is no JSON object, was changed since it was sealed, or has a fault.
        OSError: there is no such file, or it cannot be read.

    """
    content = unsealed(read_json(path, remedy=remedy), path, remedy=remedy)
    if fault is not None and (problem := fault(content)):
        raise Damaged(path, problem, remedy)
    return content


def parsed_json(content: bytes, what: object, *, remedy: str = REMEDY) -> Any:
    """`content` as JSON.

    Raises:
        Damaged: it is none.

    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        problem = f"is no whole JSON ({' '.join(str(error).split()) or type(error).__name__})"
        raise Damaged(what, problem, remedy) from error


def sealed(of: Mapping[str, Any]) -> dict[str, Any]:
    """A record as JSON knows it, and its digest in the field `SEAL`."""
    content = {name: value for name, value in plain(of).items() if name != SEAL}
    return {**content, SEAL: _digest(content)}


def unsealed(of: Any, what: object, *, remedy: str = REMEDY) -> dict[str, Any]:
    """`of` without its seal.

    Raises:
        Damaged: it is no JSON object, or was changed since it was sealed.

    """
    if not isinstance(of, dict):
        raise Damaged(what, f"holds {_kind(of)} instead of an object", remedy)
    name = SEAL if SEAL in of else next(reversed(of), SEAL)  # the last field may be a seal whose own name was changed
    content = {field: value for field, value in of.items() if field != name}
    holds = of.get(name) == _digest(content)
    if SEAL not in of and not holds:
        return dict(of)
    if name != SEAL or not holds:
        raise Damaged(what, "was changed since it was written", remedy)
    return content


def lacks(of: Mapping[str, Any], wanted: Mapping[str, type | tuple[type, ...]]) -> str:
    """The first field of `wanted` that `of` lacks or has of another type, in words; empty if there is none."""
    for name, kinds in wanted.items():
        if name not in of:
            return f"has no field {name!r}"
        value = of[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds in (int, (int, float))):
            return f"has {_kind(value)} as {name!r}"
    return ""


def append_line(path: Path, of: Mapping[str, Any]) -> None:
    """Append one JSON line and sync it. A line torn by a crash is closed off first, so it spoils no other.

    Raises:
        BadInput: a link is in the place of the file.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_unlinked(path, "ab+") as file:
        end = file.seek(0, os.SEEK_END)
        torn = False
        if end:
            file.seek(end - 1)
            torn = file.read(1) != b"\n"
        file.write(b"\n" * torn + line_of(of) + b"\n")
        sync(file)


def line_of(of: Mapping[str, Any]) -> bytes:
    """`of` as a line of JSON that ends with the CRC-32 of what stands before it."""
    text = json.dumps(plain(of), separators=(",", ":")).encode()[:-1]
    return text + b"," * (len(text) > 1) + b'"crc32":"%08x"}' % zlib.crc32(text)


def intact(line: bytes) -> bool:
    """Whether a line ends with the CRC-32 of what stands before it; one from before lines had it does not."""
    tail = len(line) - _CRC_BYTES
    return tail > 0 and line[tail:] == b',"crc32":"%08x"}' % zlib.crc32(line[:tail])


def parsed_line(line: bytes, *, fault: Fault | None = None) -> dict[str, Any]:
    """What `line_of` was given.

    Raises:
        ValueError: the line is no whole JSON object, was changed, or has a fault; the message says so.

    """
    try:
        of = json.loads(line)
    except (ValueError, RecursionError):
        msg = "is no whole JSON, as when a crash cut it"
        raise ValueError(msg) from None
    if not isinstance(of, dict):
        msg = f"is {_kind(of)} instead of an object"
        raise ValueError(msg)
    tail = _CRC.search(line, max(0, len(line) - _CRC_BYTES))
    holds = tail is not None and zlib.crc32(line[: tail.start()]) == int(tail["crc"], 16)
    named = "crc32" in of  # if not last, another program wrote the line anew; if under another name, that was damaged
    if named != holds:
        msg = "was changed since it was written"
        raise ValueError(msg)
    content = {name: value for name, value in of.items() if name != "crc32"}
    if fault is not None and (problem := fault(content)):
        raise ValueError(problem)
    return content


def read_lines(path: Path, *, fault: Fault | None = None, passed_over: str = PASSED_OVER) -> Iterator[dict[str, Any]]:
    """Every sound JSON line of a file, in order; nothing for a file that does not exist.

    A line that is torn, changed, no object or, by `fault`, not what it should be is passed over, with a warning that
    names it once and says what that means (`passed_over`).
    """
    return sound(checked_lines(path, partial(parsed_line, fault=fault), passed_over=passed_over))


def faulty_lines(path: Path, *, fault: Fault | None = None, passed_over: str = PASSED_OVER) -> list[Damaged]:
    """The lines that `read_lines` passes over."""
    return damaged(checked_lines(path, partial(parsed_line, fault=fault), passed_over=passed_over))


def checked_lines(path: Path, read: Callable[[bytes], T], *, passed_over: str = PASSED_OVER) -> Iterator[T | Damaged]:
    """What `read` makes of every line of a file that is not empty, in order.

    Of a line for which it raises ValueError, what is wrong with it, and what becomes of it (`passed_over`).
    """
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield read(line.strip())
        except ValueError as error:
            yield Damaged(f"line {number} of {path}", str(error), passed_over)


def sound(lines: Iterable[T | Damaged]) -> Iterator[T]:
    """The lines that could be read; of each other one, a warning names it once."""
    for line in lines:
        if isinstance(line, Damaged):
            warn_once(str(line))
        else:
            yield line


def damaged(lines: Iterable[object]) -> list[Damaged]:
    """The lines that could not be read."""
    return [line for line in lines if isinstance(line, Damaged)]


@cache
def warn_once(line: str) -> None:
    """Say `line` to the user, once in this process."""
    LOG.warning("%s", line)


def sync(file: Any) -> None:
    """Push a file's content to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Push a directory's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(content: Mapping[str, Any]) -> str:
    """32 hex digits of the canonical JSON of `content`: keys sorted, no spaces."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:32]


def _kind(of: Any) -> str:
    """What a value is in JSON, in words."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(of), "a number")
