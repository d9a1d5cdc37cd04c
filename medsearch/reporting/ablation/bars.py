"""Grouped bars: a group for each column, a bar for each row, spreads over seeds, reported values as hollow diamonds.

A bar of a row that lacks seeds is hatched (print) or pale (page) and says how many it has; a cell without any value is
a cross on the axis.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medsearch.reporting.ablation.cells import metric_name
from medsearch.reporting.ablation.marks import REFERENCE, Mark, colours, mark
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.plates import unmathed
from medsearch.reporting.wording import html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BACKING: Mapping[str, Any] = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
SPAN = 0.84  # of the distance between two groups
WIDE = 30  # bars beyond which a page's chart scrolls sideways


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A figure of grouped bars."""

    title: str
    y: str
    groups: tuple[str, ...]
    rows: tuple[str, ...]
    colours: Mapping[str, str]
    marks: tuple[Mark, ...]

    @property
    def heading(self) -> str:
        """What stands above the figure on a page."""
        return f"{self.title}: {self.y}" if self.title else self.y

    def place(self, of: Mark) -> float:
        """Where the middle of its bar stands; groups are one apart."""
        return self.groups.index(of.column) + (self.rows.index(of.row) - (len(self.rows) - 1) / 2) * self.width

    @property
    def width(self) -> float:
        """Of a bar."""
        return SPAN / len(self.rows)

    @property
    def crosses(self) -> tuple[Mark, ...]:
        """Cells that are asked for and have no value."""
        return tuple(one for one in self.marks if one.mean is None)


def bars(measures: Measures, metric: str) -> Bars | None:
    """The figure in one metric; None while there is nothing to draw."""
    results = measures.results
    marks = tuple(mark(of, measures) for of in measures if of.metric == metric)
    if all(one.empty for one in marks):
        return None
    return Bars(
        title=results.design.figure.title,
        y=f"Test {metric_name(metric)}",
        groups=tuple(column.label for column in results.columns),
        rows=tuple(row.label for row in results.rows),
        colours=colours(measures),
        marks=marks,
    )


def size(of: Bars) -> tuple[float, float]:
    """Of the printed figure, inches: as wide as an article's text for a few groups, wider for many."""
    return min(15.0, max(7.0, 1.2 + 0.17 * len(of.groups) * len(of.rows))), 3.6


