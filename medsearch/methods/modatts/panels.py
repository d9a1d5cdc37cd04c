"""Slices side by side: grey images, residuals about zero, outlines of masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Plane = NDArray[np.floating[Any]]
Mask = NDArray[np.uint8] | NDArray[np.bool_]

OUTLINES = {"true": "#4cc9f0", "predicted": "#ffb000"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One image (y, x); black outside `brain`.

    `limits` are the values shown as black and white; without them 0 is the middle of a diverging scale.
    `outlines` are the true mask and the predicted one.
    """

    image: Plane
    brain: Mask
    limits: tuple[float, float] | None = None
    outlines: tuple[Mask, ...] = ()


def draw(path: Path, columns: Sequence[Sequence[Panel]], *, lines: Sequence[str], titles: Sequence[str]) -> None:
    """Write a PNG: one column per case under its title, one line per kind of image."""
    from matplotlib.figure import Figure

    height, width = columns[0][0].image.shape
    inch = max(2.1 / max(height, width), 1.05 / width)  # a column is as wide as its title
    size = (inch * width * len(columns) + 0.7, inch * height * len(lines) + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(lines), len(columns), squeeze=False)
    reach = _reach([panel for panels in columns for panel in panels])
    for column, (panels, title) in enumerate(zip(columns, titles, strict=True)):
        drawn = [_draw(axes[line][column], panel, reach) for line, panel in enumerate(panels)]
        axes[0][column].set_title(title, fontsize=6)
    for line, label in enumerate(lines):
        axes[line][0].set_ylabel(label, fontsize=8)
    if columns[-1][-1].limits is None:
        bar = figure.colorbar(drawn[-1], ax=list(axes[-1]), location="bottom", shrink=0.5, aspect=40, pad=0.02)
        bar.ax.tick_params(labelsize=6)
    _legend(figure, max(len(panel.outlines) for panels in columns for panel in panels))
    figure.savefig(path, dpi=130)


def _draw(axes: "Axes", panel: Panel, reach: float) -> "AxesImage":
    from matplotlib import colormaps

    colours = colormaps["RdBu_r" if panel.limits is None else "gray"].with_extremes(bad="black")
    shown = np.ma.masked_where(~panel.brain.astype(bool), panel.image)
    low, high = panel.limits or (-reach, reach)
    image = axes.imshow(shown, cmap=colours, vmin=low, vmax=high, interpolation="nearest", origin="upper")
    for mask, colour in zip(panel.outlines, OUTLINES.values(), strict=False):
        if mask.any() and not mask.all():
            axes.contour(mask.astype(float), levels=[0.5], colors=colour, linewidths=1.2)
    axes.set_xticks([])
    axes.set_yticks([])
    return image


def _reach(panels: Sequence[Panel]) -> float:
    """The largest value of the diverging panels, which share one scale."""
    return max([0.05, *(float(np.abs(panel.image[panel.brain]).max()) for panel in panels if panel.limits is None)])


def _legend(figure: Any, outlines: int) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, label=label) for label, colour in list(OUTLINES.items())[:outlines]]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=7, frameon=False)
