"""How a study's answer is drawn, as the paper draws it. Plain data; reporting does the drawing."""

from dataclasses import dataclass
from typing import Any, Literal, final

Panel = Literal["translations", "residuals", "predictions", "attention", "self_training", "pairs", "unpaired"]


@final
@dataclass(frozen=True, kw_only=True)
class GroupedBars:
    """A group for each column, a bar for each row."""

    title: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Curves:
    """A curve for each `line` of the rows, over the value of the knob `x`; one plot for each column."""

    x: str
    title: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Panels:
    """Pictures of test cases, side by side, by kind.

    across: the image of a case, such as "made", that stands there once for every row of the table, so that methods are
    seen side by side; empty: every row has lines of its own.
    """

    kinds: tuple[Panel, ...]
    title: str = ""
    across: str = ""


Figure = GroupedBars | Curves | Panels


def described(figure: Figure | None) -> dict[str, Any] | None:
    """The figure as JSON knows it: {"kind": "bars" | "curves" | "panels", ...}."""
    if figure is None:
        return None
    if isinstance(figure, Curves):
        return {"kind": "curves", "title": figure.title, "x": figure.x}
    if isinstance(figure, Panels):
        return {"kind": "panels", "title": figure.title, "kinds": list(figure.kinds), "across": figure.across}
    return {"kind": "bars", "title": figure.title}
