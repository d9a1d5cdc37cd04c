"""What the files that a recipe points at are: a key knows their content, never where they lie."""

import hashlib
from functools import lru_cache
from pathlib import Path

from medsearch.core.errors import BadInput


def digest(path: str, *, knob: str, wanted: str) -> str:
    """Sixteen hex digits of a file's content; empty if `path` is.

    A missing file is refused when the study is loaded, not when a stage begins.

    Raises:
        BadInput: there is no such file; `knob` names it, and `wanted` says what it should be.
    """
    if not path:
        return ""
    file = Path(path)
    if not file.is_file():
        msg = f"knob {knob!r}: no file {path!r}; give the path of {wanted}, or an empty one"
        raise BadInput(msg)
    state = file.stat()
    return _content(path, state.st_size, state.st_mtime_ns)


def require_content(path: str, known: str, *, knob: str, wanted: str) -> None:
    """Refuse a file that is not the one whose digest is in a stage's key; to be called where it is read.

    Raises:
        BadInput: there is no such file, or its content is another.
    """
    if (found := digest(path, knob=knob, wanted=wanted)) != known:
        msg = (
            f"knob {knob!r}: the file {path!r} is not what it was when the study was planned (its digest is {found}, "
            f"was {known}); start again, and let every machine see one file"
        )
        raise BadInput(msg)


@lru_cache
def _content(path: str, size: int, changed: int) -> str:  # noqa: ARG001 - a changed file is another one
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
