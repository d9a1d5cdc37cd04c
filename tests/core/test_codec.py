"""Between records and JSON: what is written comes back, what is none of a record's is named, nothing is converted."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.codec import decoded, encoded
from medsearch.core.errors import Damaged
from medsearch.study.record import headers as record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
SCALARS = {str: st.text(max_size=8), int: st.integers(), float: st.floats(allow_nan=False), bool: st.booleans()}


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a declared type, as records have them."""
    if kind is Any:
        return JSON
    if kind in SCALARS:
        return SCALARS[kind]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{of.name: values(hints[of.name]) for of in dataclasses.fields(kind)})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if of is type(None) else values(of) for of in inner))
    if origin is tuple and inner[1:] == (...,):
        return st.lists(values(inner[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, inner))
    assert origin is Mapping
    return st.dictionaries(values(inner[0]), values(inner[1]), max_size=2)


def read(kind: type, content: Any) -> Any:
    return decoded(kind, content, what="the file", remedy="mend it")


def problem(kind: type, content: Any) -> str:
    """What a reader says of it, in one line."""
    with pytest.raises(Damaged) as refusal:
        read(kind, content)
    line = str(refusal.value)
    assert line.startswith("the file ")
    assert line.endswith("; mend it")
    assert "\n" not in line
    return refusal.value.problem


@pytest.mark.parametrize("kind", record.KINDS.values(), ids=lambda of: of.__name__)
@given(data=st.data())
def test_what_is_encoded_comes_back_equal(kind: type, data: st.DataObject) -> None:
    made = data.draw(values(kind))
    text = json.dumps(encoded(made))
    back = read(kind, json.loads(text))
    assert back == made
    assert json.dumps(encoded(back)) == text, "8 stays 8, and 8.0 stays 8.0, wherever both may stand"


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Outer:
    count: int
    share: float = 0.5
    either: int | float | None = None
    word: str = ""
    flag: bool = False
    mode: Literal["fast", "slow"] = "fast"
    parts: tuple[Inner, ...] = ()
    pairs: tuple[tuple[str, int], ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict)
    most: Inner | None = None
    free: Any = None


WHOLE: Mapping[str, Any] = {"count": 3}


def test_a_field_that_is_missing_takes_its_default_or_is_named() -> None:
    assert read(Outer, WHOLE) == Outer(count=3)
    assert problem(Outer, {}) == "has no field 'count'"
    assert problem(Outer, {"share": "x"}) == "has no field 'count'", "the first fault is named"


def test_an_unknown_field_is_dropped_wherever_it_is() -> None:
    of = {**WHOLE, "later": 1, "parts": [{"depth": 1, "later": {"a": 2}}]}
    assert read(Outer, of) == Outer(count=3, parts=(Inner(depth=1),))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"parts": [{"depth": 1}, {}]}, "has no field 'parts.1.depth'"),
        ({"named": {"a.b": {}}}, "has no field 'named.a.b.depth'"),
        ({"most": {"depth": "1"}}, "has \"1\" as 'most.depth'"),
        ({"most": 17}, "has 17 as 'most'"),
        ({"named": [1]}, "has [1] as 'named'"),
        ({"parts": {"depth": 1}}, "has {\"depth\": 1} as 'parts'"),
        ({"pairs": [["a"]]}, "has no field 'pairs.0.1'"),
        ({"pairs": [["a", 1, 2]]}, "has [\"a\", 1, 2] as 'pairs.0'"),
        ({"word": ["x" * 99]}, f"has [\"{'x' * 37}… as 'word'"),
    ],
)
def test_a_fault_within_is_named_by_its_path(change: Mapping[str, Any], told: str) -> None:
    assert problem(Outer, {**WHOLE, **change}) == told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "3"), ("count", 3.0), ("count", True), ("count", None), ("word", 3), ("word", None), ("word", True),
        ("share", "0.5"), ("share", True), ("share", None), ("flag", 1), ("flag", "true"), ("mode", "medium"),
        ("mode", 0), ("either", "8"), ("either", True),
    ],
)  # fmt: skip
def test_nothing_is_converted(name: str, value: Any) -> None:
    assert problem(Outer, {**WHOLE, name: value}) == f"has {json.dumps(value)} as {name!r}"


def test_numbers_stay_what_they_were_written_as() -> None:
    assert read(Outer, {**WHOLE, "share": 1}).share == 1.0, "a whole number is a number"
    assert [type(read(Outer, {**WHOLE, "either": one}).either) for one in (8, 8.0)] == [int, float]
    assert read(Outer, {**WHOLE, "share": math.inf, "free": [8, 8.0, 2**70]}).free == [8, 8.0, 2**70]
    assert math.isnan(read(Outer, {**WHOLE, "share": math.nan}).share)


def test_names_that_are_no_utf_8_are_read() -> None:
    """As Python has them of files."""
    of = json.loads(json.dumps(encoded(Outer(count=3, word="case \udcff", free=["\ud800"]))))
    assert read(Outer, of) == Outer(count=3, word="case ?", free=["?"])


def test_what_is_too_deep_is_said_to_be() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert problem(Outer, {**WHOLE, "free": deep}).startswith("cannot be read (")
