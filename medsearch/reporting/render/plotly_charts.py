"""Charts for the page: plotly figures as plain dictionaries, without a theme, which the page adds."""

from html import escape
from typing import Any

from medsearch.reporting.charts import (
    COLOURS,
    DASHES,
    INK,
    LOST,
    MARKERS,
    REFERENCE,
    STYLES,
    AnyChart,
    Bars,
    Chart,
    Curves,
    Mark,
    Panels,
    Plot,
)
from medsearch.reporting.wording import html

HEIGHTS = {"points": 340, "lines": 380, "parallel": 400, "bars": 90, "plane": 420}
NOTE = {"xanchor": "left", "showarrow": False, "font": {"size": 11}}
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}


def figure(chart: AnyChart, place: int = 0) -> dict[str, Any]:
    """`chart` as plotly knows it: `{"data": [...], "layout": {...}}`; of curves, the plot at `place`."""
    match chart:
        case Bars():
            return bar_figure(chart)
        case Curves():
            return curve_figure(chart, chart.plots[place])
        case Panels():
            msg = f"panels of {chart.kind} are pictures, which plotly does not draw"
            raise TypeError(msg)
        case Chart(kind="bars"):
            return _importances(chart)
        case Chart(kind="parallel"):
            return _parallel(chart)
        case Chart():
            return _plane(chart)


def _plane(chart: Chart) -> dict[str, Any]:
    layout = _layout(chart)
    ticks: dict[str, Any] = {"automargin": True}
    if chart.kind != "plane":  # trials and epochs are whole numbers, and so are their ticks
        last = max((x for series in chart.series for x, _ in series.points), default=0)
        step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000, last) if step >= last / 12)
        ticks = {"tick0": 0, "dtick": step, "range": [-0.5 if chart.kind == "points" else 0, last + 0.6]}
    layout["xaxis"] = {"title": {"text": html(chart.x)}, "showgrid": False, **ticks}
    rangemode = "tozero" if chart.kind == "lines" else "normal"
    layout["yaxis"] = {"title": {"text": html(chart.y)}, "rangemode": rangemode, "automargin": True}
    layout["shapes"] = [_vertical(x, dash="dot", reference="paper") for x, _ in chart.marks]
    top = {**NOTE, "y": 1, "yref": "paper", "yanchor": "top", "xshift": 3}
    layout["annotations"] = [{**top, "x": x, "text": html(text)} for x, text in chart.marks]
    return {"data": _traces(chart), "layout": layout}


def _parallel(chart: Chart) -> dict[str, Any]:
    layout, last = _layout(chart), len(chart.scales) - 1
    titles = [html(s.title) if isinstance(s.title, str) else s.title.html for s in chart.scales]
    layout["xaxis"] = {
        "tickvals": list(range(len(titles))), "ticktext": [title.replace(" ", "<br>") for title in titles],
        "range": [-0.15, last + 0.45], "side": "bottom", "showgrid": False, "showline": False, "ticks": "",
        "tickangle": 0,
    }  # fmt: skip
    layout["yaxis"] = {"visible": False, "range": [-0.04, 1.04]}
    layout["shapes"] = [_vertical(x, dash="solid", reference="y") for x in range(last + 1)]
    layout["annotations"] = [
        {**NOTE, "x": x, "xshift": 5, "y": height, "text": escape(text), "name": "tick"}
        for x, scale in enumerate(chart.scales)
        for height, text in scale.ticks
    ]
    return {"data": _traces(chart), "layout": layout}


def _importances(chart: Chart) -> dict[str, Any]:
    layout = _layout(chart)
    largest = max(one.share for one in chart.bars) or 1
    layout["height"] = HEIGHTS["bars"] + 38 * len(chart.bars)
    layout["xaxis"] = {"title": {"text": html(chart.x)}, "tickformat": ".0%", "range": [0, 1.15 * largest]}
    layout["yaxis"] = {"autorange": "reversed", "ticks": "", "automargin": True, "showgrid": False}
    layout["showlegend"] = False
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [one.knob.html for one in chart.bars],
        "x": [one.share for one in chart.bars],
        "text": [one.words for one in chart.bars],
        "hovertext": [escape(one.knob.path) for one in chart.bars],
        "hoverinfo": "text",
        "textposition": "outside",
        "cliponaxis": False,
        "width": 0.62,
        "marker": {"color": [one.colour for one in chart.bars]},
    }
    return {"data": [bars], "layout": layout}


def _traces(chart: Chart) -> list[dict[str, Any]]:
    """A trace for each series; a legend names each role once."""
    traces = []
    for series, named in chart.labelled:
        style, scattered, ended = STYLES[series.role], chart.is_scattered(series), chart.has_end(series)
        x, y = ([point[axis] for point in series.points] for axis in (0, 1))
        notes = [_note(note) for note in series.notes]
        look = {"type": "data", "thickness": 1.6, "width": 4, "color": style.colour}
        spreads = zip("xy", zip(*series.spreads, strict=True), strict=False)
        traces.append({
            "type": "scatter", "mode": "markers" if scattered else "lines+markers" if ended else "lines",
            "x": x, "y": y, "name": style.label, "legendgroup": series.role, "showlegend": named,
            "opacity": 1.0 if scattered else series.opacity,
            "line": {
                "color": style.colour, "width": style.width, "dash": style.dash,
                "shape": "hv" if series.role == "frontier" else "linear",
            },
            "marker": {
                "color": style.colour, "symbol": style.marker,
                "size": [0] * (len(x) - 1) + [11] if ended else 10,
            },
            "hovertext": notes if scattered else notes[0], "hoverinfo": "text",
            **{f"error_{axis}": {**look, "array": list(of)} for axis, of in spreads},
        })  # fmt: skip
    return traces


