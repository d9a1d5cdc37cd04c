"""Records between Python and JSON: a frozen dataclass says once what is written, and what may be read.

    write_sealed(path, encoded(header))
    header = decoded(SearchHeader, read_record(path), what=path, remedy=REMEDY)

A field that is missing takes its default; one that the dataclass does not have is dropped.
"""

import json
from collections.abc import Hashable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from medsearch.core.errors import Damaged
from medsearch.core.recipes import plain

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


def encoded(record: Any) -> dict[str, Any]:
    """A record as JSON knows it."""
    return dict(plain(record))


def decoded(kind: type[T], content: Mapping[str, Any], *, what: object, remedy: str) -> T:
    """The record of `kind`, a dataclass, that JSON holds; numbers and texts are not converted into each other.

    Raises:
        Damaged: a field is missing, or has another type; `what` names the file or line, `remedy` says what to do.

    """
    from pydantic import ValidationError

    try:
        record: T = _adapter(cast(Hashable, kind)).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise Damaged(what, _problem(error), remedy) from None
    return record


def fault(kind: type, content: Mapping[str, Any]) -> str:
    """Why `content` is no record of `kind`, in words; empty if it is one."""
    try:
        decoded(kind, content, what="", remedy="")
    except Damaged as error:
        return error.problem
    return ""


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _problem(error: Any) -> str:
    """The first thing that is wrong, in words."""
    first = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"has no field {name!r}"
    shown = json.dumps(first["input"])
    return f"has {shown if len(shown) <= 40 else f'{shown[:39]}…'} as {name!r}"
