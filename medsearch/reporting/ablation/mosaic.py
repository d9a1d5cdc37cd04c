"""Panels for print: tiles side by side, every column as wide as its widest tile."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsearch.reporting.ablation.panels import Line, Panels
from medsearch.reporting.plates import unmathed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

INCH = 1.15  # a tile's height
GAP = 0.06  # of a tile's height, between tiles
HEADS = 0.36  # of a tile's height, above the columns
NARROWEST = 0.62  # of a tile's height: a column's title and notes need it
NAMES = 1.3  # of a tile's height: the width of the lines' titles

Images = Mapping[str, "NDArray[Any]"]


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


def mosaic(of: Panels, folder: Path) -> "Figure":
    """The figure in print; tiles' paths start at `folder`. One pair of axes holds all, which draws fast."""
    from matplotlib.figure import Figure

    images = [dict(_images(line, folder)) for line in of.lines]
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
