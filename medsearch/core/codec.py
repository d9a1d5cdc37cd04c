"""Records between Python and JSON: a frozen dataclass says once what is written, and what may be read.

    write_sealed(path, encoded(header))
    header = decoded(SearchHeader, read_record(path), what=path, remedy=REMEDY)

A field that is missing takes its default; one that the dataclass does not have is dropped.
"""

import json
from collections.abc import Hashable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from medsearch.core.errors import Damaged
from medsearch.core.recipes import plain

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

SHOWN = 40
"""Characters of a wrong value that a line shows."""


def encoded(record: Any) -> dict[str, Any]:
    """A record as JSON knows it."""
    return dict(plain(record))


def decoded(kind: type[T], content: Mapping[str, Any], *, what: object, remedy: str) -> T:
    """The record of `kind`, a dataclass, that JSON holds; numbers and texts are not converted into each other.

    Raises:
        Damaged: a field is missing, or has another type; `what` names the file or line, `remedy` says what to do.

    """
    try:
        return validated(kind, content)
    except ValueError as error:
        raise Damaged(what, str(error), remedy) from None


def validated(kind: type[T], content: Mapping[str, Any] | bytes) -> T:
    """As `decoded`; of JSON that is parsed, or, at half the cost, of its text.

    Bytes of a file's name that are no UTF-8, of which JSON makes halves of characters, come as "?".

    Raises:
        ValueError: a field is missing, or has another type; the message says so.

    """
    from pydantic import ValidationError

    adapter: TypeAdapter[T] = _adapter(cast(Hashable, kind))
    if isinstance(content, bytes):
        with suppress(ValidationError):
            return adapter.validate_json(content, strict=True)
        content = json.loads(content)
    try:
        return adapter.validate_json(json.dumps(content, ensure_ascii=False).encode(errors="replace"), strict=True)
    except ValidationError as error:
        raise ValueError(_problem(error, content)) from None


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _problem(error: Any, content: Any) -> str:
    """The first thing that is wrong, in words."""
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return f"cannot be read ({first['msg']})"
    path: list[str] = []  # of the field; members of unions, which stand in `loc` too, are no part of it
    for part in first["loc"]:
        if part in content if isinstance(content, dict) else isinstance(content, list) and part in range(len(content)):
            path, content = [*path, str(part)], content[part]
    if first["type"] == "missing":
        name = ".".join([*path, str(first["loc"][-1])])
        return f"has no field {name!r}"
    name = ".".join(path)
    shown = json.dumps(first["input"])
    return f"has {shown if len(shown) <= SHOWN else f'{shown[: SHOWN - 1]}…'} as {name!r}"