def _vertical(x: float, *, dash: str, reference: str) -> dict[str, Any]:
    return {
        "type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": reference, "layer": "below",
        "line": {"width": 1, "dash": dash},
    }  # fmt: skip


def _layout(chart: Chart) -> dict[str, Any]:
    return {
        "height": HEIGHTS[chart.kind],
        "margin": {"l": 56, "r": 16, "t": 44, "b": 52},
        "hovermode": "closest",
        "legend": {**LEGEND, "itemclick": "toggle"},
    }


def bar_figure(of: Bars) -> dict[str, Any]:
    """Bars of every row, and over them seeds, reported values, and crosses where there is no value."""
    traces: list[dict[str, Any]] = []
    for row in of.rows:
        drawn = of.drawn(row)
        traces.append({
            "type": "bar", "name": html(row), "x": [of.place(one) for one in drawn], "y": [one.mean for one in drawn],
            "width": of.width * 0.92, "hovertext": [_note(one.note) for one in drawn], "hoverinfo": "text",
            "marker": {"color": of.colours[row], "opacity": [0.4 if one.missing else 1.0 for one in drawn]},
            "error_y": {
                "type": "data", "array": [one.sd or 0 for one in drawn], "thickness": 1.4, "width": 3,
                "color": REFERENCE,
            },
        })  # fmt: skip
    seeds = {"color": "#ffffff", "size": 5, "line": {"color": INK, "width": 1}}
    hollow = {"color": REFERENCE, "symbol": "diamond-open", "size": 11, "line": {"width": 2}}
    points: tuple[tuple[str, list[tuple[Mark, float]], dict[str, Any]], ...] = (
        ("seeds", [(one, value) for one in of.marks for value in one.values], seeds),
        ("reported", [(one, one.reported) for one in of.marks if one.reported is not None], hollow),
        ("no value", [(one, 0) for one in of.crosses], {"color": LOST, "symbol": "x", "size": 9}),
    )
    traces += [
        {
            "type": "scatter", "mode": "markers", "hoverinfo": "text", "name": name,
            "x": [of.place(one) for one, _ in marks], "y": [y for _, y in marks],
            "hovertext": [_note(one.note) for one, _ in marks], "marker": marker,
        }
        for name, marks, marker in points
        if marks
    ]  # fmt: skip
    layout = {
        "height": 430, "margin": {"l": 56, "r": 16, "t": 30, "b": 46}, "hovermode": "closest", "barmode": "overlay",
        "xaxis": {
            "tickvals": list(range(len(of.groups))), "ticktext": [html(group) for group in of.groups],
            "range": [-0.5, len(of.groups) - 0.5], "showgrid": False, "ticks": "",
            "automargin": True,
        },
        "yaxis": {"title": {"text": html(of.y)}, "rangemode": "tozero"},
        "legend": LEGEND,
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def curve_figure(of: Curves, plot: Plot) -> dict[str, Any]:
    """The curves of one plot, points without a value below all others, and its levels from end to end."""
    marks = [one for curve in plot.curves for _, one in curve.points]
    values = [value for one in marks for value in (*one.values, one.reported) if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    floor = low - 0.1 * ((high - low) or 1.0)
    traces: list[dict[str, Any]] = []
    for curve in plot.curves:
        place, drawn = of.place(curve.line), curve.drawn
        colour = COLOURS[place]
        traces.append({
            "type": "scatter", "mode": "lines+markers+text", "name": html(curve.line), "x": [x for x, _ in drawn],
            "y": [one.mean for _, one in drawn], "line": {"color": colour, "width": 2.2},
            "marker": {
                "symbol": MARKERS[place], "size": 9, "color": colour,
                "opacity": [0.4 if one.missing else 1.0 for _, one in drawn],
            },
            "error_y": {"type": "data", "array": [one.sd or 0 for _, one in drawn], "thickness": 1.4, "width": 4},
            "text": [one.count for _, one in drawn], "textposition": "top center", "textfont": {"size": 11},
            "hovertext": [_note(one.note) for _, one in drawn], "hoverinfo": "text",
        })  # fmt: skip
        hollow = [(x, one.reported, one) for x, one in curve.points if one.reported is not None]
        lost = [(x, floor, one) for x, one in curve.points if one.mean is None]
        traces += [
            {
                "type": "scatter", "mode": "markers", "name": html(f"{curve.line}, {name}"),
                "x": [x for x, _, _ in points], "y": [y for _, y, _ in points],
                "marker": {"symbol": symbol, "size": 12, "color": colour, "line": {"width": 2}},
                "hovertext": [_note(one.note) for _, _, one in points], "hoverinfo": "text",
            }
            for name, points, symbol in (("reported", hollow, "diamond-open"), ("no value", lost, "x"))
            if points
        ]  # fmt: skip
    for level in plot.levels:
        traces.append({
            "type": "scatter", "mode": "lines", "name": html(of.level_name(level)),
            "x": [of.ticks[0][0], of.ticks[-1][0]], "y": [level.mean, level.mean],
            "line": {"color": REFERENCE, "width": 1.6, "dash": DASHES[of.dash(level)]},
            "hovertext": _note(level.note), "hoverinfo": "text",
        })  # fmt: skip
    layout = {
        "height": 400, "margin": {"l": 56, "r": 16, "t": 44, "b": 52}, "hovermode": "closest",
        "xaxis": {
            "title": {"text": html(of.x)}, "tickvals": [x for x, _ in of.ticks],
            "ticktext": [text for _, text in of.ticks], "showgrid": False,
        },
        "yaxis": {"title": {"text": html(of.y)}},
        "legend": LEGEND,
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _note(note: str) -> str:
    """What a pointer is told, as HTML."""
    return html(note).replace("\n", "<br>")
