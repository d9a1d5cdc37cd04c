"""What a report of made-up results writes: its files of text, its page, its summary."""

import io
from pathlib import Path

from rich.console import Console

from medsearch.reporting.document import Printed
from medsearch.reporting.render import html, text
from medsearch.reporting.report import document_of, figures, texts


def files(results, folder: Path = Path()) -> dict[str, str]:
    """table.csv, table.md and the others."""
    return {name: content.decode() for name, content in texts(document_of(results, folder)).items()}


def page(results, folder: Path = Path()) -> str:
    """index.html; figures are drawn for print only where the page shows them so."""
    document = document_of(results, folder)
    printed = any(isinstance(block, Printed) for section in document.sections for block in section.blocks)
    return html.render(document, {**texts(document), **(figures(document) if printed else {})})


def summary(results, width: int = 200) -> str:
    """What a terminal shows."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(text.terminal_of(document_of(results, Path())))
    return console.export_text()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
