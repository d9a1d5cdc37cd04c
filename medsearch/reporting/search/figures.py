"""The charts for the page: plotly figures as plain dictionaries, without a theme, which the page adds."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from medsearch.reporting.search.charts import Chart, Scale, Series, has_end, is_scattered
from medsearch.reporting.search.palette import STYLES, opacity
from medsearch.reporting.wording import html

Figure = dict[str, Any]
HEIGHTS = {"points": 340, "lines": 380, "parallel": 400, "bars": 90, "plane": 420}


def figure(chart: Chart) -> Figure:
    """`chart` as plotly knows it: `{"data": [...], "layout": {...}}`."""
    draw: Mapping[str, Callable[[Chart], Figure]] = {"bars": _bars, "parallel": _parallel}
    return draw.get(chart.kind, _plane)(chart)


def _plane(chart: Chart) -> Figure:
    layout = _layout(chart)
    ticks = {"automargin": True} if chart.kind == "plane" else _whole(chart)
    layout["xaxis"] = {"title": {"text": html(chart.x)}, "showgrid": False, **ticks}
    rangemode = "tozero" if chart.kind == "lines" else "normal"
    layout["yaxis"] = {"title": {"text": html(chart.y)}, "rangemode": rangemode, "automargin": True}
    layout["shapes"] = [_vertical(x, dash="dot", reference="paper") for x, _ in chart.marks]
    layout["annotations"] = [_mark(x, text) for x, text in chart.marks]
    return {"data": _traces(chart), "layout": layout}


def _mark(x: float, text: str) -> dict[str, Any]:
    return {
        "x": x, "y": 1, "yref": "paper", "xanchor": "left", "yanchor": "top", "xshift": 3, "text": html(text),
        "showarrow": False, "font": {"size": 11},
    }  # fmt: skip


def _whole(chart: Chart) -> dict[str, Any]:
    """Trials and epochs are whole numbers, and so are their ticks."""
    last = max((x for series in chart.series for x, _ in series.points), default=0)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000, last) if step >= last / 12)
    return {"tick0": 0, "dtick": step, "range": [-0.5 if chart.kind == "points" else 0, last + 0.6]}


def _parallel(chart: Chart) -> Figure:
    layout, last = _layout(chart), len(chart.scales) - 1
    titles = [html(s.title) if isinstance(s.title, str) else s.title.html for s in chart.scales]
    layout["xaxis"] = {
        "tickvals": list(range(len(titles))), "ticktext": [title.replace(" ", "<br>") for title in titles],
        "range": [-0.15, last + 0.45], "side": "bottom", "showgrid": False, "showline": False, "ticks": "",
        "tickangle": 0,
    }  # fmt: skip
    layout["yaxis"] = {"visible": False, "range": [-0.04, 1.04]}
    layout["shapes"] = [_vertical(x, dash="solid", reference="y") for x in range(last + 1)]
    layout["annotations"] = [tick for x, scale in enumerate(chart.scales) for tick in _scale_ticks(x, scale)]
    return {"data": _traces(chart), "layout": layout}


def _scale_ticks(x: int, scale: Scale) -> list[dict[str, Any]]:
    base = {"x": x, "xanchor": "left", "xshift": 5, "showarrow": False, "font": {"size": 11}}
    return [{**base, "y": height, "text": escape(text), "name": "tick"} for height, text in scale.ticks]


def _bars(chart: Chart) -> Figure:
    layout = _layout(chart)
    largest = max(share for _, share, _ in chart.bars) or 1
    layout["height"] = HEIGHTS["bars"] + 38 * len(chart.bars)
    layout["xaxis"] = {"title": {"text": html(chart.x)}, "tickformat": ".0%", "range": [0, 1.15 * largest]}
    layout["yaxis"] = {"autorange": "reversed", "ticks": "", "automargin": True, "showgrid": False}
    layout["showlegend"] = False
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [name.html for name, _, _ in chart.bars],
        "x": [share for _, share, _ in chart.bars],
        "text": [f"{share:.0%}{' (nuisance)' if nuisance else ''}" for _, share, nuisance in chart.bars],
        "hovertext": [escape(name.path) for name, _, _ in chart.bars],
        "hoverinfo": "text",
        "textposition": "outside",
        "cliponaxis": False,
        "width": 0.62,
        "marker": {"color": [STYLES["complete" if nuisance else "best"].colour for _, _, nuisance in chart.bars]},
    }
    return {"data": [bars], "layout": layout}


def _traces(chart: Chart) -> list[dict[str, Any]]:
    named: set[str] = set()
    traces = []
    for series in chart.series:
        traces.append(_trace(chart, series, named=series.role not in named))
        named.add(series.role)
    return traces


def _trace(chart: Chart, series: Series, *, named: bool) -> dict[str, Any]:
    style = STYLES[series.role]
    scattered = is_scattered(chart, series)
    ended = has_end(chart, series)
    x, y = ([point[axis] for point in series.points] for axis in (0, 1))
    notes = [html(note).replace("\n", "<br>") for note in series.notes]
    return {
        "type": "scatter",
        "mode": "markers" if scattered else "lines+markers" if ended else "lines",
        "x": x,
        "y": y,
        "name": style.label,
        "legendgroup": series.role,
        "showlegend": named,
        "opacity": 1.0 if scattered else opacity(series.role, series.strength),
        "line": {
            "color": style.colour, "width": style.width, "dash": style.dash,
            "shape": "hv" if series.role == "frontier" else "linear",
        },
        "marker": {
            "color": style.colour, "symbol": style.marker,
            "size": [0] * (len(x) - 1) + [11] if ended else 10,
        },
        "hovertext": notes if scattered else notes[0],
        "hoverinfo": "text",
        **_spreads(series),
    }  # fmt: skip


def _spreads(series: Series) -> dict[str, Any]:
    """Error bars, where the points are means."""
    look = {"type": "data", "thickness": 1.6, "width": 4, "color": STYLES[series.role].colour}
    bars = zip(*series.spreads, strict=True)
    return {f"error_{axis}": {**look, "array": list(of)} for axis, of in zip("xy", bars, strict=False)}


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
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "itemclick": "toggle",
        },
    }
