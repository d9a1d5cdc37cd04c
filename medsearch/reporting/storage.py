"""`results.json`: a study's results as a file that dashboards, and this program, read again."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from medsearch.core.errors import BadInput
from medsearch.core.recipes import plain
from medsearch.core.records import read_record

FORMAT = 1  # raised when a reader of the old files could no longer read the new ones

R = TypeVar("R")


def json_text(results: Any, derived: Mapping[str, Any]) -> str:
    """results.json: everything that was put in, and what was made of it under "derived".

    Numbers that are not finite become null, tuples in knobs lists.
    """
    content = {"format": FORMAT, "results": finite(plain(results)), "derived": finite(plain(dict(derived)))}
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"


def from_json(kind: type[R], content: Mapping[str, Any], *, source: str = "results.json") -> R:
    """The results that `json_text` wrote, which are of `kind`.

    Raises:
        BadInput: the content is of another format, or a field is missing or unknown.

    """
    if content.get("format") != FORMAT:
        msg = f"{source}: format {content.get('format')!r}, expected {FORMAT}; rebuild it with `medsearch report`"
        raise BadInput(msg)
    try:
        return typing.cast(R, _decode(kind, content["results"]))
    except (TypeError, KeyError) as error:
        msg = f"{source}: not {kind.__name__} ({error}); rebuild it with `medsearch report`"
        raise BadInput(msg) from error


def read_results(kind: type[R], path: Path) -> R:
    """The results of `kind` in a report's `results.json`."""
    content = read_record(path, remedy="rebuild it with `medsearch report`")
    return from_json(kind, content, source=str(path))


def finite(of: Any) -> Any:
    """`of` (plain data) with null in place of NaN and infinities, which JSON does not have."""
    if isinstance(of, float):
        return of if math.isfinite(of) else None
    if isinstance(of, dict):
        return {key: finite(value) for key, value in of.items()}
    return [finite(value) for value in of] if isinstance(of, list) else of


def _decode(kind: Any, value: Any) -> Any:
    """`value` as the annotation `kind` wants it: dataclasses, tuples, mappings and optional values, nested."""
    if value is None:
        return None
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{name: _decode(hints.get(name), inner) for name, inner in value.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_decode(inner, item) for inner, item in zip(kinds, value, strict=True))
    if origin is Mapping:
        return {key: _decode(arguments[1], item) for key, item in value.items()}
    if origin is types.UnionType:
        return _decode(next(inner for inner in arguments if inner is not type(None)), value)
    return value
