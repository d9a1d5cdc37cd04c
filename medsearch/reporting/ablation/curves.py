"""Curves over a knob: one plot for each column, one curve for each line of the rows, reported values hollow.

Without any line, all variants are one. Other rows without one are levels across the plot: the target-supervised model,
a model without adaptation. A point that lacks seeds is pale; one without any value is a cross on the axis. A level that
lacks seeds says so.
"""

from dataclasses import dataclass
from typing import Any

from medsearch.reporting.ablation.caption import names_of
from medsearch.reporting.ablation.marks import COLOURS, Mark, mark
from medsearch.reporting.ablation.measure import Measure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.metrics import full_heading
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import number

DASHES = (("--", "dash"), (":", "dot"), ("-.", "dashdot"))
"""Of levels: matplotlib's name, plotly's."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A curve of one column; points (x, cell) by x."""

    line: str
    points: tuple[tuple[float, Mark], ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One column's curves."""

    column: str
    curves: tuple[Curve, ...]
    levels: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A figure of curves."""

    title: str
    x: str
    y: str
    lines: tuple[str, ...]
    plots: tuple[Plot, ...]
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """What stands above the figure on a page."""
        return f"{self.title}: {self.y}" if self.title else self.y

    def level_name(self, level: Mark) -> str:
        """What stands beside a level: its row, and how many seeds it has if it lacks some."""
        return f"{level.row} ({level.count})" if level.count else level.row

    def colour(self, line: str) -> str:
        """Of a line, in every plot."""
        return COLOURS[self.lines.index(line) % len(COLOURS)]


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
