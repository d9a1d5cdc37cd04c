"""The answer in the terminal, with rich."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medsearch.reporting.answer import answer, warnings
from medsearch.reporting.caption import caption
from medsearch.reporting.files import HEADINGS, KNOB_HEADINGS, cells, knob_cells
from medsearch.reporting.results import SearchResults
from medsearch.reporting.tables import other_knobs, summary, weights

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


def summary_text(results: SearchResults) -> "Group":
    """The answer, its warnings, both tables and the caption, for `rich.console.Console.print`."""
    from rich.console import Group
    from rich.text import Text

    rows = summary(results)
    knobs = [(row.knob.text, *knob_cells(row)) for row in (*weights(results), *other_knobs(results))]
    best = [number for number, row in enumerate(rows) if row.kind == "best"]
    return Group(
        Text(answer(results), style="bold"),
        *(Text(line, style="yellow") for line in warnings(results)),
        _table(HEADINGS, [cells(row) for row in rows], bold=best),
        _table(KNOB_HEADINGS, knobs) if knobs else "",
        *(Text(line, style="dim") for line in caption(results)),
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, bold: Sequence[int] = ()) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, heading in enumerate(headings):
        table.add_column(heading, justify="right" if column else "left", overflow="fold")
    for number, row in enumerate(rows):
        # Text, not str: what stands in a label is never markup.
        table.add_row(*(Text(cell) for cell in row), style="bold" if number in bold else None)
    return table
