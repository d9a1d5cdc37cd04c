"""The report of a study, whatever its kind: collected from its folder and the stage store, made a document, written.

index.html, table.csv and more csv files, table.md, table.tex, results.json and figures/ lie in one folder.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from medsearch.core.records import write_bytes
from medsearch.core.spreadsheets import csv_text
from medsearch.reporting.document import Document
from medsearch.stages.store import Store
from medsearch.study.record.headers import AblationHeader, StagedHeader
from medsearch.study.record.ledger import Ledger

if TYPE_CHECKING:
    from rich.console import Group

    from medsearch.reporting.results import AblationResults, SearchResults, StagedResults

    Results = AblationResults | SearchResults | StagedResults

PAGE = "index.html"


def rebuild(folder: Path, store: Store) -> Path:
    """Write the report of the study in `folder`, finished or not, and return the path of its page.

    Raises:
        BadInput: there is no study in `folder`.

    """
    return write_report(collect(folder, store), folder / "report")


def summary(folder: Path, store: Store) -> "Group":
    """What the study in `folder` has come to, for `rich.console.Console.print`.

    Raises:
        BadInput: there is no study in `folder`.

    """
    return summary_text(collect(folder, store))


def collect(folder: Path, store: Store) -> "Results":
    """The results of the study in `folder` as plain data.

    Raises:
        BadInput: there is no study in `folder`.

    """
    match Ledger(folder).header():
        case AblationHeader():
            from medsearch.reporting.collect import collect_ablation as collect_ablation

            return collect_ablation(folder, store)
        case StagedHeader():
            from medsearch.reporting.collect import collect_staged as collect_staged

            return collect_staged(folder, store)
        case _:
            from medsearch.reporting.collect import collect_search as collect_search

            return collect_search(folder, store)


def document_of(results: "Results", folder: Path) -> Document:
    """What `results` say; pictures are found from `folder`."""
    from medsearch.reporting.results import AblationResults, StagedResults

    if isinstance(results, AblationResults):
        from medsearch.reporting.ablation.document import document as of_ablation

        return of_ablation(results, folder)
    if isinstance(results, StagedResults):
        from medsearch.reporting.staged.document import document as of_staged

        return of_staged(results)
    from medsearch.reporting.search.document import document as of_search

    return of_search(results, folder)


def summary_text(results: "Results") -> "Group":
    """The answer, what to beware of, and the tables as text, for `rich.console.Console.print`."""
    from medsearch.reporting.render import text

    return text.terminal_of(document_of(results, Path()))


def write_report(results: "Results", folder: Path) -> Path:
    """Write the report of `results`, finished or not, into `folder`, and return the path of its page.

    Every file is replaced as a whole, the page last, so that whoever reads meanwhile sees an old report or a new one.
    Figures that these results cannot fill are removed.
    """
    from medsearch.reporting.render import html

    folder.mkdir(parents=True, exist_ok=True)  # pictures are found from here
    document = document_of(results, folder)
    files = {**texts(document), **figures(document)}
    page = html.render(document, files)
    for name, content in (*files.items(), (PAGE, page.encode())):
        write_bytes(folder / name, content)
    for old in (folder / "figures").glob("*"):
        if f"figures/{old.name}" not in files:
            old.unlink()
    return folder / PAGE


def texts(document: Document) -> dict[str, bytes]:
    """Its files of text, by name."""
    from medsearch.reporting.render import latex, text

    found = {name: csv_text(lines) for name, lines in document.sheets.items()}
    found["table.md"] = text.markdown_of(document)
    found |= {"table.tex": latex.render(document)} if document.article else {}
    return {name: content.encode() for name, content in (found | {"results.json": document.record}).items()}


def figures(document: Document) -> dict[str, bytes]:
    """Its figures for print, by the name of their files."""
    from medsearch.reporting.render import print_charts

    drawn = (print_charts.files(name, chart) for name, chart in document.figures.items())
    return {f"figures/{name}": content for files in drawn for name, content in files.items()}
