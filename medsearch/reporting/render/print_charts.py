"""Charts for print: matplotlib, as PNG and SVG. The same results give the same bytes."""

import io
from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

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
    Curve,
    Curves,
    Panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 7.0, 3.4  # inches: a text column of an article at 1:1
DOTS = 200  # per inch
SOFT, FAINT = "#d4d8dd", "#9aa1ab"
SETTINGS: Mapping[str, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#6b737d",
    "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK, "legend.frameon": False,
    "svg.hashsalt": "medsearch", "svg.fonttype": "path",
}  # fmt: skip
MATPLOTLIB_DASH = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
MATPLOTLIB_MARKER = {
    "circle": "o", "diamond": "D", "triangle-down": "v", "triangle-up": "^", "x": "x", "circle-open": ".",
    "square": "s", "star": "*", "cross": "P", "diamond-tall": "d", "pentagon": "p", "hexagon": "h",
}  # fmt: skip
"""Of plotly's names."""
BACKING: Mapping[str, Any] = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
CROWD = 6  # groups beyond which their names slant
INCH = 1.15  # a tile's height
GAP = 0.06  # of a tile's height, between tiles
HEADS = 0.36  # of a tile's height, above the columns
NARROWEST = 0.62  # of a tile's height: a column's title and notes need it
NAMES = 1.3  # of a tile's height: the width of the lines' titles

LEGEND: Mapping[str, Any] = {
    "loc": "lower left", "bbox_to_anchor": (0, 1.04), "borderaxespad": 0, "fontsize": 8, "handlelength": 1.8,
    "columnspacing": 1.2, "handletextpad": 0.5,
}  # fmt: skip
"""Above the axes, in a line or more."""


def files(name: str, chart: AnyChart) -> dict[str, bytes]:
    """`chart` as files: name to content."""
    from matplotlib import rc_context

    made = {}
    with rc_context(cast(Any, dict(SETTINGS))):
        drawn = figure(chart)
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
            file = io.BytesIO()
            drawn.savefig(file, format=kind, dpi=DOTS, metadata=metadata)
            drawn.set_layout_engine("none")  # what the first file found fits the second as well
            made[f"{name}.{kind}"] = file.getvalue()
    return made


def figure(chart: AnyChart) -> "Figure":
    """`chart` as matplotlib's, with its layout still to be made."""
    from matplotlib.figure import Figure

    match chart:
        case Bars():
            return bar_figure(chart)
        case Curves():
            return curve_figure(chart)
        case Panels():
            return panel_figure(chart)
        case Chart():
            height = 0.7 + 0.34 * len(chart.bars) if chart.kind == "bars" else HEIGHT
            made = Figure(figsize=(WIDTH, height), layout="constrained")
            {"bars": _importances, "parallel": _parallel}.get(chart.kind, _plane)(made.subplots(), chart)
            return made


def unmathed(text: str) -> str:
    """`text` with its dollar signs escaped, so that matplotlib reads no mathematics in it."""
    return text.replace("$", r"\$")


