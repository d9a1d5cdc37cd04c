"""What a set of knobs means: a task and a recipe. Shared by every kind of study.

Knobs are dotted paths over the task and the method's recipe: `task.source_labels`, `segmentation.weights.rec`. A value
that depends on the scale is written as a mapping, {"tiny": 8, "small": 30, "paper": 100}.
"""

import dataclasses
import re
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias, TypeVar, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.ranges import NonNegativeInt, require
from medsearch.core.recipes import knobs as knobs_of
from medsearch.core.recipes import override, require_consistent
from medsearch.stages.method import Method

V = TypeVar("V")
T = TypeVar("T", bound=Task)
Scaled: TypeAlias = V | Mapping[str, V]
"""One value, or one for each scale."""


@final
@dataclass(frozen=True)
class Setup:
    """A task and a recipe with a set of knobs applied."""

    task: Task
    recipe: Any


def setup(method: Method, task: Task, knobs: Mapping[str, Any]) -> Setup:
    """The task and recipe that `knobs` mean, on top of what the method's preset wants of the task.

    Raises:
        BadInput: no such knob (with the nearest one that exists), a value that does not fit, or two that do not go
            together.

    """
    parts = [part.name for part in dataclasses.fields(method.recipe)]
    kinds = typing.cast(Hashable, type(task)), typing.cast(Hashable, type(method.recipe))
    whole = _whole_kind(*kinds)(task=task, **{name: getattr(method.recipe, name) for name in parts})
    preset = {f"task.{knob}": value for knob, value in method.task_knobs.items()}
    whole = override(whole, {**preset, **knobs})
    require_consistent(whole)
    return Setup(whole.task, replace(method.recipe, **{name: getattr(whole, name) for name in parts}))


@cache
def _whole_kind(task: Any, recipe: Any) -> Any:
    """A dataclass of the task beside the recipe's own parts, so that one path names any knob of the two.

    One for each pair of types: making it costs more than all that a plan does with it.
    """
    hints = typing.get_type_hints(recipe)
    parts = [("task", task), *((part.name, hints[part.name]) for part in dataclasses.fields(recipe))]
    return dataclasses.make_dataclass("Knobs", parts, frozen=True, kw_only=True)


def resolve_scale(value: Any, scale: str, owner: str) -> Any:
    """`value` at `scale`, if it is given for each scale; itself otherwise. `owner` names it where it is refused.

    Raises:
        BadInput: it is given for other scales only.

    """
    if not isinstance(value, Mapping):
        return value
    if scale not in value:
        msg = f"{owner!r} is given for {', '.join(map(str, value))}, not for scale {scale!r}; add it"
        raise BadInput(msg)
    return value[scale]


def resolve_knobs(knobs: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """The value of every knob at `scale`.

    Raises:
        BadInput: one is given for other scales only.

    """
    return {knob: resolve_scale(value, scale, knob) for knob, value in knobs.items()}


def sized(task: T, scale: str) -> T:
    """The task in the sizes that its layout has at `scale`.

    Raises:
        BadInput: no such layout for such a task, or no such scale of it.

    """
    geometries = task.data_set.geometries
    if scale not in geometries:
        msg = f"no scale {scale!r}; choose one of {', '.join(geometries)}"
        raise BadInput(msg)
    return override(task, knobs_of(geometries[scale], "geometry."))


def require_folder_name(name: str) -> None:
    """Refuse a study's name that cannot name its folder.

    Raises:
        BadInput: it cannot.

    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        msg = f"study name {name!r} names a folder: letters, digits, '_', '-' and '.' only"
        raise BadInput(msg)


def require_rule(method: Method, rule: object, *, where: str = "") -> None:
    """Refuse a selection rule that the method does not know; `where` says whose it is.

    Raises:
        BadInput: it does not.

    """
    if rule not in method.rules:
        known = ", ".join(method.rules)
        msg = f"selection{where} is {rule!r}; declare one of {known}, the rules that {method.name} knows"
        raise BadInput(msg)


def require_seeds(seeds: tuple[int, ...]) -> None:
    """Refuse no seeds, one that is negative or no integer, or one that comes twice.

    Raises:
        BadInput: there are none, or one is none, or comes twice.

    """
    require("seeds", tuple[NonNegativeInt, ...], seeds)
    if len(set(seeds)) < len(seeds):
        msg = f"seeds={seeds!r} must name at least one seed, each once"
        raise BadInput(msg)
