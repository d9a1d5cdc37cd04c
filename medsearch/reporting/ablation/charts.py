"""What the charts of an ablation show: grouped bars, or curves over a knob.

Of curves, all variants are one where no row has a line. Other rows without one are levels across the plot: the
target-supervised model, a model without adaptation.
"""

from typing import Any

from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.measure import Measure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.narrative import names_of
from medsearch.reporting.charts import COLOURS, REFERENCE, Bars, Curve, Curves, Mark, Plot
from medsearch.reporting.metrics import full_heading
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import number


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
    found = [_plot(measures, column.label, metric=metric, knob=knob) for column in results.columns]
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


def _plot(measures: Measures, column: str, *, metric: str, knob: str) -> Plot:
    lines: dict[str, list[tuple[float, Mark]]] = {}
    levels = []
    named = any(row.line for row in measures.results.rows)
    for of in measures.of_block(column, metric):
        x, line = _x(of, measures, knob), of.row.line if named else of.row.method * (of.row.kind == "variant")
        if line and x is not None:
            lines.setdefault(line, []).append((x, mark(of, measures)))
        elif of.values:
            levels.append(mark(of, measures))
    made = (Curve(line=line, points=tuple(sorted(points, key=lambda p: p[0]))) for line, points in lines.items())
    return Plot(column=column, curves=tuple(made), levels=tuple(levels))


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
