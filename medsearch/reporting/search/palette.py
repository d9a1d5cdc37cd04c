"""One colour, dash and marker for each role that a trial can play, in every figure.

The hues are those of Okabe and Ito's palette for colour-blind readers, moved to a middle lightness so that they stand
on white and on near-black alike. No role is told by its hue alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal[
    "best", "finalist", "complete", "cut", "failed", "running", "frontier",
    "dominated", "front", "front line", "mean", "mean of the best",
]  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How a role is drawn."""

    label: str
    colour: str
    width: float  # px
    dash: Literal["solid", "dash", "dot"] = "solid"
    marker: str = "circle"  # plotly's name


STYLES: Mapping[Role, Style] = {
    "best": Style("best finalist", "#2f81c7", 3.0),
    "finalist": Style("other finalist", "#0f9d76", 2.4, marker="diamond"),
    "complete": Style("complete", "#8d95a1", 1.3),
    "cut": Style("cut", "#e08e00", 1.6, dash="dash", marker="triangle-down"),
    "failed": Style("failed", "#d5541a", 1.6, dash="dot", marker="x"),
    "running": Style("running", "#8d95a1", 1.3, dash="dot", marker="circle-open"),
    "frontier": Style("best so far", "#8d95a1", 1.3),
    "dominated": Style("dominated trial", "#8d95a1", 1.3, marker="cross"),
    "front": Style("trial on the front", "#8e6bbf", 1.6, marker="square"),
    "front line": Style("the front's border", "#8e6bbf", 1.4, dash="dash"),
    "mean": Style("finalist, mean ± SD over seeds", "#0f9d76", 2.4, marker="diamond-tall"),
    "mean of the best": Style("first finalist, mean ± SD", "#2f81c7", 2.4, marker="star"),
}
ORDER: tuple[Role, ...] = ("frontier", "failed", "running", "complete", "cut", "finalist", "best")  # later is on top
MATPLOTLIB_DASH = {"solid": "-", "dash": "--", "dot": ":"}
MATPLOTLIB_MARKER = {
    "circle": "o",
    "diamond": "D",
    "triangle-down": "v",
    "x": "x",
    "circle-open": ".",
    "square": "s",
    "star": "*",
    "cross": "P",
    "diamond-tall": "d",
}


def opacity(role: Role, strength: float) -> float:
    """How opaque a line is: of plain trials, the better ones stand out; every other role is told by its colour."""
    return 0.25 + 0.65 * strength if role in ("complete", "running") else 0.85 if role in ("cut", "failed") else 1.0
