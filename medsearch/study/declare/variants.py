"""Rows of a table: a label, and the knobs in which the row differs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.core.errors import BadInput
from medsearch.stages.method import Method
from medsearch.study.declare.setups import resolve_knobs


@final
@dataclass(frozen=True)
class Variant:
    """A row: a label, and the knobs in which it differs from the method as the study sets it.

    method: another configuration of the method for this row, such as its 2D form. tasks: labels of the columns that
    the row is asked of; empty: all. against: label of the row that it is compared with. line: in a figure of curves,
    the curve that it is a point of.
    """

    label: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    method: Method | None = field(default=None, kw_only=True)
    tasks: tuple[str, ...] = field(default=(), kw_only=True)
    against: str = field(default="", kw_only=True)
    line: str = field(default="", kw_only=True)

    def at(self, scale: str) -> "Variant":
        """The same row in another set of sizes.

        Raises:
            BadInput: a knob is given for other scales only.

        """
        method = self.method and self.method.at(scale)
        return replace(self, knobs=resolve_knobs(self.knobs, scale), method=method)


def grid(axes: Mapping[str, Sequence[Any]], *, label: str = "", **row: Any) -> tuple[Variant, ...]:
    """A row for every combination of the values on `axes`, the last axis fastest; `row` are fields of each.

    label: a format over the knobs' last names, such as "{source_labels:.0%} annotated"; empty: "name = value, ...",
    with whole names where the last ones are the same.

    Raises:
        BadInput: no axis, one without values, or a label that names no knob of its own.

    """
    empty = [knob for knob, values in axes.items() if not values]
    if not axes or empty:
        msg = f"grid over {empty[0]!r} has no values" if empty else "a grid needs at least one knob with its values"
        raise BadInput(msg)
    last = [knob.rpartition(".")[2] for knob in axes]
    names = last if len(set(last)) == len(last) else list(axes)
    rows = []
    for values in itertools.product(*axes.values()):
        text = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
        if label:
            named = {name: value for name, value in zip(last, values, strict=True) if last.count(name) == 1}
            try:
                text = label.format(**named)
            except (KeyError, IndexError, ValueError) as error:
                known = ", ".join(f"{{{name}}}" for name in named) or "nothing: the last names are the same"
                over = ", ".join(axes)
                msg = f"label {label!r} of a grid over {over} cannot be filled ({error}); it may name {known}"
                raise BadInput(msg) from error
        rows.append(Variant(text, dict(zip(axes, values, strict=True)), **row))
    return tuple(rows)
