"""The report of a staged search: index.html, table.csv, table.md and results.json in one folder."""

from pathlib import Path

from medsearch.reporting.staged.files import tables
from medsearch.reporting.staged.page import page
from medsearch.reporting.staged.results import StagedResults
from medsearch.reporting.writing import PAGE, write_folder


def write_report(results: StagedResults, folder: Path) -> Path:
    """Write the report of `results`, finished or not, into `folder`, and return the path of its page."""
    folder.mkdir(parents=True, exist_ok=True)
    written = tables(results)
    contents = {name: text.encode() for name, text in written.items()}
    contents[PAGE] = page(results, written).encode()
    return write_folder(folder, contents)
