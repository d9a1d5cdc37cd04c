"""Recipes: frozen, keyword-only dataclasses whose leaves are knobs.

A knob is named by its dotted path (`translation.weights.cyc`). Recipes are never edited; `override` returns
another one. Two recipes with equal knobs have equal fingerprints, on every machine and in every process. A value that
does not fit the type and range that its field declares (`core.ranges`) is refused, however the recipe is made.
"""

import dataclasses
import difflib
import hashlib
import json
import typing
from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import PurePath
from typing import Any, TypeVar, dataclass_transform

from medsearch.core.errors import BadInput
from medsearch.core.ranges import Fit, Unfit, allowed, fit

R = TypeVar("R")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def recipe(cls: type[R]) -> type[R]:
    """Make `cls` a recipe: a frozen dataclass with keyword-only fields, whose values fit what they declare."""
    own = getattr(cls, "__post_init__", None)

    def __post_init__(self: Any) -> None:  # noqa: N807
        for name in _fits(typing.cast(Hashable, type(self))):
            _fitted(self, name, getattr(self, name))
        if own is not None:
            own(self)

    cls.__post_init__ = __post_init__  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def knobs(of: Any, prefix: str = "") -> dict[str, Any]:
    """Every leaf of a recipe by dotted path, in the order of declaration."""
    leaves: dict[str, Any] = {}
    for field in dataclasses.fields(of):
        value, path = getattr(of, field.name), f"{prefix}{field.name}"
        leaves |= knobs(value, f"{path}.") if dataclasses.is_dataclass(value) else {path: value}
    return leaves


def override(of: R, changes: Mapping[str, Any]) -> R:
    """`of` with the knobs in `changes` set.

    Raises:
        BadInput: a path names no knob (with the nearest one that exists), or a value does not fit it.

    """
    for path, value in changes.items():
        of = _set(of, path, path.split("."), value)
    return of


def _set(of: Any, path: str, parts: list[str], value: Any) -> Any:
    names = [field.name for field in dataclasses.fields(of)]
    head, rest = parts[0], parts[1:]
    if head not in names or bool(rest) != dataclasses.is_dataclass(getattr(of, head)):
        known = list(knobs(of, prefix=path[: len(path) - len(".".join(parts))]))
        near = difflib.get_close_matches(path, known, n=1, cutoff=0.0)
        msg = f"no knob {path!r}; did you mean {near[0]!r}?" if near else f"no knob {path!r}"
        raise BadInput(msg)
    if rest:
        return dataclasses.replace(of, **{head: _set(getattr(of, head), path, rest, value)})
    return dataclasses.replace(of, **{head: _fitted(of, head, value, path)})


@cache
def _fits(kind: Any) -> dict[str, tuple[Any, Fit]]:
    """By field, its declared type, and what fits a value to that; resolving types is most of what a knob costs."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: (hints[field.name], fit(hints[field.name])) for field in dataclasses.fields(kind)}


def _fitted(of: Any, name: str, value: Any, path: str = "") -> Any:
    """`value` as the field `name` has it; `path` names the knob in full, where it is known."""
    declared, fit_value = _fits(typing.cast(Hashable, type(of)))[name]
    try:
        return fit_value(value)
    except Unfit:
        what = f"knob {path!r}" if path else f"knob {name!r} of {type(of).__name__}"
        msg = f"{what} takes {allowed(declared)}, got {value!r}"
        raise BadInput(msg) from None


def require_consistent(of: Any, prefix: str = "") -> None:
    """Refuse knobs that fit one by one, but not together: every recipe within `of` that has a `check` is asked.

    Raises:
        BadInput: as `check` says it, after the dotted path of the recipe.

    """
    try:
        getattr(of, "check", lambda: None)()
    except BadInput as error:
        msg = f"{prefix.rstrip('.')}: {error}" if prefix else str(error)
        raise BadInput(msg) from error
    for field in dataclasses.fields(of):
        if dataclasses.is_dataclass(part := getattr(of, field.name)):
            require_consistent(part, f"{prefix}{field.name}.")


WHEREABOUTS = {"identity": False}
"""Metadata of a field that says where something lies, not what it is: recorded, but no part of a fingerprint."""

LATER = {"identity": "unless default"}
"""Metadata of a field that came later, with a default that leaves everything as it was: no part of a fingerprint while
it has that default, so that what was stored before keeps its key.
"""


UNLESS_DEFAULT = {"written": "unless default"}
"""Metadata of a field that is left out of what is written while it has its default."""


def plain(of: Any) -> Any:
    """`of` as JSON knows it: recipes become mappings, tuples lists, paths strings, sets sorted lists.

    Raises:
        TypeError: a value has no stable JSON form.
    """
    return _plain(of, everything=True)


def _plain(of: Any, *, everything: bool) -> Any:
    if dataclasses.is_dataclass(of) and not isinstance(of, type):
        fields = [field for field in dataclasses.fields(of) if _is_written(of, field, everything=everything)]
        return {field.name: _plain(getattr(of, field.name), everything=everything) for field in fields}
    if isinstance(of, Mapping):
        return {str(key): _plain(value, everything=everything) for key, value in of.items()}
    if isinstance(of, (set, frozenset)):
        return sorted(_plain(value, everything=everything) for value in of)
    if isinstance(of, (list, tuple)):
        return [_plain(value, everything=everything) for value in of]
    if isinstance(of, PurePath):
        return str(of)
    if of is None or isinstance(of, (bool, int, float, str)):
        return of
    msg = f"{of!r} ({type(of).__name__}) has no stable JSON form; a recipe holds numbers, strings and tuples of them"
    raise TypeError(msg)


def _is_written(of: Any, field: "dataclasses.Field[Any]", *, everything: bool) -> bool:
    """Whether a field stands in the JSON form; not `everything`: in that of which a fingerprint is made."""
    if not field.metadata:
        return True
    identity = True if everything else field.metadata.get("identity", True)
    if UNLESS_DEFAULT["written"] in (identity, field.metadata.get("written")):
        return bool(getattr(of, field.name) != field.default)
    return bool(identity)


def fingerprint(of: Any) -> str:
    """Sixteen hex digits that change exactly when `plain(of)` does, `WHEREABOUTS` and untouched `LATER` ones apart."""
    text = json.dumps(_plain(of, everything=False), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