def _plane(axes: "Axes", chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator

    for x, text in chart.marks:
        axes.axvline(x, color=FAINT, linewidth=0.8, linestyle=":")
        place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "xytext": (3, 0), "textcoords": "offset points"}
        axes.annotate(text, (x, 1), va="top", fontsize=7, **place)
    _series(axes, chart)
    axes.set(xlabel=unmathed(chart.x), ylabel=unmathed(chart.y))
    axes.xaxis.set_major_locator(MaxNLocator(integer=chart.kind != "plane"))
    axes.grid(axis="y", color=SOFT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(ncols=3 if chart.kind == "plane" else 7, **LEGEND)


def _parallel(axes: "Axes", chart: Chart) -> None:
    for x, scale in enumerate(chart.scales):
        axes.axvline(x, color=FAINT, linewidth=0.8)
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
    axes.legend(ncols=7, **LEGEND)


def _importances(axes: "Axes", chart: Chart) -> None:
    names, shares = [one.knob.mathtext for one in chart.bars], [one.share for one in chart.bars]
    drawn = axes.barh(range(len(names)), shares, color=[one.colour for one in chart.bars], height=0.62)
    axes.bar_label(drawn, [one.words for one in chart.bars], padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=unmathed(chart.x), xlim=(0, max(shares) * 1.15 or 1))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.tick_params(axis="y", length=0)


def _series(axes: "Axes", chart: Chart) -> None:
    """Every series with the spreads of its points; a legend names each role once."""
    for series, named in chart.labelled:
        style, scattered, ended = STYLES[series.role], chart.is_scattered(series), chart.has_end(series)
        x, y = ([point[axis] for point in series.points] for axis in (0, 1))
        if series.spreads:
            along, up = zip(*series.spreads, strict=True)
            axes.errorbar(x, y, xerr=along, yerr=up, linestyle="none", color=style.colour, elinewidth=1.0, capsize=2)
        axes.plot(
            x, y, label=style.label if named else "_", color=style.colour, linewidth=0.7 * style.width,
            linestyle="none" if scattered else MATPLOTLIB_DASH[style.dash],
            drawstyle="steps-post" if series.role == "frontier" else "default",
            marker=MATPLOTLIB_MARKER[style.marker] if scattered or ended else "", markersize=5,
            markevery=None if scattered else [len(x) - 1], clip_on=chart.kind == "lines",
            alpha=1.0 if scattered else series.opacity,
        )  # fmt: skip


def _legend(figure: "Figure", entries: Mapping[str, Any]) -> None:
    """One for the whole figure, above it: handles by label."""
    width = figure.get_size_inches()[0]
    columns = max(1, int(width / (0.6 + 0.075 * max(len(label) for label in entries))))
    place: dict[str, Any] = {"loc": "outside upper left", "fontsize": 7.5, "handlelength": 1.6, "columnspacing": 1.2}
    figure.legend(list(entries.values()), list(entries), ncols=columns, frameon=False, **place)


def bar_figure(of: Bars) -> "Figure":
    """Grouped bars, as wide as an article's text for a few groups, wider for many.

    A bar that lacks seeds is hatched and says what it lacks; seeds are dots, reported values hollow diamonds.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    width = min(15.0, max(7.0, 1.2 + 0.17 * len(of.groups) * len(of.rows)))
    figure = Figure(figsize=(width, 3.6), layout="constrained")
    axes = figure.subplots()
    for row in of.rows:
        drawn = of.drawn(row)
        places, heights = [of.place(one) for one in drawn], [one.mean or 0.0 for one in drawn]
        bars = axes.bar(
            places, heights, of.width * 0.92, yerr=[one.sd or 0.0 for one in drawn], color=of.colours[row],
            error_kw={"elinewidth": 0.9, "ecolor": INK, "capsize": 1.5, "zorder": 3},
        )  # fmt: skip
        for patch, one in zip(bars.patches, drawn, strict=True):
            if one.missing:
                patch.set(hatch="////", alpha=0.45)
        if dots := [(place, value) for place, one in zip(places, drawn, strict=True) for value in one.values]:
            xs, ys = zip(*dots, strict=True)
            axes.scatter(xs, ys, s=3, color=INK, zorder=3.5, linewidths=0)
    hollow = [(of.place(one), one.reported) for one in of.marks if one.reported is not None]
    if hollow:
        style: dict[str, Any] = {"marker": "D", "s": 20, "facecolors": "white", "edgecolors": INK, "zorder": 4}
        axes.scatter(*zip(*hollow, strict=True), linewidths=1.0, **style)
    for one in of.crosses:
        axes.plot(of.place(one), 0, marker="x", color=LOST, markersize=5, clip_on=False)
    along: dict[str, Any] = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "va": "bottom"}
    along |= {"rotation": 90, "fontsize": 6, "zorder": 5}
    along["bbox"] = {**BACKING, "boxstyle": "square,pad=0.15", "alpha": 0.8}
    for one in of.marks:
        if one.missing:
            axes.annotate(one.missing, (of.place(one), 0), **along)
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    names = [unmathed(group.replace(" : ", "\n")) for group in of.groups]
    axes.set_xticks(range(len(names)), names, **(slant if len(names) > CROWD else {}))
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(of.y)
    tops = [value for one in of.marks for value in ((one.mean or 0.0) + (one.sd or 0.0), one.reported or 0.0)]
    axes.set_ylim(0, 1.06 * max(tops) or 1.0)
    axes.grid(axis="y", color=SOFT, linewidth=0.6)
    axes.set_axisbelow(True)
    entries: dict[str, Any] = {unmathed(row): Patch(color=of.colours[row]) for row in of.rows}
    if hollow:
        look: dict[str, Any] = {"marker": "D", "markersize": 4.5, "markerfacecolor": "white", "markeredgecolor": INK}
        entries["reported"] = Line2D([], [], linestyle="none", **look)
    _legend(figure, entries)
    return figure


def curve_figure(of: Curves) -> "Figure":
    """Curves, a plot for each column, all on one scale; a point that lacks seeds is pale and says how many it has."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(5.0, 3.3 * len(of.plots)), 3.4), layout="constrained")
    every = list(figure.subplots(1, len(of.plots), sharey=True, squeeze=False)[0])
    for plot, axes in zip(of.plots, every, strict=True):
        for curve in plot.curves:
            _draw_curve(of, curve, axes)
        for level in plot.levels:
            dash, label = MATPLOTLIB_DASH[DASHES[of.dash(level)]], unmathed(of.level_name(level))
            axes.axhline(level.mean or 0.0, color=REFERENCE, linestyle=dash, linewidth=1.1, label=label)
        axes.set_xticks([x for x, _ in of.ticks], [text for _, text in of.ticks], fontsize=7)
        axes.set(xlabel=unmathed(of.x), title=unmathed(plot.column))
        axes.title.set_fontsize(9)
        axes.grid(axis="y", color=SOFT, linewidth=0.6)
        axes.set_axisbelow(True)
    every[0].set_ylabel(of.y)
    entries: dict[str, Any] = {}
    for axes in every:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    _legend(figure, dict(sorted(entries.items(), key=lambda item: item[0] == "reported")))
    return figure


def _draw_curve(of: Curves, curve: Curve, axes: "Axes") -> None:
    place, drawn = of.place(curve.line), curve.drawn
    colour, marker, label = COLOURS[place], MATPLOTLIB_MARKER[MARKERS[place]], unmathed(curve.line)
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


def panel_figure(of: Panels) -> "Figure":
    """Tiles a unit high, columns as wide as their widest one, all in one pair of axes, which draws fast."""
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    images = [
        {what: imread(of.folder / tile.path) for what, tile in line.tiles.items() if (of.folder / tile.path).exists()}
        for line in of.lines
    ]
    widths = []
    for what in of.whats:
        shapes = [found[what].shape for found in images if what in found]
        widths.append(max([NARROWEST, *(float(shape[1] / shape[0]) for shape in shapes)]) if shapes else 1.0)
    starts = list(accumulate((width + GAP for width in widths), initial=0.0))
    width, height = starts[-1], len(of.lines) * (1 + GAP)
    figure = Figure(figsize=(INCH * (NAMES + width), INCH * (HEADS + height)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-NAMES, width), ylim=(height, -HEADS))
    axes.set_axis_off()
    for what, left, wide in zip(of.whats, starts, widths, strict=False):
        middle, title = left + wide / 2, unmathed(what.replace(" ", "\n"))
        axes.text(middle, -GAP, title, ha="center", va="bottom", fontsize=6, linespacing=0.9)
        for number, (line, found) in enumerate(zip(of.lines, images, strict=True)):
            top = number * (1 + GAP)
            if what not in found:
                axes.text(middle, top + 0.5, "–", ha="center", va="center", fontsize=7)
                continue
            half = found[what].shape[1] / found[what].shape[0] / 2
            sides = (middle - half, middle + half, top + 1, top)
            axes.imshow(found[what], cmap="gray", interpolation="nearest", extent=sides, aspect="auto")
            if note := line.tiles[what].note:
                note = note.replace(", ", "\n").replace(": ", "\n") if wide < 0.7 else note
                style: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 4.5, "color": "white"}
                axes.text(middle, top + 0.97, unmathed(note), **style)
    for number, line in enumerate(of.lines):
        axes.text(-GAP, number * (1 + GAP) + 0.5, unmathed(line.title), ha="right", va="center", fontsize=5.5)
    return figure
