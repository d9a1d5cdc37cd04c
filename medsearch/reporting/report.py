"""The report of a study, whatever its kind: collected from its folder and the stage store, made a document, written.

index.html, table.csv and more csv files, table.md, table.tex, results.json and figures/ lie in one folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from medsearch.core.records import write_bytes
from medsearch.core.spreadsheets import csv_text
from medsearch.reporting.ablation import document as ablation
from medsearch.reporting.collect import collect_ablation, collect_search, collect_staged
from medsearch.reporting.document import Document
from medsearch.reporting.results import AblationResults, Results, SearchResults, StagedResults
from medsearch.reporting.search import document as search
from medsearch.reporting.staged import document as staged
from medsearch.stages.store import Store
from medsearch.study.record.headers import AblationHeader, Header, SearchHeader, StagedHeader
from medsearch.study.record.ledger import Ledger

if TYPE_CHECKING:
    from rich.console import Group

PAGE = "index.html"


@final
@dataclass(frozen=True)
class StudyKind:
    """How a kind of study is reported: from its header and folder to its results, and from these to a document."""

    header: type[Header]
    results: type[Results]
    collect: Callable[[Path, Store], Results]
    document: Callable[[Any, Path], Document]


KINDS = (
    StudyKind(AblationHeader, AblationResults, collect_ablation, ablation.document),
    StudyKind(StagedHeader, StagedResults, collect_staged, lambda results, _: staged.document(results)),
    StudyKind(SearchHeader, SearchResults, collect_search, search.document),
)
"""The only list of them in reporting."""


def collect(folder: Path, store: Store) -> Results:
    """The results of the study in `folder` as plain data.

    Raises:
        BadInput: there is no study in `folder`.

    """
    header = Ledger(folder).header()
    kind = next((kind for kind in KINDS if isinstance(header, kind.header)), KINDS[-1])  # which says what is missing
    return kind.collect(folder, store)


def document_of(results: Results, folder: Path) -> Document:
    """What `results` say; pictures are found from `folder`."""
    return next(kind for kind in KINDS if isinstance(results, kind.results)).document(results, folder)


def rebuild(folder: Path, store: Store) -> Path:
    """Write the report of the study in `folder`, finished or not, and return the path of its page.

    Raises:
        BadInput: there is no study in `folder`.

    """
    return write_report(collect(folder, store), folder / "report")


def summary(folder: Path, store: Store) -> "Group":
    """The answer, what to beware of, and the tables of the study in `folder`, for `rich.console.Console.print`.

    Raises:
        BadInput: there is no study in `folder`.

    """
    from medsearch.reporting.render import text

    return text.terminal_of(document_of(collect(folder, store), Path()))  # no picture is shown there


def write_report(results: Results, folder: Path) -> Path:
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
    """The files of text of a report, encoded, by name: every csv, table.md, table.tex, results.json."""
    from medsearch.reporting.render import latex, text

    files = {name: csv_text(lines) for name, lines in document.sheets.items()}
    files["table.md"] = text.markdown_of(document)
    files |= {"table.tex": latex.render(document)} if document.article else {}
    return {name: content.encode() for name, content in (files | {"results.json": document.record}).items()}


def figures(document: Document) -> dict[str, bytes]:
    """The figures of a report for print, as PNG and SVG, by the path of the file in the report's folder."""
    from medsearch.reporting.render import print_charts

    drawn = (print_charts.files(name, chart) for name, chart in document.figures.items())
    return {f"figures/{name}": content for files in drawn for name, content in files.items()}
