"""How a study's answer is drawn, as the paper draws it. Plain data; reporting does the drawing."""

from dataclasses import dataclass
from typing import Literal, final

from medsearch.study.record import headers as record

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


def described(of: Figure | None) -> record.Figure | None:
    """The figure as a header has it."""
    if of is None:
        return None
    if isinstance(of, Curves):
        return record.Figure(kind="curves", title=of.title, x=of.x)
    if isinstance(of, Panels):
        return record.Figure(kind="panels", title=of.title, kinds=of.kinds, across=of.across)
    return record.Figure(kind="bars", title=of.title)
