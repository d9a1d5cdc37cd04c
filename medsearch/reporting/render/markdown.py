"""A document in Markdown, for a README: the answer, what to beware of, the tables of text, the notes."""

from medsearch.reporting.document import Document, Part, Table, Text
from medsearch.reporting.wording import KnobName, markdown


def render(document: Document) -> str:
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
    """A part as text alone."""
    match part:
        case KnobName():
            return part.text
        case Text():
            return "".join(map(plain, part.parts))
        case str():
            return part
    return ""


def _table(of: Table) -> str:
    """Empty without rows."""
    if not of.rows:
        return ""
    head = [markdown(plain(heading)) for heading in of.head]
    rows = ([markdown("".join(map(plain, cell.parts))) for cell in row.cells] for row in of.rows)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{markdown(of.title)}**\n\n{table}" if of.title else table
