"""Slices side by side: grey images, residuals about zero, outlines of masks, heat of attention."""

from collections.abc import Mapping, Sequence
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
HEAT, COVER = "jet", 0.55
"""Colours of attention, and how much of the image they hide."""
SIDE = 256
"""Pixels that the longer side of a tile has at least."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One image (y, x); black outside `brain`.

    `limits` are the values shown as black and white; without them 0 is the middle of a diverging scale.
    `outlines` are the true mask and the predicted one; an empty one draws nothing. `heat` in [0, 1] colours the image.
    """

    image: Plane
    brain: Mask
    limits: tuple[float, float] | None = None
    outlines: tuple[Mask, ...] = ()
    heat: Plane | None = None


def draw(path: Path, columns: Sequence[Sequence[Panel]], *, lines: Sequence[str], titles: Sequence[str]) -> None:
    """Write a PNG: one column per case under its title, one line per kind of image."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    height, width = columns[0][0].image.shape
    inch = max(2.1 / max(height, width), 1.05 / width)  # a column is as wide as its title
    size = (inch * width * len(columns) + 0.7, inch * height * len(lines) + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(lines), len(columns), squeeze=False)
    panels = [panel for column in columns for panel in column]
    span = reach(panels)
    for column, (of_case, title) in enumerate(zip(columns, titles, strict=True)):
        drawn = [_draw(axes[line][column], panel, span) for line, panel in enumerate(of_case)]
        axes[0][column].set_title(title, fontsize=6)
    for line, label in enumerate(lines):
        axes[line][0].set_ylabel(label, fontsize=8)
    diverging = [line for line, panel in enumerate(columns[-1]) if panel.limits is None]
    if diverging:
        bar = figure.colorbar(
            drawn[diverging[0]], ax=list(axes[-1]), location="bottom", shrink=0.5, aspect=40, pad=0.02
        )
        bar.ax.tick_params(labelsize=6)
    outlined = {name for panel in panels for name, mask in zip(OUTLINES, panel.outlines, strict=False) if mask.any()}
    handles = [Line2D([], [], color=colour, label=label) for label, colour in OUTLINES.items() if label in outlined]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)


def rendered(panel: Panel, span: float) -> NDArray[np.uint8]:
    """A panel alone, as colours (y, x, 3): voxels become squares, outlines are thin lines just inside their masks.

    span: the value at either end of the diverging scale.
    """
    from matplotlib import colormaps
    from scipy import ndimage

    low, high = panel.limits or (-span, span)
    shown = np.clip((panel.image - low) / max(high - low, 1e-6), 0, 1)
    colours: Plane = colormaps["RdBu_r" if panel.limits is None else "gray"](shown)[..., :3]
    if panel.heat is not None:
        colours = (1 - COVER) * colours + COVER * colormaps[HEAT](panel.heat)[..., :3]
    colours[~panel.brain.astype(bool)] = 0
    scale = -(-SIDE // max(panel.image.shape))
    large: NDArray[np.uint8] = (255 * colours + 0.5).astype(np.uint8).repeat(scale, 0).repeat(scale, 1)
    for mask, colour in zip(panel.outlines, OUTLINES.values(), strict=False):
        enlarged = mask.astype(bool).repeat(scale, 0).repeat(scale, 1)
        large[enlarged & ~ndimage.binary_erosion(enlarged, iterations=2)] = tuple(bytes.fromhex(colour[1:]))
    return large


def reach(panels: Sequence[Panel]) -> float:
    """The largest value of the diverging panels, which share one scale."""
    return max([0.05, *(float(np.abs(panel.image[panel.brain]).max()) for panel in panels if panel.limits is None)])


def _draw(axes: "Axes", panel: Panel, span: float) -> "AxesImage":
    from matplotlib import colormaps

    colours = colormaps["RdBu_r" if panel.limits is None else "gray"].with_extremes(bad="black")
    dark = ~panel.brain.astype(bool)
    low, high = panel.limits or (-span, span)
    look: Mapping[str, Any] = {"interpolation": "nearest", "origin": "upper"}
    image = axes.imshow(np.ma.masked_where(dark, panel.image), cmap=colours, vmin=low, vmax=high, **look)
    if panel.heat is not None:
        axes.imshow(np.ma.masked_where(dark, panel.heat), cmap=HEAT, vmin=0, vmax=1, alpha=COVER, **look)
    for mask, colour in zip(panel.outlines, OUTLINES.values(), strict=False):
        if mask.any() and not mask.all():
            axes.contour(mask.astype(float), levels=[0.5], colors=colour, linewidths=1.2)
    axes.set_xticks([])
    axes.set_yticks([])
    return image
