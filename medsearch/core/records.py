"""Records on disk: JSON written aside, synced and renamed; JSON lines that survive a torn last line."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medsearch.core.ownership import unlinked
from medsearch.core.recipes import plain


def write_json(path: Path, of: Any) -> None:
    """Write `of` as JSON, atomically."""
    write_bytes(path, json.dumps(plain(of), indent=1).encode() + b"\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` atomically: a reader sees the old file or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(aside, "wb", opener=unlinked) as file:
        file.write(content)
        sync(file)
    aside.replace(path)
    sync_directory(path.parent)


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text())


def append_line(path: Path, of: Any) -> None:
    """Append one JSON line and sync it. A line torn by a crash is closed off first, so it spoils no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        torn = False
        if end:
            file.seek(end - 1)
            torn = file.read(1) != b"\n"
        file.write(b"\n" * torn + json.dumps(plain(of), separators=(",", ":")).encode() + b"\n")
        sync(file)


def read_lines(path: Path) -> Iterator[Any]:
    """Every complete JSON line of a file, in order; nothing for a file that does not exist."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # torn by a crash while it was written: the event is repeated on resume
            continue


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
