"""A document as text: Markdown for a README, and a summary for a terminal."""

from typing import TYPE_CHECKING

from medsearch.core.terminal import grid
from medsearch.reporting.document import Document, Paragraph, Part, Table, Text
from medsearch.reporting.wording import KnobName, markdown

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

STYLES = {"answer": "bold", "warning": "yellow", "failure": "red", "note": "dim"}


def markdown_of(document: Document) -> str:
    """The whole text; nothing in it that comes from outside acts as markup."""
    parts = [
        f"### {markdown(document.name)}",
        markdown(document.question),
        f"**{markdown(document.answer)}**",
        *(f"> {markdown(line)}" for line in document.warnings),
        *(_table(table) for table in document.tables),
        "\n".join(f"- {markdown(line)}" for line in document.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(part: Part) -> str:
    """A part of a cell as text alone; drawings come to nothing."""
    match part:
        case KnobName():
            return part.text
        case Text():
            return "".join(map(plain, part.parts))
        case str():
            return part
    return ""


def _table(of: Table) -> str:
    """A table as Markdown, its title above it; empty where it has no rows."""
    if not of.rows:
        return ""
    head = [markdown(plain(heading)) for heading in of.head]
    rows = ([markdown("".join(map(plain, cell.parts))) for cell in row.cells] for row in of.rows)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{markdown(of.title)}**\n\n{table}" if of.title else table


def terminal_of(document: Document) -> "Group":
    """Its summary, for `rich.console.Console.print`; the best row of a table is bold."""
    from rich.console import Group
    from rich.text import Text as Styled

    shown: list[RenderableType] = []
    for of in document.summary:
        if isinstance(of, Paragraph):
            shown.append(Styled("".join(map(plain, of.parts)), style=STYLES.get(of.form, "")))
            continue
        rows = [["".join(map(plain, cell.parts)) for cell in row.cells] for row in of.rows]
        best = [place for place, row in enumerate(of.rows) if row.best]
        shown += [Styled(of.title)] if of.title else []
        shown.append(grid([plain(heading) for heading in of.head], rows, bold=best))
    return Group(*shown)
