"""Domains: where a knob may lie. Plain data, checked when made; Optuna's types appear only when its sampler asks."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from medsearch.core.errors import BadInput

PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Interval:
    """Numbers in [low, high], both included, spread evenly or, with `log`, evenly in their logarithm.

    Raises:
        BadInput: an empty or endless interval, 0 on a logarithmic axis, or bounds of `Integers` that are no integers.

    """

    low: float
    high: float
    log: bool = False
    number: ClassVar[type[int] | type[float]] = float

    def __post_init__(self) -> None:
        """Check that the bounds enclose something."""
        if self.number is int and not (isinstance(self.low, int) and isinstance(self.high, int)):
            msg = f"integers({self.low!r}, {self.high!r}) needs integer bounds; use uniform for floats"
            raise BadInput(msg)
        if not (_is_number(self.low) and _is_number(self.high) and self.low < self.high):
            msg = f"domain [{self.low!r}, {self.high!r}] is empty or endless; give two finite bounds in order"
            raise BadInput(msg)
        if self.log and self.low <= 0:
            msg = f"domain [{self.low!r}, {self.high!r}] has a logarithmic axis, which needs a lower bound above 0"
            raise BadInput(msg)

    def holds(self, value: Any) -> bool:
        """Whether `value` lies in the domain."""
        whole = self.number is float or (_is_number(value) and value == int(value))
        return whole and _is_number(value) and self.low <= value <= self.high

    def suggest(self, trial: Any, name: str) -> Any:
        """The value of the knob `name` in an `optuna.Trial`, or in what has its `suggest_float` and `suggest_int`."""
        ask = trial.suggest_int if self.number is int else trial.suggest_float
        return self.number(ask(name, self.low, self.high, log=self.log))

    def edges(self) -> tuple[Any, ...]:
        """Values far apart: stages and tasks that the knob moves differ between them."""
        return self.low, self.high

    def representatives(self) -> tuple[Any, ...]:
        """Values that fit the range of a knob only if all of the domain does, also a range of every other integer."""
        return (self.low, self.low + 1, self.high) if self.number is int else (self.low, self.high)

    def encoded(self, value: Any) -> Any:
        """`value` as the sampler stores it."""
        return self.number(value)


@final
class Uniform(Interval):
    """Floats in [low, high], spread evenly or, with `log`, evenly in their logarithm."""


@final
class Integers(Interval):
    """Integers in [low, high], both included, spread evenly or, with `log`, evenly in their logarithm."""

    number = int


@final
@dataclass(frozen=True)
class Choice:
    """One of `options`, which have no order. Its methods answer as those of `Interval` do.

    Raises:
        BadInput: no options, or one that comes twice.

    """

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Check that there are options, each once."""
        if not self.options or len({json.dumps(option) for option in self.options}) < len(self.options):
            msg = f"choice({list(self.options)!r}) needs at least one option, each once"
            raise BadInput(msg)

    def holds(self, value: Any) -> bool:
        """Whether `value` is one of the options; a list is the tuple of its elements, and True is not 1."""
        return self._position(value) is not None

    def suggest(self, trial: Any, name: str) -> Any:
        """The option of the knob `name` in an `optuna.Trial`, or in what has its `suggest_categorical`."""
        stored = [self.encoded(option) for option in self.options]
        return self.options[stored.index(trial.suggest_categorical(name, stored))]

    def edges(self) -> tuple[Any, ...]:
        """All options: nothing lies between them."""
        return self.options

    representatives = edges

    def encoded(self, value: Any) -> Any:
        """`value` as the sampler stores it: a tuple, say, as its JSON, because storages know plain values only."""
        position = self._position(value)
        assert position is not None, f"{value!r} is none of {self.options}"
        option = self.options[position]
        return option if all(isinstance(option, PLAIN) for option in self.options) else json.dumps(option)

    def _position(self, value: Any) -> int | None:
        value = tuple(value) if isinstance(value, list) else value
        for position, listed in enumerate(self.options):
            option = tuple(listed) if isinstance(listed, list) else listed
            if value == option and isinstance(value, bool) == isinstance(option, bool):
                return position
        return None


Domain = Uniform | Integers | Choice


def require_domains(domains: Mapping[str, Any]) -> None:
    """Refuse what is no domain, by the knob that it is given for.

    Raises:
        BadInput: there is one.

    """
    for knob, domain in domains.items():
        if not isinstance(domain, (Uniform, Integers, Choice)):
            msg = f"knob {knob!r} has the domain {domain!r}; use uniform, loguniform, integers or choice"
            raise BadInput(msg)


def uniform(low: float, high: float) -> Uniform:
    """A domain of floats in [low, high], each as likely as another."""
    return Uniform(low, high)


def loguniform(low: float, high: float) -> Uniform:
    """A domain of floats in [low, high] whose logarithm is uniform; for weights and rates, whose ratios matter."""
    return Uniform(low, high, log=True)


def integers(low: int, high: int, *, log: bool = False) -> Integers:
    """A domain of integers in [low, high], both included; with `log`, their logarithm is uniform."""
    return Integers(low, high, log)


def choice(options: list[Any] | tuple[Any, ...]) -> Choice:
    """A domain of options that have no order, each as likely as another."""
    return Choice(tuple(options))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
