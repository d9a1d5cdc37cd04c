"""Domains: where a knob may lie. Plain data, checked when made; the sampler's own types appear only when it asks."""

import json
import math
from dataclasses import dataclass
from typing import Any, Protocol, final

from medsearch.core.errors import BadInput

PLAIN = (bool, int, float, str, type(None))


class Suggests(Protocol):
    """The part of Optuna's trial that a domain talks to."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A float in [low, high]."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """An integer in [low, high]."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of `choices`."""


@final
@dataclass(frozen=True)
class Uniform:
    """A float in [low, high], evenly or evenly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty or endless interval, and 0 on a logarithmic axis."""
        _require_interval(self.low, self.high, self.log)

    def holds(self, value: Any) -> bool:
        """Whether `value` lies in the domain."""
        return _is_number(value) and self.low <= value <= self.high

    def suggest(self, trial: Suggests, name: str) -> float:
        """The trial's value for the knob `name`."""
        return float(trial.suggest_float(name, self.low, self.high, log=self.log))

    def edges(self) -> tuple[float, ...]:
        """Values far apart, to see what the knob moves."""
        return self.low, self.high

    def representatives(self) -> tuple[float, ...]:
        """Values that fit a knob's range only if all of the domain does."""
        return self.edges()

    def encoded(self, value: Any) -> Any:
        """`value` as the sampler stores it."""
        return float(value)


@final
@dataclass(frozen=True)
class Integers:
    """An integer in [low, high], both included, evenly or evenly in its logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse bounds that are no integers, an empty interval, and 0 on a logarithmic axis."""
        if not (isinstance(self.low, int) and isinstance(self.high, int)):
            msg = f"integers({self.low!r}, {self.high!r}) needs integer bounds; use uniform for floats"
            raise BadInput(msg)
        _require_interval(self.low, self.high, self.log)

    def holds(self, value: Any) -> bool:
        """Whether `value` lies in the domain."""
        return _is_number(value) and value == int(value) and self.low <= value <= self.high

    def suggest(self, trial: Suggests, name: str) -> int:
        """The trial's value for the knob `name`."""
        return int(trial.suggest_int(name, self.low, self.high, log=self.log))

    def edges(self) -> tuple[int, ...]:
        """Values far apart, to see what the knob moves."""
        return self.low, self.high

    def representatives(self) -> tuple[int, ...]:
        """Values that fit a knob's range only if all of the domain does, also a range of every other integer."""
        return self.low, self.low + 1, self.high

    def encoded(self, value: Any) -> Any:
        """`value` as the sampler stores it."""
        return int(value)


@final
@dataclass(frozen=True)
class Choice:
    """One of `options`, which have no order."""

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Refuse no options, or one that comes twice."""
        if not self.options or len({json.dumps(option) for option in self.options}) < len(self.options):
            msg = f"choice({list(self.options)!r}) needs at least one option, each once"
            raise BadInput(msg)

    def holds(self, value: Any) -> bool:
        """Whether `value` is one of the options."""
        return any(_same(value, option) for option in self.options)

    def suggest(self, trial: Suggests, name: str) -> Any:
        """The trial's value for the knob `name`."""
        chosen = trial.suggest_categorical(name, [self.encoded(option) for option in self.options])
        return next(option for option in self.options if self.encoded(option) == chosen)

    def edges(self) -> tuple[Any, ...]:
        """Values far apart, to see what the knob moves."""
        return self.options

    def representatives(self) -> tuple[Any, ...]:
        """Values that fit a knob's range only if all of the domain does."""
        return self.options

    def encoded(self, value: Any) -> Any:
        """`value` as the sampler stores it: a tuple, say, as its JSON, because storages know plain values only."""
        option = next(option for option in self.options if _same(value, option))
        return option if all(isinstance(option, PLAIN) for option in self.options) else json.dumps(option)


Domain = Uniform | Integers | Choice


def uniform(low: float, high: float) -> Uniform:
    """A float in [low, high]."""
    return Uniform(low, high)


def loguniform(low: float, high: float) -> Uniform:
    """A float in [low, high] whose logarithm is uniform; for weights and rates, of which only the ratio matters."""
    return Uniform(low, high, log=True)


def integers(low: int, high: int, *, log: bool = False) -> Integers:
    """An integer in [low, high], both included."""
    return Integers(low, high, log)


def choice(options: list[Any] | tuple[Any, ...]) -> Choice:
    """One of the options."""
    return Choice(tuple(options))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _same(one: Any, other: Any) -> bool:
    one, other = (tuple(value) if isinstance(value, list) else value for value in (one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _require_interval(low: float, high: float, log: bool) -> None:
    if not (_is_number(low) and _is_number(high) and low < high):
        msg = f"domain [{low!r}, {high!r}] is empty or endless; give two finite bounds in order"
        raise BadInput(msg)
    if log and low <= 0:
        msg = f"domain [{low!r}, {high!r}] has a logarithmic axis, which needs a lower bound above 0"
        raise BadInput(msg)
