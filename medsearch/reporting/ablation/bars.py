"""Grouped bars: a group for each column, a bar for each row, spreads over seeds, reported values as hollow diamonds.

A bar of a row that lacks seeds is hatched (print) or pale (page) and says how many it has; a cell without any value is
a cross on the axis.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from medsearch.reporting.ablation.marks import Mark, colours, mark
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.metrics import full_heading

SPAN = 0.84  # of the distance between two groups
WIDE = 30  # bars beyond which a page's chart scrolls sideways


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A figure of grouped bars."""

    title: str
    y: str
    groups: tuple[str, ...]
    rows: tuple[str, ...]
    colours: Mapping[str, str]
    marks: tuple[Mark, ...]

    @property
    def heading(self) -> str:
        """What stands above the figure on a page."""
        return f"{self.title}: {self.y}" if self.title else self.y

    def place(self, of: Mark) -> float:
        """Where the middle of its bar stands; groups are one apart."""
        return self.groups.index(of.column) + (self.rows.index(of.row) - (len(self.rows) - 1) / 2) * self.width

    @property
    def width(self) -> float:
        """Of a bar."""
        return SPAN / len(self.rows)

    @property
    def crosses(self) -> tuple[Mark, ...]:
        """Cells that are asked for and have no value."""
        return tuple(one for one in self.marks if one.mean is None)


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
