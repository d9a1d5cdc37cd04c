"""Names that come from elsewhere, kept below their folder; and what is damaged, kept apart under another name.

Every file name in a manifest, a bucket's listing, a results.json or a ledger is joined to its folder by `below`, every
stage key, study name and run that names a folder or a file of its own by `child`.
"""

import os
import re
import time
from pathlib import Path

from medsearch.core.errors import BadInput

DAMAGED = ".damaged-"
"""In the name of what was set aside; nothing reads it."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")


def unsafe(name: object) -> str:
    """Why `name` cannot name a file below a folder, `/` between its parts; empty if it can.

    Absolute paths, `..`, `.`, empty parts, backslashes, drive letters and control characters cannot, on any system.
    """
    if not isinstance(name, str) or not name:
        return "it is no name"
    if _UNSAFE.search(name) or any(part in ("", ".", "..") for part in name.split("/")):
        return "it leads out of its folder, or names no file in it"
    return ""


def unsafe_part(name: object) -> str:
    """Why `name` cannot name a file or folder that lies right in a folder; empty if it can."""
    return unsafe(name) or ("it has several parts" if isinstance(name, str) and "/" in name else "")


def below(folder: Path, name: str, *, source: object = "a record") -> Path:
    """`folder / name`, which lies below the folder, also after every link on its way.

    source: where the name comes from, for the message.

    Raises:
        BadInput: it would lie outside.

    """
    why = unsafe(name)
    path = folder / name
    if not why and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        why = "a link on its way leads out of the folder"
    if why:
        loss = "to do without it, move what names it aside: all that it says is lost, and made anew where it can be"
        msg = f"{source} names the file {name!r} in {folder}: {why}; nothing was read or written there; {loss}"
        raise BadInput(msg)
    return path


def child(folder: Path, name: str, *, what: str) -> Path:
    """`folder / name`, for a name of one part. what: of which kind it is, as in "stage key"; for the message.

    Raises:
        BadInput: the name has several parts, or leads elsewhere.

    """
    if why := unsafe_part(name):
        msg = f"{what} {name!r} cannot name anything in {folder}: {why}; take it out of the record that has it"
        raise BadInput(msg)
    return folder / name


def set_aside(path: Path) -> Path:
    """Give a damaged file or folder another name beside it, and say which: nothing reads it, nothing is lost."""
    target = name_aside(path)
    path.rename(target)
    return target


def name_aside(path: Path) -> Path:
    """The name, still free, that a damaged file or folder is given."""
    stem = f"{path.name}{DAMAGED}{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(1000):
        target = path.with_name(f"{stem}-{number}" if number else stem)
        if not os.path.lexists(target):
            return target
    msg = f"{path}: a thousand damaged ones were set aside within a second; look at the disk"
    raise BadInput(msg)


def is_set_aside(name: str) -> bool:
    """Whether `name` is that of something which was set aside."""
    return DAMAGED in name
