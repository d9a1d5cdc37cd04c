"""A declared range holds what it says, and says what it holds."""

import math
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.core.ranges import (
    Fraction,
    NonNegativeInt,
    OddInt,
    PositiveFloat,
    PositiveInt,
    Range,
    Rising,
    allowed,
    require,
)
from medsearch.core.recipes import knobs, override, recipe, require_consistent

BOUNDS = st.floats(-1e6, 1e6)


@given(BOUNDS, BOUNDS, st.booleans(), st.booleans(), st.floats())
def test_a_range_holds_finite_numbers_between_its_bounds(
    one: float, other: float, above: bool, below: bool, value: float
) -> None:
    low, high = sorted((one, other))
    inside = low < value < high or (value == low and not above) or (value == high and not below)
    assert Range(low, high, above=above, below=below).holds(value) == (
        inside and not (value == low == high and (above or below))
    )


@given(st.integers(0, 50), st.integers(1, 20), st.integers(-100, 200))
def test_a_range_in_steps_holds_every_so_manieth_integer(low: int, step: int, value: int) -> None:
    assert Range(low, step=step).holds(value) == (value in range(low, 1000, step))


@pytest.mark.parametrize(
    ("declared", "value", "kept"),
    [
        (PositiveInt, np.int64(3), 3),
        (PositiveFloat, 3, 3.0),
        (PositiveFloat, np.float32(0.5), 0.5),
        (tuple[PositiveInt, ...], [1, 2], (1, 2)),
        (Annotated[tuple[PositiveInt, PositiveInt], Rising()], [2, 2], (2, 2)),
        (tuple[Fraction, Fraction], [0, np.float64(1)], (0.0, 1.0)),
        (PositiveInt | None, None, None),
        (Literal[2, 3], 3, 3),
        (dict[str, int], {"a": 1}, {"a": 1}),
    ],
)
def test_a_value_that_fits_becomes_what_was_declared(declared: Any, value: Any, kept: Any) -> None:
    found = require("it", declared, value)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        (PositiveInt, 0, "an integer of 1 or more, got 0"),
        (PositiveInt, True, "an integer of 1 or more, got True"),
        (PositiveInt, 2.0, "an integer of 1 or more, got 2.0"),
        (NonNegativeInt, "3", "an integer of 0 or more, got '3'"),
        (PositiveFloat, math.nan, "a number above 0, got nan"),
        (PositiveFloat, math.inf, "a number above 0, got inf"),
        (PositiveFloat, None, "a number above 0, got None"),
        (Fraction, 1.5, "a number from 0 to 1, got 1.5"),
        (OddInt, 4, "an integer among 1, 3, 5, ..., got 4"),
        (Annotated[int, Range(16, 64, step=16)], 80, "among 16, 32, 48, ... up to 64, got 80"),
        (Annotated[float, Range(0, 1, below=True)], 1, "a number of 0 or more and below 1, got 1"),
        (Annotated[float, Range(high=0)], 1, "a number of 0 or less, got 1"),
        (tuple[PositiveInt, ...], (), r"one or more integers of 1 or more, got \(\)"),
        (tuple[PositiveInt, ...], (3, 0), "one or more integers of 1 or more"),
        (tuple[PositiveInt, PositiveInt], (3,), "2 integers of 1 or more"),
        (tuple[PositiveInt, PositiveInt], 3, "2 integers of 1 or more"),
        (Annotated[tuple[PositiveFloat, PositiveFloat], Rising()], (2, 1), r"2 numbers above 0, in rising order, got"),
        (Annotated[tuple[PositiveInt, ...], Rising()], (1, 3, 2), "one or more integers of 1 or more, in rising order"),
        (tuple[str, PositiveInt], ("a", 0), r"\(a string, an integer of 1 or more\)"),
        (tuple[str, ...], (1,), "one or more strings"),
        (tuple[Literal["a"], ...], ("b",), r"a tuple, each one of \['a'\]"),
        (Literal[2, 3], 2.0, r"one of \[2, 3\], got 2.0"),
        (Literal[1, 2], True, "one of"),
        (bool, 1, "True or False, got 1"),
        (PositiveInt | None, 0, "an integer of 1 or more or None"),
        (int, math.pi, "an integer, got 3.14"),
    ],
)
def test_one_that_does_not_is_refused_in_words(declared: Any, value: Any, said: str) -> None:
    with pytest.raises(BadInput, match=f"^it takes .*{said}"):
        require("it", declared, value)


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(), st.none(), st.tuples(st.integers())))
@example(2**53 + 1)
@example(10**400)
def test_whatever_is_given_it_fits_or_is_bad_input(value: Any) -> None:
    for declared in (PositiveInt, Fraction, tuple[OddInt, ...], str, bool, PositiveFloat | None):
        try:
            kept = require("it", declared, value)
        except BadInput as error:
            told = str(error)
        else:
            told = f"it takes {allowed(declared)}, got {value!r}"
            assert kept == value or kept == float(value)  # which is as near as a float comes to a long integer
        assert told == f"it takes {allowed(declared)}, got {value!r}"


@recipe
class Part:
    width: PositiveInt = 4
    heads: PositiveInt = 2
    rates: tuple[Fraction, ...] = (0.1, 0.2)

    def check(self) -> None:
        if self.width % self.heads:
            msg = f"width {self.width} does not divide into {self.heads} heads"
            raise BadInput(msg)


@recipe
class Whole:
    part: Part = Part()
    epochs: PositiveInt = 3


@recipe
class Longer(Whole):
    epochs: Annotated[int, Range(10)] = 10


def test_a_knob_outside_its_range_is_named_by_its_path() -> None:
    with pytest.raises(BadInput, match=r"knob 'part.rates' takes one or more numbers from 0 to 1, got \(0.1, 2\)"):
        override(Whole(), {"part.rates": (0.1, 2)})
    with pytest.raises(BadInput, match="knob 'epochs' takes an integer of 10 or more, got 9"):
        override(Longer(), {"epochs": 9})


def test_a_recipe_that_is_made_with_such_a_value_is_refused_too() -> None:
    with pytest.raises(BadInput, match="knob 'width' of Part takes an integer of 1 or more, got -1"):
        Part(width=-1)
    with pytest.raises(BadInput, match="knob 'part' of Whole takes Part, got None"):
        Whole(part=None)


def test_knobs_that_do_not_go_together_are_found_when_all_are_set() -> None:
    through = override(Whole(), {"part.width": 9, "part.heads": 3})  # 9 in 2 heads on the way
    require_consistent(through)
    with pytest.raises(BadInput, match=r"^part: width 9 does not divide into 2 heads"):
        require_consistent(override(Whole(), {"part.width": 9}))


def test_an_override_keeps_what_a_fingerprint_would_tell_apart() -> None:
    assert knobs(override(Whole(), {"part.rates": [0, 1]}))["part.rates"] == (0.0, 1.0)
    assert all(type(rate) is float for rate in override(Whole(), {"part.rates": [0, 1]}).part.rates)
