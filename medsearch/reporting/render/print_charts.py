"""Charts for print: matplotlib, as PNG and SVG. The same results give the same bytes."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
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
    Line,
    Mark,
    Panels,
    Series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

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

Images = Mapping[str, "NDArray[Any]"]


def files(name: str, chart: AnyChart) -> dict[str, bytes]:
    """`chart` as files: name to content."""
    with printing():
        return saved(name, figure(chart))


def figure(chart: AnyChart) -> "Figure":
    """`chart` as matplotlib's, with its layout still to be made."""
    match chart:
        case Bars():
            return bar_figure(chart)
        case Curves():
            return curve_figure(chart)
        case Panels():
            return panel_figure(chart)
        case Chart():
            made = _sheet(WIDTH, 0.7 + 0.34 * len(chart.bars) if chart.kind == "bars" else HEIGHT)
            axes = made.subplots()
            {"bars": _importances, "parallel": _parallel}.get(chart.kind, _plane)(axes, chart)
            return made


@contextmanager
def printing() -> Iterator[None]:
    """The look of every printed figure."""
    from matplotlib import rc_context

    with rc_context(cast(Any, dict(SETTINGS))):
        yield


def saved(name: str, figure: "Figure") -> dict[str, bytes]:
    """`figure` as files: name to content."""
    files = {}
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=DOTS, metadata=metadata)
        figure.set_layout_engine("none")  # what the first file found fits the second as well
        files[f"{name}.{kind}"] = file.getvalue()
    return files


def _legend_above(axes: "Axes", **more: Any) -> None:
    """Above the axes, in a line or more."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.04), "borderaxespad": 0}
    style: dict[str, Any] = {"fontsize": 8, "handlelength": 1.8, "columnspacing": 1.2, "handletextpad": 0.5}
    axes.legend(**{"ncols": 7, **place, **style, **more})


def unmathed(text: str) -> str:
    """`text` with no mathematics in it."""
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
    _legend_above(axes, **({"ncols": 3} if chart.kind == "plane" else {}))


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
    _legend_above(axes)


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
    for series, named in chart.labelled:
        _draw_series(axes, chart, series, label=STYLES[series.role].label if named else "_")


def _draw_series(axes: "Axes", chart: Chart, series: Series, *, label: str) -> None:
    style = STYLES[series.role]
    scattered = chart.is_scattered(series)
    x, y = ([point[axis] for point in series.points] for axis in (0, 1))
    ended = chart.has_end(series)
    if series.spreads:
        along, up = zip(*series.spreads, strict=True)
        axes.errorbar(x, y, xerr=along, yerr=up, linestyle="none", color=style.colour, elinewidth=1.0, capsize=2)
    axes.plot(
        x, y, label=label, color=style.colour, linewidth=0.7 * style.width,
        linestyle="none" if scattered else MATPLOTLIB_DASH[style.dash],
        drawstyle="steps-post" if series.role == "frontier" else "default",
        marker=MATPLOTLIB_MARKER[style.marker] if scattered or ended else "", markersize=5,
        markevery=None if scattered else [len(x) - 1], clip_on=chart.kind == "lines",
        alpha=1.0 if scattered else series.opacity,
    )  # fmt: skip


def bar_figure(of: Bars) -> "Figure":
    """Grouped bars, as wide as an article's text for a few groups, wider for many."""
    figure = _sheet(min(15.0, max(7.0, 1.2 + 0.17 * len(of.groups) * len(of.rows))), 3.6)
    _draw_bars(of, figure.subplots())
    _legend(figure, _bar_handles(of))
    return figure


def curve_figure(of: Curves) -> "Figure":
    """Curves, a plot for each column, all on one scale."""
    figure = _sheet(max(5.0, 3.3 * len(of.plots)), 3.4)
    axes = list(figure.subplots(1, len(of.plots), sharey=True, squeeze=False)[0])
    _draw_curves(of, axes)
    _legend(figure, _curve_handles(axes))
    return figure


