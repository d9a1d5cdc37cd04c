"""What the charts of an ablation show: grouped bars, curves over a knob, panels of pictures.

Of curves, all variants are one where no row has a line. Other rows without one are levels across the plot: the
target-supervised model, a model without adaptation.

Panels have a line per case and a column per kind of image, composed of tiles that test stages stored. "self_training"
needs no tiles of its own (figure 5.10): "before" is the prediction of a row without self-training, and "after" that of
the row it is compared with.
"""

from collections.abc import Iterator
from pathlib import Path

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.measures import Measure, Measures, names_of
from medsearch.reporting.charts import COLOURS, REFERENCE, Bars, Curve, Curves, Line, Mark, Panels, Plot
from medsearch.reporting.metrics import full_heading
from medsearch.reporting.results import AblationResults, Tile, digest
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import number

CASES = 2
"""At most so many cases of each row and column."""
LINES = 16
"""At most so many lines; what is left out is said under the figure."""
ROUNDS = "self_training.rounds"
ENDS = ("given", "wanted")
"""Images of a case that are the same in every row: the first and the last of its line."""


def bars(measures: Measures, metric: str) -> Bars | None:
    """The figure in one metric, references grey; None while there is nothing to draw."""
    results = measures.results
    marks = tuple(mark(of, measures) for of in measures if of.metric == metric)
    if all(one.empty for one in marks):
        return None
    variants = [row.label for row in results.rows if row.kind == "variant"]
    hues = {label: COLOURS[place % len(COLOURS)] for place, label in enumerate(variants)}
    return Bars(
        title=results.design.figure.title,
        y=full_heading(metric),
        groups=tuple(column.label for column, of in measures.blocks if of == metric),
        rows=tuple(row.label for row in results.rows),
        colours={row.label: hues.get(row.label, REFERENCE) for row in results.rows},
        marks=marks,
    )


def curves(measures: Measures, metric: str) -> Curves | None:
    """The figure in one metric, over the knob as the study set it or as the task has it; None with nothing to draw."""
    results, plots = measures.results, []
    knob, names = results.design.figure.x, names_of(results)
    named = any(row.line for row in results.rows)
    for column in results.columns:
        lines: dict[str, list[tuple[float, Mark]]] = {}
        levels = []
        for of in measures.of_block((column, metric)):
            task = {f"task.{name}": value for name, value in column.task.items()}
            x = {**task, **of.row.knobs, **results.cell(of.row.label, column.label).knobs}.get(knob)
            line = of.row.line if named else of.row.method * (of.row.kind == "variant")
            if line and known(x):
                lines.setdefault(line, []).append((float(x), mark(of, measures)))  # type: ignore[arg-type]
            elif of.values:
                levels.append(mark(of, measures))
        points = {line: tuple(sorted(of, key=lambda point: point[0])) for line, of in lines.items()}
        if any(not one.empty for of in points.values() for _, one in of):
            made = tuple(Curve(line=line, points=of) for line, of in points.items())
            plots.append(Plot(column=column.label, curves=made, levels=tuple(levels)))
    if not plots:
        return None
    values = sorted({x for plot in plots for curve in plot.curves for x, _ in curve.points})
    fraction = knob.endswith("_labels")
    return Curves(
        title=results.design.figure.title,
        x=names[knob].text if knob in names else knob,
        y=full_heading(metric),
        lines=tuple(dict.fromkeys(curve.line for plot in plots for curve in plot.curves)),
        plots=tuple(plots),
        ticks=tuple((value, f"{100 * value:g}%" if fraction else number(value)) for value in values),
        levels=tuple(dict.fromkeys(level.row for plot in plots for level in plot.levels)),
    )


def mark(of: Measure, measures: Measures) -> Mark:
    """A cell of the table as figures show it: mean, SD, every seed, the reported value, and what is missing."""
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


