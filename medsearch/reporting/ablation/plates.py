"""The charts of an ablation for print."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medsearch.reporting.ablation.bars import Bars
from medsearch.reporting.ablation.curves import DASHES, Curve, Curves
from medsearch.reporting.ablation.marks import COLOURS, MATPLOTLIB_MARKERS, REFERENCE, Mark
from medsearch.reporting.plates import SOFT, unmathed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BACKING: Mapping[str, Any] = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
INK = "#22262b"
CROWD = 6  # groups beyond which their names slant


def bar_plate(of: Bars) -> "Figure":
    """Grouped bars, as wide as an article's text for a few groups, wider for many."""
    figure = _sheet(min(15.0, max(7.0, 1.2 + 0.17 * len(of.groups) * len(of.rows))), 3.6)
    _draw_bars(of, figure.subplots())
    _legend(figure, _bar_handles(of))
    return figure


def curve_plate(of: Curves) -> "Figure":
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
        axes.plot(of.place(one), 0, marker="x", color="#d5541a", markersize=5, clip_on=False)
    for one in of.marks:
        if one.missing:
            _annotate(of, one, axes)
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    names = [_wrapped(group) for group in of.groups]
    axes.set_xticks(range(len(names)), names, **(slant if len(names) > CROWD else {}))
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(of.y)
    tops = [value for one in of.marks for value in ((one.mean or 0.0) + (one.sd or 0.0), one.reported or 0.0)]
    axes.set_ylim(0, 1.06 * max(tops) or 1.0)
    axes.grid(axis="y", color=SOFT, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_row(of: Bars, row: str, axes: "Axes") -> None:
    drawn = [one for one in of.marks if one.row == row and one.mean is not None]
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
    style: dict[str, Any] = {"rotation": 90, "fontsize": 6, "bbox": BACKING, "zorder": 5}
    axes.annotate(one.missing, (of.place(one), 0), **place, **style)


def _wrapped(group: str) -> str:
    return unmathed(group.replace(" : ", "\n"))


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
            dash = DASHES[of.levels.index(level.row) % len(DASHES)][0]
            label = unmathed(of.level_name(level))
            one.axhline(level.mean or 0.0, color=REFERENCE, linestyle=dash, linewidth=1.1, label=label)
        one.set_xticks([x for x, _ in of.ticks], [text for _, text in of.ticks], fontsize=7)
        one.set(xlabel=unmathed(of.x), title=unmathed(plot.column))
        one.title.set_fontsize(9)
        one.grid(axis="y", color=SOFT, linewidth=0.6)
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