def _sheet(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _legend(figure: "Figure", entries: Mapping[str, Any]) -> None:
    """One for the whole figure, above it."""
    width = figure.get_size_inches()[0]
    columns = max(1, int(width / (0.6 + 0.075 * max(len(label) for label in entries))))
    place: dict[str, Any] = {"loc": "outside upper left", "fontsize": 7.5, "handlelength": 1.6, "columnspacing": 1.2}
    figure.legend(list(entries.values()), list(entries), ncols=columns, frameon=False, **place)


def _bar_handles(of: Bars) -> dict[str, Any]:
    """The legend of the printed figure: what is drawn, by label."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Any] = {unmathed(row): Patch(color=of.colours[row]) for row in of.rows}
    hollow = {"marker": "D", "markersize": 4.5, "markerfacecolor": "white", "markeredgecolor": INK}
    if any(one.reported is not None for one in of.marks):
        found["reported"] = Line2D([], [], linestyle="none", **hollow)  # type: ignore[arg-type]
    return found


def _draw_bars(of: Bars, axes: "Axes") -> None:
    """The figure in print."""
    for row in of.rows:
        _draw_row(of, row, axes)
    hollow = [(of.place(one), one.reported) for one in of.marks if one.reported is not None]
    if hollow:
        x, y = zip(*hollow, strict=True)
        style: dict[str, Any] = {"marker": "D", "s": 20, "facecolors": "white", "edgecolors": INK, "zorder": 4}
        axes.scatter(x, y, linewidths=1.0, **style)
    for one in of.crosses:
        axes.plot(of.place(one), 0, marker="x", color=LOST, markersize=5, clip_on=False)
    for one in of.marks:
        if one.missing:
            _annotate(of, one, axes)
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    names = [unmathed(group.replace(" : ", "\n")) for group in of.groups]
    axes.set_xticks(range(len(names)), names, **(slant if len(names) > CROWD else {}))
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(of.y)
    tops = [value for one in of.marks for value in ((one.mean or 0.0) + (one.sd or 0.0), one.reported or 0.0)]
    axes.set_ylim(0, 1.06 * max(tops) or 1.0)
    axes.grid(axis="y", color=SOFT, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_row(of: Bars, row: str, axes: "Axes") -> None:
    drawn = of.drawn(row)
    places, heights = [of.place(one) for one in drawn], [one.mean or 0.0 for one in drawn]
    spreads = [one.sd or 0.0 for one in drawn]
    found = axes.bar(
        places, heights, of.width * 0.92, yerr=spreads, color=of.colours[row],
        error_kw={"elinewidth": 0.9, "ecolor": INK, "capsize": 1.5, "zorder": 3},
    )  # fmt: skip
    for patch, one in zip(found.patches, drawn, strict=True):
        if one.missing:
            patch.set(hatch="////", alpha=0.45)
    dots = [(place, value) for place, one in zip(places, drawn, strict=True) for value in one.values]
    if dots:
        x, y = zip(*dots, strict=True)
        axes.scatter(x, y, s=3, color=INK, zorder=3.5, linewidths=0)


def _annotate(of: Bars, one: Mark, axes: "Axes") -> None:
    """What a bar lacks, written along it."""
    place: dict[str, Any] = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "va": "bottom"}
    style: dict[str, Any] = {"rotation": 90, "fontsize": 6, "zorder": 5}
    style["bbox"] = {**BACKING, "boxstyle": "square,pad=0.15", "alpha": 0.8}
    axes.annotate(one.missing, (of.place(one), 0), **place, **style)


def _curve_handles(axes: "Sequence[Axes]") -> dict[str, Any]:
    """The legend of the printed figure: what is drawn, by label, once."""
    found: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return dict(sorted(found.items(), key=lambda item: item[0] == "reported"))


def _draw_curves(of: Curves, axes: "Sequence[Axes]") -> None:
    """The figure in print, one of `axes` for each plot."""
    for plot, one in zip(of.plots, axes, strict=True):
        for curve in plot.curves:
            _draw_curve(of, curve, one)
        for level in plot.levels:
            dash = MATPLOTLIB_DASH[DASHES[of.dash(level)]]
            label = unmathed(of.level_name(level))
            one.axhline(level.mean or 0.0, color=REFERENCE, linestyle=dash, linewidth=1.1, label=label)
        one.set_xticks([x for x, _ in of.ticks], [text for _, text in of.ticks], fontsize=7)
        one.set(xlabel=unmathed(of.x), title=unmathed(plot.column))
        one.title.set_fontsize(9)
        one.grid(axis="y", color=SOFT, linewidth=0.6)
        one.set_axisbelow(True)
    axes[0].set_ylabel(of.y)


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


@dataclass(frozen=True)
class Place:
    """Where a tile stands, in heights of a tile from the top left."""

    left: float
    top: float
    width: float

    @property
    def middle(self) -> float:
        """Of its width."""
        return self.left + self.width / 2


def panel_figure(of: Panels) -> "Figure":
    """Tiles side by side, every column as wide as its widest tile. One pair of axes holds all, which draws fast."""
    from matplotlib.figure import Figure

    images = [dict(_images(line, of.folder)) for line in of.lines]
    widths = [_width(images, what) for what in of.whats]
    starts = list(accumulate((width + GAP for width in widths), initial=0.0))
    width, height = starts[-1], len(of.lines) * (1 + GAP)
    figure = Figure(figsize=(INCH * (NAMES + width), INCH * (HEADS + height)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-NAMES, width), ylim=(height, -HEADS))
    axes.set_axis_off()
    for what, left, wide in zip(of.whats, starts, widths, strict=False):
        _draw_column(axes, of.lines, images, what=what, head=Place(left, 0.0, wide))
    for number, line in enumerate(of.lines):
        middle = number * (1 + GAP) + 0.5
        axes.text(-GAP, middle, unmathed(line.title), ha="right", va="center", fontsize=5.5)
    return figure


def _images(line: Line, folder: Path) -> Iterator[tuple[str, "NDArray[Any]"]]:
    from matplotlib.image import imread

    for what, tile in line.tiles.items():
        if (folder / tile.path).exists():
            yield what, imread(folder / tile.path)


def _width(images: Sequence[Images], what: str) -> float:
    shapes = [line[what].shape for line in images if what in line]
    if not shapes:
        return 1.0
    return max(NARROWEST, *(float(columns / rows) for rows, columns, *_ in shapes))


def _draw_column(axes: "Axes", lines: Sequence[Line], images: Sequence[Images], *, what: str, head: Place) -> None:
    title = unmathed(what.replace(" ", "\n"))
    axes.text(head.middle, -GAP, title, ha="center", va="bottom", fontsize=6, linespacing=0.9)
    for number, (line, found) in enumerate(zip(lines, images, strict=True)):
        place = Place(head.left, number * (1 + GAP), head.width)
        if what in found:
            _draw_tile(axes, found[what], place, note=line.tiles[what].note)
        else:
            axes.text(place.middle, place.top + 0.5, "–", ha="center", va="center", fontsize=7)


def _draw_tile(axes: "Axes", image: "NDArray[Any]", place: Place, *, note: str) -> None:
    """In the middle of its place, a unit high."""
    half = image.shape[1] / image.shape[0] / 2
    sides = (place.middle - half, place.middle + half, place.top + 1, place.top)
    axes.imshow(image, cmap="gray", interpolation="nearest", extent=sides, aspect="auto")
    if note:
        note = note.replace(", ", "\n").replace(": ", "\n") if place.width < 0.7 else note
        axes.text(place.middle, place.top + 0.97, unmathed(note), ha="center", va="bottom", fontsize=4.5, color="white")