def panels(results: AblationResults, folder: Path) -> tuple[Panels, ...]:
    """A figure of each kind that the study asks for and has tiles of; tiles are found from `folder`.

    Rows that share a stage show the same images, which are shown once.
    """
    figure = results.design.figure
    made = []
    for kind in figure.kinds if figure.kind == "panels" else ():
        if kind == "self_training":
            groups = list(_before_and_after(results))
        else:
            groups = list(_across(results, kind, figure.across) if figure.across else _by_cell(results, kind))
        lines: list[Line] = []
        for most in (CASES, 1):
            if most == CASES or len(lines) > LINES:
                distinct: dict[tuple[object, ...], Line] = {}
                for line in (line for group in groups for line in group[:most]):
                    images = ((what, digest(folder / tile.path)) for what, tile in line.tiles.items())
                    distinct.setdefault(tuple(images), line)
                lines = list(distinct.values())
        if lines:
            whats = tuple(dict.fromkeys(what for line in lines[:LINES] for what in line.tiles))
            left_out = max(0, len(lines) - LINES)
            made.append(Panels(kind=kind, whats=whats, lines=tuple(lines[:LINES]), folder=folder, left_out=left_out))
    return tuple(made)


def _across(results: AblationResults, kind: str, what: str) -> Iterator[list[Line]]:
    """The cases of every column: what is given, `what` of every row by its label, and what is wanted."""
    labels = [row.label for row in results.rows if row.kind == "variant"]
    for column in results.columns:
        by_row = {label: _tiles_by_case(results, label, column.label, kind) for label in labels}
        lines = []
        for subject in dict.fromkeys(subject for cases in by_row.values() for subject in cases):
            having = {label: cases[subject] for label, cases in by_row.items() if subject in cases}
            same = next(iter(having.values()))
            made = {label: tiles[what] for label, tiles in having.items() if what in tiles}
            first, last = ({name: same[name]} if name in same else {} for name in ENDS)
            lines.append(Line(title=f"{column.label}\n{subject}", tiles={**first, **made, **last}))
        yield lines


def _by_cell(results: AblationResults, kind: str) -> Iterator[list[Line]]:
    """The cases of every cell that has such tiles, variants only."""
    several = sum(row.kind == "variant" for row in results.rows) > 1
    for cell in results.cells:
        row = results.row(cell.row)
        cases = _tiles_by_case(results, cell.row, cell.column, kind)
        if cases and row is not None and row.kind == "variant":
            place = f"{cell.row}\n{cell.column}" if several else cell.column
            yield [Line(title=f"{place}\n{subject}", tiles=tiles) for subject, tiles in cases.items()]


def _before_and_after(results: AblationResults) -> Iterator[list[Line]]:
    """The cases of rows in which only self-training is left out, beside those of the row that has it."""
    for before in results.rows:
        after = results.row(before.against)
        if after is None or before.knobs.get(ROUNDS) != 0 or {**after.knobs, ROUNDS: 0} != dict(before.knobs):
            continue
        for column in results.columns:
            first, second = (_tiles_by_case(results, row.label, column.label, "predictions") for row in (before, after))
            lines = []
            for subject in [subject for subject in first if subject in second]:
                tiles = {what: tile for what, tile in second[subject].items() if what != "prediction"}
                ends = {"before": first[subject].get("prediction"), "after": second[subject].get("prediction")}
                tiles |= {what: tile for what, tile in ends.items() if tile is not None}
                lines.append(Line(title=f"{column.label}\n{subject}", tiles=tiles))
            yield lines


def _tiles_by_case(results: AblationResults, row: str, column: str, kind: str) -> dict[str, dict[str, Tile]]:
    """Subject -> what a tile shows -> the tile."""
    cases: dict[str, dict[str, Tile]] = {}
    for tile in results.tiles:
        if (tile.row, tile.column, tile.kind) == (row, column, kind):
            cases.setdefault(tile.subject, {})[tile.what] = tile
    return cases


def caption_of(of: Panels) -> str:
    """What the panels show, and what they leave out."""
    left_out = f" {of.left_out} more lines are left out." if of.left_out else ""
    notes = dict.fromkeys(tile.note for line in of.lines for tile in line.tiles.values() if tile.note)
    written = f" {'; '.join(notes)}." if of.kind == "attention" and notes else ""
    return f"{', '.join(of.whats)}.{written}{left_out}"
