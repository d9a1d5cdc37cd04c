"""Curves over a knob: one plot for each column, one curve for each line of the rows, reported values hollow.

Rows without a line are levels across the plot: the target-supervised model, a model without adaptation. A point that
lacks seeds is pale; one without any value is a cross on the axis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medsearch.reporting.ablation.caption import names_of
from medsearch.reporting.ablation.cells import metric_name
from medsearch.reporting.ablation.marks import COLOURS, MARKERS, MATPLOTLIB_MARKERS, REFERENCE, Mark, mark
from medsearch.reporting.ablation.measures import Measure, Measures
from medsearch.reporting.plates import unmathed
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import html, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = (("--", "dash"), (":", "dot"), ("-.", "dashdot"))
"""Of levels: matplotlib's name, plotly's."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A curve of one column; points (x, cell) by x."""

    line: str
    points: tuple[tuple[float, Mark], ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One column's curves."""

    column: str
    curves: tuple[Curve, ...]
    levels: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A figure of curves."""

    title: str
    x: str
    y: str
    lines: tuple[str, ...]
    plots: tuple[Plot, ...]
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """What stands above the figure on a page."""
        return f"{self.title}: {self.y}" if self.title else self.y

    def colour(self, line: str) -> str:
        """Of a line, in every plot."""
        return COLOURS[self.lines.index(line) % len(COLOURS)]


def curves(measures: Measures, metric: str) -> Curves | None:
    """The figure in one metric; None while there is nothing to draw."""
    results = measures.results
    knob = results.design.figure.x
    found = [_plot(measures, column.label, metric, knob) for column in results.columns]
    plots = tuple(plot for plot in found if any(not one.empty for curve in plot.curves for _, one in curve.points))
    if not plots:
        return None
    values = sorted({x for plot in plots for curve in plot.curves for x, _ in curve.points})
    fraction = knob.endswith("_labels")
    names = names_of(results)
    return Curves(
        title=results.design.figure.title,
        x=names[knob].text if knob in names else knob,
        y=f"Test {metric_name(metric)}",
        lines=tuple(dict.fromkeys(curve.line for plot in plots for curve in plot.curves)),
        plots=plots,
        ticks=tuple((value, f"{100 * value:g}%" if fraction else number(value)) for value in values),
        levels=tuple(dict.fromkeys(level.row for plot in plots for level in plot.levels)),
    )


def _plot(measures: Measures, column: str, metric: str, knob: str) -> Plot:
    lines: dict[str, list[tuple[float, Mark]]] = {}
    levels = []
    for of in measures:
        if (of.column.label, of.metric) != (column, metric):
            continue
        x = _x(of, measures, knob)
        if of.row.line and x is not None:
            lines.setdefault(of.row.line, []).append((x, mark(of, measures)))
        elif of.values:
            levels.append(mark(of, measures))
    made = (Curve(line=line, points=tuple(sorted(points, key=lambda p: p[0]))) for line, points in lines.items())
    return Plot(column=column, curves=tuple(made), levels=tuple(levels))


def _x(of: Measure, measures: Measures, knob: str) -> float | None:
    """The knob's value in a cell: as the study set it, or as the task has it."""
    cell = measures.results.cell(of.row.label, of.column.label)
    task = {f"task.{name}": value for name, value in of.column.task.items()}
    value: Any = {**task, **of.row.knobs, **cell.knobs}.get(knob)
    return float(value) if known(value) else None


def size(of: Curves) -> tuple[float, float]:
    """Of the printed figure, inches."""
    return max(5.0, 3.3 * len(of.plots)), 3.4


def handles(axes: "Sequence[Axes]") -> dict[str, Any]:
    """The legend of the printed figure: what is drawn, by label, once."""
    found: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return dict(sorted(found.items(), key=lambda item: item[0] == "reported"))


def draw(of: Curves, axes: "Sequence[Axes]") -> None:
    """The figure in print, one of `axes` for each plot."""
    for plot, one in zip(of.plots, axes, strict=True):
        for curve in plot.curves:
            _draw_curve(of, curve, one)
        for level in plot.levels:
            dash = DASHES[of.levels.index(level.row) % len(DASHES)][0]
            one.axhline(level.mean or 0.0, color=REFERENCE, linestyle=dash, linewidth=1.1, label=unmathed(level.row))
        one.set_xticks([x for x, _ in of.ticks], [text for _, text in of.ticks], fontsize=7)
        one.set(xlabel=unmathed(of.x), title=unmathed(plot.column))
        one.title.set_fontsize(9)
        one.grid(axis="y", color="#d4d8dd", linewidth=0.6)
        one.set_axisbelow(True)
    axes[0].set_ylabel(of.y)


def _draw_curve(of: Curves, curve: Curve, axes: "Axes") -> None:
    place = of.lines.index(curve.line) % len(COLOURS)
    colour, marker, label = of.colour(curve.line), MATPLOTLIB_MARKERS[place], unmathed(curve.line)
    drawn = [(x, one) for x, one in curve.points if one.mean is not None]
    axes.errorbar(
        [x for x, _ in drawn], [one.mean or 0.0 for _, one in drawn], yerr=[one.sd or 0.0 for _, one in drawn],
        color=colour, marker=marker, markersize=4.5, linewidth=1.4, elinewidth=0.9, capsize=2, label=label,
    )  # fmt: skip
    short = [(x, one) for x, one in drawn if one.missing]
    pale: dict[str, Any] = {"color": "white", "alpha": 0.65, "markeredgewidth": 0, "linestyle": "none", "zorder": 3}
    axes.plot([x for x, _ in short], [one.mean or 0.0 for _, one in short], marker=marker, markersize=4.5, **pale)
    for x, one in short:
        above: dict[str, Any] = {"xytext": (0, 5), "textcoords": "offset points", "fontsize": 6, "ha": "center"}
        axes.annotate(one.count, (x, one.mean or 0.0), **above)
    hollow = [(x, one.reported) for x, one in curve.points if one.reported is not None]
    if hollow:
        style: dict[str, Any] = {"marker": "D", "s": 26, "facecolors": "white", "edgecolors": colour, "zorder": 4}
        axes.scatter(*zip(*hollow, strict=True), linewidths=1.1, label="reported", **style)
    for x, one in curve.points:
        if one.mean is None:
            on_the_axis: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
            axes.plot(x, 0, marker="x", color=colour, markersize=5, **on_the_axis)


def figure(of: Curves, plot: Plot) -> dict[str, Any]:
    """One plot for the page, as plotly knows it."""
    traces = [trace for curve in plot.curves for trace in _traces(of, curve, _floor(plot))]
    ends = (of.ticks[0][0], of.ticks[-1][0])
    traces += [_level(of, level, ends) for level in plot.levels]
    layout: Mapping[str, Any] = {
        "height": 400, "margin": {"l": 56, "r": 16, "t": 44, "b": 52}, "hovermode": "closest",
        "xaxis": {
            "title": {"text": html(of.x)}, "tickvals": [x for x, _ in of.ticks],
            "ticktext": [text for _, text in of.ticks], "showgrid": False,
        },
        "yaxis": {"title": {"text": html(of.y)}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _floor(plot: Plot) -> float:
    """Where a page shows points without a value: below all others."""
    marks = [one for curve in plot.curves for _, one in curve.points]
    values = [value for one in marks for value in (*one.values, one.reported) if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    return low - 0.1 * ((high - low) or 1.0)


def _traces(of: Curves, curve: Curve, floor: float) -> list[dict[str, Any]]:
    place = of.lines.index(curve.line) % len(COLOURS)
    colour = of.colour(curve.line)
    drawn = [(x, one) for x, one in curve.points if one.mean is not None]
    hollow = [(x, one) for x, one in curve.points if one.reported is not None]
    lost = [(x, one) for x, one in curve.points if one.mean is None]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines+markers+text", "name": html(curve.line), "x": [x for x, _ in drawn],
            "y": [one.mean for _, one in drawn], "line": {"color": colour, "width": 2.2},
            "marker": {
                "symbol": MARKERS[place], "size": 9, "color": colour,
                "opacity": [0.4 if one.missing else 1.0 for _, one in drawn],
            },
            "error_y": {"type": "data", "array": [one.sd or 0 for _, one in drawn], "thickness": 1.4, "width": 4},
            "text": [one.count for _, one in drawn], "textposition": "top center", "textfont": {"size": 11},
            "hovertext": [_note(one) for _, one in drawn], "hoverinfo": "text",
        }
    ]  # fmt: skip
    for name, points, symbol in (("reported", hollow, "diamond-open"), ("no value", lost, "x")):
        if points:
            traces.append(
                {
                    "type": "scatter", "mode": "markers", "name": html(f"{curve.line}, {name}"),
                    "x": [x for x, _ in points], "y": [one.reported if symbol != "x" else floor for _, one in points],
                    "marker": {"symbol": symbol, "size": 12, "color": colour, "line": {"width": 2}},
                    "hovertext": [_note(one) for _, one in points], "hoverinfo": "text",
                }
            )  # fmt: skip
    return traces


def _level(of: Curves, level: Mark, ends: tuple[float, float]) -> dict[str, Any]:
    dash = DASHES[of.levels.index(level.row) % len(DASHES)][1]
    return {
        "type": "scatter", "mode": "lines", "name": html(level.row), "x": list(ends), "y": [level.mean, level.mean],
        "line": {"color": REFERENCE, "width": 1.6, "dash": dash}, "hovertext": _note(level), "hoverinfo": "text",
    }  # fmt: skip


def _note(of: Mark) -> str:
    return html(of.note).replace("\n", "<br>")