def handles(of: Bars) -> dict[str, Any]:
    """The legend of the printed figure: what is drawn, by label."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Any] = {unmathed(row): Patch(color=of.colours[row]) for row in of.rows}
    hollow = {"marker": "D", "markersize": 4.5, "markerfacecolor": "white", "markeredgecolor": "#22262b"}
    if any(one.reported is not None for one in of.marks):
        found["reported"] = Line2D([], [], linestyle="none", **hollow)  # type: ignore[arg-type]
    return found


def draw(of: Bars, axes: "Axes") -> None:
    """The figure in print."""
    for row in of.rows:
        _draw_row(of, row, axes)
    hollow = [(of.place(one), one.reported) for one in of.marks if one.reported is not None]
    if hollow:
        x, y = zip(*hollow, strict=True)
        style: dict[str, Any] = {"marker": "D", "s": 20, "facecolors": "white", "edgecolors": "#22262b", "zorder": 4}
        axes.scatter(x, y, linewidths=1.0, **style)
    for one in of.crosses:
        axes.plot(of.place(one), 0, marker="x", color="#d5541a", markersize=5, clip_on=False)
    for one in of.marks:
        if one.missing:
            _annotate(of, one, axes)
    axes.set_xticks(range(len(of.groups)), [_wrapped(group) for group in of.groups])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(of.y)
    tops = [value for one in of.marks for value in ((one.mean or 0.0) + (one.sd or 0.0), one.reported or 0.0)]
    axes.set_ylim(0, 1.06 * max(tops) or 1.0)
    axes.grid(axis="y", color="#d4d8dd", linewidth=0.6)
    axes.set_axisbelow(True)


def _annotate(of: Bars, one: Mark, axes: "Axes") -> None:
    """What a bar lacks, written along it."""
    place: dict[str, Any] = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "va": "bottom"}
    style: dict[str, Any] = {"rotation": 90, "fontsize": 6, "bbox": BACKING, "zorder": 5}
    axes.annotate(one.missing, (of.place(one), 0), **place, **style)


def _draw_row(of: Bars, row: str, axes: "Axes") -> None:
    drawn = [one for one in of.marks if one.row == row and one.mean is not None]
    places, heights = [of.place(one) for one in drawn], [one.mean or 0.0 for one in drawn]
    spreads = [one.sd or 0.0 for one in drawn]
    found = axes.bar(
        places, heights, of.width * 0.92, yerr=spreads, color=of.colours[row],
        error_kw={"elinewidth": 0.9, "ecolor": "#22262b", "capsize": 1.5, "zorder": 3},
    )  # fmt: skip
    for patch, one in zip(found.patches, drawn, strict=True):
        if one.missing:
            patch.set(hatch="////", alpha=0.45)
    dots = [(place, value) for place, one in zip(places, drawn, strict=True) for value in one.values]
    if dots:
        x, y = zip(*dots, strict=True)
        axes.scatter(x, y, s=3, color="#22262b", zorder=3.5, linewidths=0)


def _wrapped(group: str) -> str:
    return unmathed(group.replace(" : ", "\n"))


def figure(of: Bars) -> dict[str, Any]:
    """The figure for the page, as plotly knows it."""
    traces = [*(_trace(of, row) for row in of.rows), *_over(of)]
    layout = {
        "height": 430, "margin": {"l": 56, "r": 16, "t": 30, "b": 46}, "hovermode": "closest", "barmode": "overlay",
        "xaxis": {
            "tickvals": list(range(len(of.groups))), "ticktext": [html(group) for group in of.groups],
            "range": [-0.5, len(of.groups) - 0.5], "showgrid": False, "ticks": "",
        },
        "yaxis": {"title": {"text": html(of.y)}, "rangemode": "tozero"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _trace(of: Bars, row: str) -> dict[str, Any]:
    drawn = [one for one in of.marks if one.row == row and one.mean is not None]
    return {
        "type": "bar", "name": html(row), "x": [of.place(one) for one in drawn], "y": [one.mean for one in drawn],
        "width": of.width * 0.92, "hovertext": _notes(drawn), "hoverinfo": "text",
        "marker": {"color": of.colours[row], "opacity": [0.4 if one.missing else 1.0 for one in drawn]},
        "error_y": {
            "type": "data", "array": [one.sd or 0 for one in drawn], "thickness": 1.4, "width": 3, "color": REFERENCE,
        },
    }  # fmt: skip


def _over(of: Bars) -> Iterator[dict[str, Any]]:
    """What lies over the bars: seeds, reported values, crosses."""
    base = {"type": "scatter", "mode": "markers", "hoverinfo": "text"}
    dots = [(of.place(one), value, one) for one in of.marks for value in one.values]
    if dots:
        yield base | {
            "name": "seeds", "x": [x for x, _, _ in dots], "y": [y for _, y, _ in dots],
            "hovertext": _notes([one for _, _, one in dots]),
            "marker": {"color": "#ffffff", "size": 5, "line": {"color": "#22262b", "width": 1}},
        }  # fmt: skip
    hollow = [one for one in of.marks if one.reported is not None]
    if hollow:
        yield base | {
            "name": "reported", "x": [of.place(one) for one in hollow], "y": [one.reported for one in hollow],
            "hovertext": _notes(hollow),
            "marker": {"color": REFERENCE, "symbol": "diamond-open", "size": 11, "line": {"width": 2}},
        }  # fmt: skip
    if of.crosses:
        yield base | {
            "name": "no value", "x": [of.place(one) for one in of.crosses], "y": [0] * len(of.crosses),
            "hovertext": _notes(of.crosses), "marker": {"color": "#d5541a", "symbol": "x", "size": 9},
        }  # fmt: skip


def _notes(of: "list[Mark] | tuple[Mark, ...]") -> list[str]:
    return [html(one.note).replace("\n", "<br>") for one in of]
