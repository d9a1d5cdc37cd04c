"""A search's answer in the terminal."""

from typing import TYPE_CHECKING

from medsearch.core.terminal import grid
from medsearch.reporting.search import frontier
from medsearch.reporting.search.answer import answer, warnings
from medsearch.reporting.search.caption import caption
from medsearch.reporting.search.files import KNOB_HEADINGS, cells, headings, knob_cells
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.tables import other_knobs, summary, weights

if TYPE_CHECKING:
    from rich.console import Group


def summary_text(results: SearchResults) -> "Group":
    """The answer, its warnings, both tables and the caption, for `rich.console.Console.print`."""
    from rich.console import Group
    from rich.text import Text

    rows, (heads, lines) = summary(results), frontier.lines(results)
    knobs = [(row.knob.text, *knob_cells(row)) for row in (*weights(results), *other_knobs(results))]
    best = [number for number, row in enumerate(rows) if row.kind == "best"]
    return Group(
        Text(answer(results), style="bold"),
        *(Text(line, style="yellow") for line in warnings(results)),
        grid(headings(results), [cells(results, row) for row in rows], bold=best),
        grid(heads, lines) if lines else "",
        grid(KNOB_HEADINGS, knobs) if knobs else "",
        *(Text(line, style="dim") for line in caption(results)),
    )
