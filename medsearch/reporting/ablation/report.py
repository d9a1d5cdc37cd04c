"""The report of an ablation: index.html, table.csv, cases.csv, table.md, table.tex, results.json and figures/."""

from pathlib import Path

from medsearch.reporting.ablation.drawn import Drawn, drawn
from medsearch.reporting.ablation.files import tables
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.page import page
from medsearch.reporting.ablation.results import AblationResults
from medsearch.reporting.writing import PAGE, write_folder


def write_report(results: AblationResults, folder: Path) -> Path:
    """Write the report of `results`, finished or not, into `folder`, and return the path of its page."""
    folder.mkdir(parents=True, exist_ok=True)  # pictures are found from here
    measures = Measures(results)
    figures: tuple[Drawn, ...] = drawn(measures, folder)
    written = tables(measures)
    contents = {name: text.encode() for name, text in written.items()}
    contents |= {f"figures/{name}": content for figure in figures for name, content in figure.files.items()}
    contents[PAGE] = page(measures, figures, files=written, folder=folder).encode()
    return write_folder(folder, contents)
