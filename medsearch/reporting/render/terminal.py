"""The summary of a document in a terminal, with rich."""

from typing import TYPE_CHECKING

from medsearch.core.terminal import grid
from medsearch.reporting.document import Document, Paragraph, Table
from medsearch.reporting.render.markdown import plain

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

STYLES = {"answer": "bold", "warning": "yellow", "failure": "red", "note": "dim"}


def render(document: Document) -> "Group":
    """Its summary, for `rich.console.Console.print`; the best row of a table is bold."""
    from rich.console import Group

    return Group(*(shown for of in document.summary for shown in _shown(of)))


def _shown(of: Table | Paragraph) -> "list[RenderableType]":
    from rich.text import Text

    if isinstance(of, Paragraph):
        return [Text("".join(map(plain, of.parts)), style=STYLES.get(of.form, ""))]
    rows = [["".join(map(plain, cell.parts)) for cell in row.cells] for row in of.rows]
    best = [place for place, row in enumerate(of.rows) if row.best]
    return [*([Text(of.title)] if of.title else []), grid([plain(heading) for heading in of.head], rows, bold=best)]
