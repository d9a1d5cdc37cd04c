"""What values a knob may have: ranges that recipes declare beside a field's type, and the check of a value.

    epochs: PositiveInt = 200
    dropout: Annotated[float, Range(0, 1, below=True)] = 0.1
    channels: tuple[PositiveInt, ...] = (32, 64)
    span: Annotated[tuple[PositiveFloat, PositiveFloat], Rising()] = (0.7, 1.4)

No number that is infinite or not a number lies in any range.
"""

import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, final

from medsearch.core.errors import BadInput


@final
@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    above, below: `low` or `high` itself is excluded. step: only low, low + step, low + 2 step, ...; 0: all.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    step: int = 0

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the range."""
        if not math.isfinite(value) or not self.low <= value <= self.high:
            return False
        if (self.above and value == self.low) or (self.below and value == self.high):
            return False
        return not self.step or (value - self.low) % self.step == 0

    def __str__(self) -> str:
        """The range as it ends "a number ..."."""
        if self.step:
            first = ", ".join(f"{self.low + self.step * number:g}" for number in range(3))
            return f"among {first}, ..." + (f" up to {self.high:g}" if self.high < math.inf else "")
        low = f"above {self.low:g}" if self.above else f"of {self.low:g} or more"
        high = f"below {self.high:g}" if self.below else f"of {self.high:g} or less"
        if math.isinf(self.low) or math.isinf(self.high):
            return "" if math.isinf(self.low) and math.isinf(self.high) else low if math.isinf(self.high) else high
        if not self.above and not self.below:
            return f"from {self.low:g} to {self.high:g}"
        return f"{low} and {high}"


@final
@dataclass(frozen=True)
class Rising:
    """Numbers of which none is smaller than the one before."""

    def holds(self, values: Sequence[float]) -> bool:
        """Whether each of `values` is as large as the one before, or larger."""
        return all(low <= high for low, high in pairwise(values))

    def __str__(self) -> str:
        """The demand as it ends "2 numbers of 0 or more"."""
        return "in rising order"


Limit = Range | Rising
PositiveInt = Annotated[int, Range(1)]
NonNegativeInt = Annotated[int, Range(0)]
OddInt = Annotated[int, Range(1, step=2)]
PositiveFloat = Annotated[float, Range(0, above=True)]
NonNegativeFloat = Annotated[float, Range(0)]
Fraction = Annotated[float, Range(0, 1)]
"""From 0 to 1, both included."""
FractionBelowOne = Annotated[float, Range(0, 1, below=True)]
HounsfieldUnits = Annotated[float, Range(-1024, 3071)]
"""Of a CT with 12 bits."""


class Unfit(Exception):
    """A value is not of the declared type, or outside the declared range."""


Fit = Callable[[Any], Any]
"""Takes a value, and returns it as it is kept; raises `Unfit`."""


def require(what: str, declared: Any, value: Any) -> Any:
    """`value` as it is kept (see `fit`); `what` names its owner, as in "ASHA's grace".

    Raises:
        BadInput: it does not fit; the message says what would.

    """
    try:
        return fit(declared)(value)
    except Unfit:
        msg = f"{what} takes {allowed(declared)}, got {value!r}"
        raise BadInput(msg) from None


def fit(declared: Any) -> Fit:
    """The function that checks a value against `declared`, a type with its ranges, and returns it as it is kept.

    Floats are made from integers, tuples from lists, Python's numbers from NumPy's. Types that say nothing of numbers,
    strings, literals and tuples are only asked whether they hold the value.
    """
    kind, limits = _unwrapped(declared)
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return _fit_option(options)
    if origin in (typing.Union, types.UnionType):
        return _fit_first([fit(option) for option in options])
    if origin is tuple:
        endless = options[1:] == (...,)
        parts = [fit(option) for option in (options[:1] if endless else options)]
        return _fit_tuple(parts, limits, endless=endless)
    if kind in (int, float):
        return _fit_number(kind, limits)

    def fitted(value: Any) -> Any:
        if isinstance(kind, type) and not isinstance(value, kind):
            raise Unfit
        return value

    return fitted


def allowed(declared: Any) -> str:
    """The declared values in words: "an integer of 1 or more", "2 numbers of 0 or more and below 1"."""
    kind, limits = _unwrapped(declared)
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return f"one of {list(options)}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(allowed(option) for option in options)
    if origin is tuple:
        endless, first = options[1:] == (...,), allowed(options[0])
        article, _, words = first.partition(" ")
        noun, _, rest = words.partition(" ")
        if not endless and len(set(options)) > 1:
            words = f"({', '.join(allowed(option) for option in options)})"
        elif article not in ("a", "an"):
            words = f"a tuple, each {first}"
        else:
            words = f"{'one or more' if endless else len(options)} {noun}s {rest}".strip()
        return ", ".join([words, *map(str, limits)])
    if kind in (int, float):
        noun = "an integer" if kind is int else "a number"
        return " ".join(filter(None, [noun, *map(str, limits)]))
    named = {bool: "True or False", str: "a string", type(None): "None"}
    return named.get(kind) or str(getattr(kind, "__name__", kind))


def numbers_of(declared: Any) -> Iterator[tuple[type, tuple[Limit, ...]]]:
    """Every int and float in a declared type, with its ranges."""
    kind, limits = _unwrapped(declared)
    if kind in (int, float):
        yield kind, limits
    elif typing.get_origin(kind) is not typing.Literal:
        for part in typing.get_args(kind):
            yield from numbers_of(part)


def _unwrapped(declared: Any) -> tuple[Any, tuple[Limit, ...]]:
    """The type below `Annotated`, and the limits in it."""
    if typing.get_origin(declared) is not Annotated:
        return declared, ()
    kind, *metadata = typing.get_args(declared)
    return kind, tuple(limit for limit in metadata if isinstance(limit, Range | Rising))


def _fit_number(kind: type, limits: Iterable[Limit]) -> Fit:
    number = numbers.Integral if kind is int else numbers.Real

    def fitted(value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, number):
            raise Unfit
        try:
            value = kind(value)
            finite = math.isfinite(value)
        except OverflowError as error:  # an integer that no float comes near
            raise Unfit from error
        if not finite or not all(limit.holds(value) for limit in limits):
            raise Unfit
        return value  # type: ignore[no-any-return]

    return fitted


def _fit_option(options: tuple[Any, ...]) -> Fit:
    """Equal and of the same type: 2.0 and True would be other values to a fingerprint than 2 and 1."""

    def fitted(value: Any) -> Any:
        for option in options:
            if type(option) is type(value) and option == value:
                return option
        raise Unfit

    return fitted


def _fit_first(fits: list[Fit]) -> Fit:
    def fitted(value: Any) -> Any:
        for fit_option in fits:
            try:
                return fit_option(value)
            except Unfit:
                continue
        raise Unfit

    return fitted


def _fit_tuple(fits: list[Fit], limits: Iterable[Limit], *, endless: bool) -> Fit:
    def fitted(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple | list) or not value:
            raise Unfit
        each = fits * len(value) if endless else fits
        if len(each) != len(value):
            raise Unfit
        kept: Any = tuple(fit_part(part) for fit_part, part in zip(each, value, strict=True))
        if not all(limit.holds(kept) for limit in limits):
            raise Unfit
        return tuple(kept)

    return fitted
