"""A report: index.html, table.csv, knobs.csv, table.md, table.tex, results.json and figures/ in one folder."""

from pathlib import Path

from medsearch.reporting.search.charts import Chart, history, importances, learning_curves
from medsearch.reporting.search.files import tables
from medsearch.reporting.search.page import page
from medsearch.reporting.search.parallel import parallel
from medsearch.reporting.search.plates import plates
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.trade import front_chart
from medsearch.reporting.writing import PAGE, write_folder


def write_report(results: SearchResults, folder: Path) -> Path:
    """Write the report of `results`, finished or not, into `folder`, and return the path of its page.

    Every file is replaced as a whole, the page last, so that whoever reads meanwhile sees an old report or a new one.
    Figures that these results cannot fill are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)  # pictures are found from here
    charts = drawable(results)
    contents = {name: text.encode() for name, text in tables(results).items()}
    contents |= {f"figures/{name}": content for chart in charts for name, content in plates(chart).items()}
    contents[PAGE] = page(results, charts, folder).encode()
    return write_folder(folder, contents)


def drawable(results: SearchResults) -> tuple[Chart, ...]:
    """The charts that these results can fill."""
    every = (front_chart(results), history(results), parallel(results), importances(results), learning_curves(results))
    return tuple(chart for chart in every if chart.series or chart.bars)
