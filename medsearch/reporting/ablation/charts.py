"""What the charts of an ablation show: grouped bars, curves over a knob, panels of pictures.

Of curves, all variants are one where no row has a line. Other rows without one are levels across the plot: the
target-supervised model, a model without adaptation.

Panels have a line per case and a column per kind of image, composed of tiles that test stages stored. "self_training"
needs no tiles of its own (figure 5.10): "before" is the prediction of a row without self-training, and "after" that of
the row it is compared with.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.measures import Block, Measure, Measures, names_of
from medsearch.reporting.charts import COLOURS, REFERENCE, Bars, Curve, Curves, Line, Mark, Panels, Plot
from medsearch.reporting.metrics import full_heading
from medsearch.reporting.results import AblationResults, Tile, digest
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import number
from medsearch.study.record.headers import Row

CASES = 2
"""At most so many cases of each row and column."""
LINES = 16
"""At most so many lines; what is left out is said under the figure."""
ROUNDS = "self_training.rounds"
ENDS = ("given", "wanted")
"""Images of a case that are the same in every row: the first and the last of its line."""


def bars(measures: Measures, metric: str) -> Bars | None:
    """The figure in one metric; None while there is nothing to draw."""
    results = measures.results
    marks = tuple(mark(of, measures) for of in measures if of.metric == metric)
    if all(one.empty for one in marks):
        return None
    return Bars(
        title=results.design.figure.title,
        y=full_heading(metric),
        groups=tuple(column.label for column, of in measures.blocks if of == metric),
        rows=tuple(row.label for row in results.rows),
        colours=colours(measures),
        marks=marks,
    )


def curves(measures: Measures, metric: str) -> Curves | None:
    """The figure in one metric; None while there is nothing to draw."""
    results = measures.results
    knob = results.design.figure.x
    found = [_plot(measures, (column, metric), knob) for column in results.columns]
    plots = tuple(plot for plot in found if any(not one.empty for curve in plot.curves for _, one in curve.points))
    if not plots:
        return None
    values = sorted({x for plot in plots for curve in plot.curves for x, _ in curve.points})
    fraction = knob.endswith("_labels")
    names = names_of(results)
    return Curves(
        title=results.design.figure.title,
        x=names[knob].text if knob in names else knob,
        y=full_heading(metric),
        lines=tuple(dict.fromkeys(curve.line for plot in plots for curve in plot.curves)),
        plots=plots,
        ticks=tuple((value, f"{100 * value:g}%" if fraction else number(value)) for value in values),
        levels=tuple(dict.fromkeys(level.row for plot in plots for level in plot.levels)),
    )


def _plot(measures: Measures, block: Block, knob: str) -> Plot:
    lines: dict[str, list[tuple[float, Mark]]] = {}
    levels = []
    named = any(row.line for row in measures.results.rows)
    for of in measures.of_block(block):
        x, line = _x(of, measures, knob), of.row.line if named else of.row.method * (of.row.kind == "variant")
        if line and x is not None:
            lines.setdefault(line, []).append((x, mark(of, measures)))
        elif of.values:
            levels.append(mark(of, measures))
    made = (Curve(line=line, points=tuple(sorted(points, key=lambda p: p[0]))) for line, points in lines.items())
    return Plot(column=block[0].label, curves=tuple(made), levels=tuple(levels))


def _x(of: Measure, measures: Measures, knob: str) -> float | None:
    """The knob's value in a cell: as the study set it, or as the task has it."""
    cell = measures.results.cell(of.row.label, of.column.label)
    task = {f"task.{name}": value for name, value in of.column.task.items()}
    value: Any = {**task, **of.row.knobs, **cell.knobs}.get(knob)
    return float(value) if known(value) else None


def mark(of: Measure, measures: Measures) -> Mark:
    """What figures show of `of`."""
    reported, verdict = measures.reported(of), measures.verdicts.get(of.key)
    lines = [f"{of.row.label}, {of.column.label}", cells.measured(of)]
    lines += [f"reported {cells.printed(reported)}"] if reported else []
    lines += [verdict.kind] if verdict else []
    return Mark(
        row=of.row.label,
        column=of.column.label,
        mean=of.seeds.mean,
        sd=of.seeds.sd,
        values=of.seeds.values,
        reported=reported.value if reported else None,
        missing="" if of.whole else cells.lacking(of),
        count="" if of.whole else f"{len(of.values)} of {of.planned}",
        note="\n".join(lines),
    )


def colours(measures: Measures) -> dict[str, str]:
    """A colour for every row, references grey."""
    variants = [row.label for row in measures.results.rows if row.kind == "variant"]
    found = {label: COLOURS[place % len(COLOURS)] for place, label in enumerate(variants)}
    return {row.label: found.get(row.label, REFERENCE) for row in measures.results.rows}


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
        tiles = ((what, digest(folder / tile.path)) for what, tile in line.tiles.items())
        found.setdefault(tuple(tiles), line)
    return list(found.values())


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
