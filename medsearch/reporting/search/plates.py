"""The charts of a search for print."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medsearch.reporting.plates import SOFT, legend, printing, saved, unmathed
from medsearch.reporting.search.charts import Chart, Series, has_end, is_scattered
from medsearch.reporting.search.palette import MATPLOTLIB_DASH, MATPLOTLIB_MARKER, STYLES, opacity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 7.0, 3.4  # inches: a text column of an article at 1:1
BACKING: Mapping[str, Any] = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}


def plates(chart: Chart) -> dict[str, bytes]:
    """`chart` as files: name to content."""
    from matplotlib.figure import Figure

    with printing():
        height = 0.7 + 0.34 * len(chart.bars) if chart.kind == "bars" else HEIGHT
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        {"bars": _bars, "parallel": _parallel}.get(chart.kind, _plane)(axes, chart)
        return saved(chart.name, figure)


def _plane(axes: "Axes", chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator

    for x, text in chart.marks:
        axes.axvline(x, color="#9aa1ab", linewidth=0.8, linestyle=":")
        place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "xytext": (3, 0), "textcoords": "offset points"}
        axes.annotate(text, (x, 1), va="top", fontsize=7, **place)
    _series(axes, chart)
    axes.set(xlabel=unmathed(chart.x), ylabel=unmathed(chart.y))
    axes.xaxis.set_major_locator(MaxNLocator(integer=chart.kind != "plane"))
    axes.grid(axis="y", color=SOFT, linewidth=0.6)
    axes.set_axisbelow(True)
    legend(axes, **({"ncols": 3} if chart.kind == "plane" else {}))


def _parallel(axes: "Axes", chart: Chart) -> None:
    for x, scale in enumerate(chart.scales):
        axes.axvline(x, color="#9aa1ab", linewidth=0.8)
        for height, text in scale.ticks:
            where: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "zorder": 5}
            axes.annotate(unmathed(text), (x, height), fontsize=7, bbox=BACKING, **where)
    _series(axes, chart)
    titles = [unmathed(s.title) if isinstance(s.title, str) else s.title.mathtext for s in chart.scales]
    axes.set_xticks(range(len(titles)), titles)
    axes.set(xlim=(-0.15, len(titles) - 0.6), ylim=(-0.04, 1.04), yticks=[])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    legend(axes)


def _bars(axes: "Axes", chart: Chart) -> None:
    names = [name.mathtext for name, _, _ in chart.bars]
    shares = [share for _, share, _ in chart.bars]
    colours = [STYLES["complete" if nuisance else "best"].colour for _, _, nuisance in chart.bars]
    drawn = axes.barh(range(len(names)), shares, color=colours, height=0.62)
    axes.bar_label(
        drawn, [f"{share:.0%}{' (nuisance)' if n else ''}" for _, share, n in chart.bars], padding=3, fontsize=8
    )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=unmathed(chart.x), xlim=(0, max(shares) * 1.15 or 1))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.tick_params(axis="y", length=0)


def _series(axes: "Axes", chart: Chart) -> None:
    named: set[str] = set()
    for series in chart.series:
        _line(axes, chart, series, label="_" if series.role in named else STYLES[series.role].label)
        named.add(series.role)


def _line(axes: "Axes", chart: Chart, series: Series, *, label: str) -> None:
    style = STYLES[series.role]
    scattered = is_scattered(chart, series)
    x, y = ([point[axis] for point in series.points] for axis in (0, 1))
    ended = has_end(chart, series)
    if series.spreads:
        along, up = zip(*series.spreads, strict=True)
        axes.errorbar(x, y, xerr=along, yerr=up, linestyle="none", color=style.colour, elinewidth=1.0, capsize=2)
    axes.plot(
        x, y, label=label, color=style.colour, linewidth=0.7 * style.width,
        linestyle="none" if scattered else MATPLOTLIB_DASH[style.dash],
        drawstyle="steps-post" if series.role == "frontier" else "default",
        marker=MATPLOTLIB_MARKER[style.marker] if scattered or ended else "", markersize=5,
        markevery=None if scattered else [len(x) - 1], clip_on=chart.kind == "lines",
        alpha=1.0 if scattered else opacity(series.role, series.strength),
    )  # fmt: skip
