"""Charts as data: what they show, once, whoever draws them. Builders of each kind of study fill them.

    Chart    trials as points or lines, parallel coordinates, importances, a plane of two objectives
    Bars     a group for each column, a bar for each row, spreads over seeds, reported values as hollow diamonds
    Curves   one plot for each column over a knob, one curve for each line of rows, other rows as levels across
    Panels   pictures, a line per case and a column per kind of image

`render.plotly_charts` draws the first three for the page, `render.print_charts` all for print.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from medsearch.reporting.wording import KnobName

Role = Literal[
    "best", "finalist", "complete", "cut", "failed", "running", "frontier",
    "dominated", "front", "front line", "mean", "mean of the best",
]  # fmt: skip
"""What a trial, or a line over trials, is."""


@dataclass(frozen=True)
class Style:
    """How a role is drawn. width: px. marker: by plotly's name."""

    label: str
    colour: str
    width: float
    dash: Literal["solid", "dash", "dot"] = "solid"
    marker: str = "circle"


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
"""The hues are those of Okabe and Ito's palette for colour-blind readers, moved to a middle lightness so that they
stand on white and on near-black alike. No role is told by its hue alone."""
ORDER: tuple[Role, ...] = ("frontier", "failed", "running", "complete", "cut", "finalist", "best")
"""Of drawing: what is later is on top."""

COLOURS = ("#2f81c7", "#e08e00", "#0f9d76", "#d5541a", "#8e6bbf", "#c2578f", "#5c9ead", "#a3842c")
"""Of rows and curves: hues that colour-blind readers tell apart, of a middle lightness."""
REFERENCE, INK, LOST = "#8d95a1", "#22262b", "#d5541a"
"""Colours of references and levels, of text and outlines, and of what has no value."""
MARKERS = ("circle", "square", "triangle-up", "triangle-down", "pentagon", "hexagon", "star", "cross")
DASHES = ("dash", "dot", "dashdot")
SPAN = 0.84
"""What the bars of a group take of the distance between two groups."""


@dataclass(frozen=True)
class Series:
    """One line, or one set of points.

    notes: what a pointer is told, one per point, or one for all. strength: 0 (faint) to 1. spreads: one per point,
    along x and y.
    """

    role: Role
    points: tuple[tuple[float, float], ...]
    notes: tuple[str, ...] = ()
    strength: float = 1.0
    spreads: tuple[tuple[float, float], ...] = ()

    @property
    def opacity(self) -> float:
        """Of plain trials, the better ones stand out; every other role is told by its colour."""
        if self.role in ("complete", "running"):
            return 0.25 + 0.65 * self.strength
        return 0.85 if self.role in ("cut", "failed") else 1.0


@dataclass(frozen=True)
class Scale:
    """A vertical axis of parallel coordinates, at a whole x. ticks: (height from 0 to 1, value)."""

    title: KnobName | str
    ticks: tuple[tuple[float, str], ...]


class Importance(NamedTuple):
    """A bar: how much of the differences a knob explains; nuisance: whether it is not asked about."""

    knob: KnobName
    share: float
    nuisance: bool

    @property
    def words(self) -> str:
        """What is written at the end of the bar: `41%`, `7% (nuisance)`."""
        return f"{self.share:.0%}{' (nuisance)' if self.nuisance else ''}"

    @property
    def colour(self) -> str:
        """The colour of the bar: that of the best trial, of plain trials for a nuisance."""
        return STYLES["complete" if self.nuisance else "best"].colour


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Series in the order in which they are drawn, or bars.

    name: of its files. marks: vertical lines, where and what.
    """

    name: str
    kind: Literal["points", "lines", "parallel", "bars", "plane"]
    x: str = ""
    y: str = ""
    series: tuple[Series, ...] = ()
    scales: tuple[Scale, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    bars: tuple[Importance, ...] = ()

    @property
    def labelled(self) -> tuple[tuple[Series, bool], ...]:
        """Every series, and whether it is the first of its role, which a legend names once."""
        roles = [series.role for series in self.series]
        return tuple((series, roles.index(series.role) == place) for place, series in enumerate(self.series))

    def has_end(self, series: Series) -> bool:
        """Whether a line's last point is marked: where it was cut or failed, or when it is the only one."""
        return self.kind == "lines" and (series.role in ("cut", "failed") or len(series.points) == 1)

    def is_scattered(self, series: Series) -> bool:
        """Whether its points stand for themselves and are no line."""
        return self.kind in ("points", "plane") and series.role not in ("frontier", "front line")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A cell of a table in a chart; everything is None or empty where there is nothing.

    sd: over seeds. missing: "2 of 3, seed 1 diverged", and count "2 of 3"; empty if every planned seed has a value.
    note: what a pointer over it is told.
    """

    row: str
    column: str
    mean: float | None = None
    sd: float | None = None
    values: tuple[float, ...] = ()
    reported: float | None = None
    missing: str = ""
    count: str = ""
    note: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.mean is None and self.reported is None


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Grouped bars. A bar that lacks seeds is hatched or pale, a cell without any value a cross on the axis."""

    title: str
    y: str
    groups: tuple[str, ...]
    rows: tuple[str, ...]
    colours: Mapping[str, str]
    marks: tuple[Mark, ...]

    def place(self, of: Mark) -> float:
        """Where the middle of its bar stands; groups are one apart."""
        return self.groups.index(of.column) + (self.rows.index(of.row) - (len(self.rows) - 1) / 2) * self.width

    @property
    def width(self) -> float:
        """The width of a bar, where groups are one apart."""
        return SPAN / len(self.rows)

    @property
    def crosses(self) -> tuple[Mark, ...]:
        """Cells that are asked for and have no value."""
        return tuple(one for one in self.marks if one.mean is None)

    def drawn(self, row: str) -> tuple[Mark, ...]:
        """The bars of a row: its cells that have a value."""
        return tuple(one for one in self.marks if one.row == row and one.mean is not None)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A curve of one column; points (x, cell) by x."""

    line: str
    points: tuple[tuple[float, Mark], ...]

    @property
    def drawn(self) -> tuple[tuple[float, Mark], ...]:
        """The points that have a value."""
        return tuple((x, one) for x, one in self.points if one.mean is not None)


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One column's curves. levels: rows that are no point of a curve, drawn across."""

    column: str
    curves: tuple[Curve, ...]
    levels: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A point that lacks seeds is pale, one without any value a cross; a level that lacks seeds says so."""

    title: str
    x: str
    y: str
    lines: tuple[str, ...]
    plots: tuple[Plot, ...]
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[str, ...] = ()

    def level_name(self, level: Mark) -> str:
        """What stands beside a level: its row, and how many seeds it has if it lacks some."""
        return f"{level.row} ({level.count})" if level.count else level.row

    def place(self, line: str) -> int:
        """Of a line among `COLOURS` and markers, the same in every plot."""
        return self.lines.index(line) % len(COLOURS)

    def dash(self, level: Mark) -> int:
        """The place of a level's dash in `DASHES`, the same in every plot."""
        return self.levels.index(level.row) % len(DASHES)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A case: its title, and by the column of the figure its tiles, which have a `path` and a `note`."""

    title: str
    tiles: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Panels:
    """Pictures of one kind; their paths start at `folder`. left_out: lines that are too many."""

    kind: str
    whats: tuple[str, ...]
    lines: tuple[Line, ...]
    folder: Path
    left_out: int = 0


AnyChart = Chart | Bars | Curves | Panels
