"""Panels of pictures: a line per case, a column per kind of image, composed of tiles that test stages stored.

"self_training" needs no tiles of its own (figure 5.10): "before" is the prediction of a row without self-training, and
"after" that of the row it is compared with.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

from medsearch.reporting.ablation.results import AblationResults, Tile
from medsearch.reporting.charts import Line, Panels
from medsearch.study.record import Row

CASES = 2
"""At most so many cases of each row and column."""
LINES = 16
"""At most so many lines; what is left out is said under the figure."""
ROUNDS = "self_training.rounds"
ENDS = ("given", "wanted")
"""Images of a case that are the same in every row: the first and the last of its line."""


def panels(results: AblationResults, folder: Path) -> tuple[Panels, ...]:
    """A figure of each kind that the study asks for and has tiles of; tiles are found from `folder`."""
    figure = results.design.figure
    if figure.kind != "panels":
        return ()
    found = []
    for kind in figure.kinds:
        groups = list(_groups(results, kind))
        lines = _distinct((line for group in groups for line in group[:CASES]), folder)
        if len(lines) > LINES:
            lines = _distinct((line for group in groups for line in group[:1]), folder)
        if lines:
            whats = tuple(dict.fromkeys(what for line in lines[:LINES] for what in line.tiles))
            left_out = max(0, len(lines) - LINES)
            found.append(Panels(kind=kind, whats=whats, lines=tuple(lines[:LINES]), folder=folder, left_out=left_out))
    return tuple(found)


def _groups(results: AblationResults, kind: str) -> Iterator[list[Line]]:
    if kind == "self_training":
        return _before_and_after(results)
    return (
        _across(results, kind, results.design.figure.across)
        if results.design.figure.across
        else _of_cells(results, kind)
    )


def _across(results: AblationResults, kind: str, what: str) -> Iterator[list[Line]]:
    """The cases of every column: what is given, `what` of every row by its label, and what is wanted."""
    labels = [row.label for row in results.rows if row.kind == "variant"]
    for column in results.columns:
        by_row = {
            label: _cases(tile for tile in results.tiles if _is_of(tile, (label, column.label), kind))
            for label in labels
        }
        subjects = dict.fromkeys(subject for cases in by_row.values() for subject in cases)
        lines = []
        for subject in subjects:
            having = {label: cases[subject] for label, cases in by_row.items() if subject in cases}
            same = next(iter(having.values()))
            made = {label: tiles[what] for label, tiles in having.items() if what in tiles}
            ends = [{name: same[name]} if name in same else {} for name in ENDS]
            lines.append(Line(title=f"{column.label}\n{subject}", tiles={**ends[0], **made, **ends[1]}))
        yield lines


def _of_cells(results: AblationResults, kind: str) -> Iterator[list[Line]]:
    """The cases of every cell that has such tiles, variants only."""
    several = sum(row.kind == "variant" for row in results.rows) > 1
    for cell in results.cells:
        row = results.row(cell.row)
        cases = _cases(tile for tile in results.tiles if _is_of(tile, (cell.row, cell.column), kind))
        if cases and row is not None and row.kind == "variant":
            place = f"{cell.row}\n{cell.column}" if several else cell.column
            yield [Line(title=f"{place}\n{subject}", tiles=tiles) for subject, tiles in cases.items()]


def _distinct(lines: Iterator[Line], folder: Path) -> list[Line]:
    """Rows that share a stage show the same images: once is enough."""
    found: dict[tuple[object, ...], Line] = {}
    for line in lines:
        tiles = ((what, _content(folder / tile.path)) for what, tile in line.tiles.items())
        found.setdefault(tuple(tiles), line)
    return list(found.values())


def _content(path: Path) -> bytes:
    return blake2b(path.read_bytes()).digest() if path.exists() else b""


def _before_and_after(results: AblationResults) -> Iterator[list[Line]]:
    for before, after in _pairs(results):
        for column in results.columns:
            first, second = (
                _cases(tile for tile in results.tiles if _is_of(tile, (row.label, column.label), "predictions"))
                for row in (before, after)
            )
            lines = []
            for subject in [subject for subject in first if subject in second]:
                tiles = {what: tile for what, tile in second[subject].items() if what != "prediction"}
                ends = {"before": first[subject].get("prediction"), "after": second[subject].get("prediction")}
                tiles |= {what: tile for what, tile in ends.items() if tile is not None}
                lines.append(Line(title=f"{column.label}\n{subject}", tiles=tiles))
            yield lines


def _pairs(results: AblationResults) -> Iterator[tuple[Row, Row]]:
    """Rows in which only self-training is left out, with the row that has it."""
    for before in results.rows:
        after = results.row(before.against)
        if after is not None and before.knobs.get(ROUNDS) == 0 and {**after.knobs, ROUNDS: 0} == dict(before.knobs):
            yield before, after


def _is_of(tile: Tile, cell: tuple[str, str], kind: str) -> bool:
    return (tile.row, tile.column, tile.kind) == (*cell, kind)


def _cases(tiles: Iterator[Tile]) -> dict[str, dict[str, Tile]]:
    found: dict[str, dict[str, Tile]] = {}
    for tile in tiles:
        found.setdefault(tile.subject, {})[tile.what] = tile
    return found


def caption_of(of: Panels) -> str:
    """What the panels show, and what they leave out."""
    left_out = f" {of.left_out} more lines are left out." if of.left_out else ""
    notes: Sequence[str] = tuple(dict.fromkeys(t.note for line in of.lines for t in line.tiles.values() if t.note))
    told = f" {'; '.join(notes)}." if of.kind == "attention" and notes else ""
    return f"{', '.join(of.whats)}.{told}{left_out}"
