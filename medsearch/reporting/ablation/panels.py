"""Panels of pictures: a line per case, a column per kind of image, composed of tiles that test stages stored.

"self_training" needs no tiles of its own (figure 5.10): "before" is the prediction of a row without self-training, and
"after" that of the row it is compared with.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsearch.reporting.ablation.results import AblationResults, Row, Tile
from medsearch.reporting.plates import unmathed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CASES = 2
"""Cases of each row and column that a figure shows."""
LINES = 12
"""Lines of a figure; what is left out is said under it."""
INCH = 1.15  # of a tile's side
ROUNDS = "self_training.rounds"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A case: its title, and its tiles by the column of the figure."""

    title: str
    tiles: Mapping[str, Tile]


@dataclass(frozen=True, kw_only=True)
class Panels:
    """A figure of one kind."""

    kind: str
    whats: tuple[str, ...]
    lines: tuple[Line, ...]
    left_out: int = 0  # lines
    title: str = ""


def panels(results: AblationResults) -> tuple[Panels, ...]:
    """A figure of each kind that the study asks for and has tiles of."""
    figure = results.design.figure
    if figure.kind != "panels":
        return ()
    found = []
    for kind in figure.kinds:
        lines = list(_before_and_after(results) if kind == "self_training" else _lines(results, kind))
        if lines:
            shown = lines[:LINES]
            whats = tuple(dict.fromkeys(what for line in shown for what in line.tiles))
            left_out = len(lines) - len(shown)
            found.append(Panels(kind=kind, whats=whats, lines=tuple(shown), left_out=left_out, title=figure.title))
    return tuple(found)


def _lines(results: AblationResults, kind: str) -> Iterator[Line]:
    """The first cases of every cell that has such tiles, variants only; rows that show the same images come once."""
    several = sum(row.kind == "variant" for row in results.rows) > 1
    for cell in results.cells:
        row = results.row(cell.row)
        if row is None or row.kind != "variant":
            continue
        cases = _cases(tile for tile in results.tiles if _is_of(tile, cell.row, cell.column, kind))
        for subject, tiles in list(cases.items())[:CASES]:
            place = f"{cell.row}\n{cell.column}" if several else cell.column
            yield Line(title=f"{place}\n{subject}", tiles=tiles)


def _before_and_after(results: AblationResults) -> Iterator[Line]:
    for before, after in _pairs(results):
        for column in results.columns:
            found = [
                _cases(tile for tile in results.tiles if _is_of(tile, row.label, column.label, "predictions"))
                for row in (before, after)
            ]
            for subject in [subject for subject in found[0] if subject in found[1]][:CASES]:
                first, second = (cases[subject] for cases in found)
                tiles = {what: tile for what, tile in second.items() if what != "prediction"}
                ends = {"before": first.get("prediction"), "after": second.get("prediction")}
                tiles |= {what: tile for what, tile in ends.items() if tile is not None}
                yield Line(title=f"{column.label}\n{subject}", tiles=tiles)


def _pairs(results: AblationResults) -> Iterator[tuple[Row, Row]]:
    """Rows in which only self-training is left out, with the row that has it."""
    for before in results.rows:
        after = results.row(before.against)
        if after is not None and before.knobs.get(ROUNDS) == 0 and {**after.knobs, ROUNDS: 0} == dict(before.knobs):
            yield before, after


def _is_of(tile: Tile, row: str, column: str, kind: str) -> bool:
    return (tile.row, tile.column, tile.kind) == (row, column, kind)


def _cases(tiles: Iterator[Tile]) -> dict[str, dict[str, Tile]]:
    found: dict[str, dict[str, Tile]] = {}
    for tile in tiles:
        found.setdefault(tile.subject, {})[tile.what] = tile
    return found


def draw(of: Panels, folder: Path) -> "Figure":
    """The figure in print; tiles' paths start at `folder`."""
    from matplotlib.figure import Figure

    size = (INCH * len(of.whats) + 1.0, INCH * len(of.lines) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(of.lines), len(of.whats), squeeze=False)
    for y, line in enumerate(of.lines):
        for x, what in enumerate(of.whats):
            _draw_tile(axes[y][x], line.tiles.get(what), folder)
            if not y:
                axes[y][x].set_title(unmathed(what), fontsize=7)
        axes[y][0].set_ylabel(unmathed(line.title), fontsize=5.5, rotation=0, ha="right", va="center")
    return figure


def _draw_tile(axes: Any, tile: Tile | None, folder: Path) -> None:
    from matplotlib.image import imread

    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if tile is None or not (folder / tile.path).exists():
        axes.set_facecolor("#f0f1f3")
        return
    axes.imshow(imread(folder / tile.path), cmap="gray", interpolation="nearest")
    if tile.note:
        axes.set_xlabel(unmathed(tile.note), fontsize=5.5, labelpad=2)


def caption_of(of: Panels) -> str:
    """What the panels show, and what they leave out."""
    left_out = f" {of.left_out} more lines are left out." if of.left_out else ""
    notes: Sequence[str] = tuple(dict.fromkeys(t.note for line in of.lines for t in line.tiles.values() if t.note))
    told = f" {'; '.join(notes)}." if of.kind == "attention" and notes else ""
    return f"{', '.join(of.whats)}.{told}{left_out}"
