"""A staged search's answer in the terminal."""

from typing import TYPE_CHECKING

from medsearch.core.terminal import grid
from medsearch.reporting.search.files import cells, headings
from medsearch.reporting.staged.answer import answer, frozen_row, rows, verdict, warnings
from medsearch.reporting.staged.results import StagedResults
from medsearch.reporting.staged.tables import GROUP_HEADINGS, group_cells

if TYPE_CHECKING:
    from rich.console import Group


def summary_text(results: StagedResults) -> "Group":
    """The answer, its warnings, a line for each group, what was tested, and the refinement's verdict."""
    from rich.console import Group
    from rich.text import Text

    last = results.refinement.search if results.refinement else results.groups[-1].search
    tested = rows(results)
    frozen = [place for place, row in enumerate(tested) if row == frozen_row(results)]
    table = grid(headings(last), [cells(last, row) for row in tested], bold=frozen) if last and tested else ""
    return Group(
        Text(answer(results).removesuffix(verdict(results)).strip(), style="bold"),
        *(Text(line, style="yellow") for line in warnings(results)),
        grid(GROUP_HEADINGS, [group_cells(results, group) for group in results.groups]),
        table,
        Text(f"Refinement: {verdict(results)}" if results.refinement else verdict(results), style="bold"),
    )
