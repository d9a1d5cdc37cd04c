"""The charts of an ablation for the page: plotly figures as plain dictionaries; the page adds a theme."""

from collections.abc import Iterable, Iterator
from typing import Any

from medsearch.reporting.ablation.bars import Bars
from medsearch.reporting.ablation.curves import DASHES, Curve, Curves, Plot
from medsearch.reporting.ablation.marks import COLOURS, MARKERS, REFERENCE, Mark
from medsearch.reporting.wording import html


def bar_figure(of: Bars) -> dict[str, Any]:
    """The figure for the page, as plotly knows it."""
    traces = [*(_bar_trace(of, row) for row in of.rows), *_over_bars(of)]
    layout = {
        "height": 430, "margin": {"l": 56, "r": 16, "t": 30, "b": 46}, "hovermode": "closest", "barmode": "overlay",
        "xaxis": {
            "tickvals": list(range(len(of.groups))), "ticktext": [html(group) for group in of.groups],
            "range": [-0.5, len(of.groups) - 0.5], "showgrid": False, "ticks": "",
            "automargin": True,
        },
        "yaxis": {"title": {"text": html(of.y)}, "rangemode": "tozero"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _bar_trace(of: Bars, row: str) -> dict[str, Any]:
    drawn = [one for one in of.marks if one.row == row and one.mean is not None]
    return {
        "type": "bar", "name": html(row), "x": [of.place(one) for one in drawn], "y": [one.mean for one in drawn],
        "width": of.width * 0.92, "hovertext": _notes(drawn), "hoverinfo": "text",
        "marker": {"color": of.colours[row], "opacity": [0.4 if one.missing else 1.0 for one in drawn]},
        "error_y": {
            "type": "data", "array": [one.sd or 0 for one in drawn], "thickness": 1.4, "width": 3, "color": REFERENCE,
        },
    }  # fmt: skip


def _over_bars(of: Bars) -> Iterator[dict[str, Any]]:
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


def curve_figure(of: Curves, plot: Plot) -> dict[str, Any]:
    """One plot for the page, as plotly knows it."""
    traces = [trace for curve in plot.curves for trace in _curve_traces(of, curve, _floor(plot))]
    ends = (of.ticks[0][0], of.ticks[-1][0])
    traces += [_level(of, level, ends) for level in plot.levels]
    layout = {
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


def _curve_traces(of: Curves, curve: Curve, floor: float) -> list[dict[str, Any]]:
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
        "type": "scatter", "mode": "lines", "name": html(of.level_name(level)),
        "x": list(ends), "y": [level.mean, level.mean],
        "line": {"color": REFERENCE, "width": 1.6, "dash": dash}, "hovertext": _note(level), "hoverinfo": "text",
    }  # fmt: skip


def _notes(of: Iterable[Mark]) -> list[str]:
    return [_note(one) for one in of]


def _note(of: Mark) -> str:
    return html(of.note).replace("\n", "<br>")
