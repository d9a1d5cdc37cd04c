"""A report: index.html, table.csv, knobs.csv, table.md, table.tex, results.json and figures/ in one folder."""

from pathlib import Path

from medsearch.core.records import write_bytes
from medsearch.reporting.charts import Chart, history, importances, learning_curves
from medsearch.reporting.files import json_text, knobs_csv, table_csv, table_md, table_tex
from medsearch.reporting.page import page
from medsearch.reporting.parallel import parallel
from medsearch.reporting.plates import plates
from medsearch.reporting.results import SearchResults


def write_report(results: SearchResults, folder: Path) -> Path:
    """Write the report of `results`, finished or not, into `folder`, and return the path of its page.

    Every file is replaced as a whole, the page last, so that whoever reads meanwhile sees an old report or a new one.
    Figures that these results cannot fill are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)  # pictures are found from here
    charts = drawable(results)
    plain = {
        "results.json": json_text(results),
        "table.csv": table_csv(results),
        "knobs.csv": knobs_csv(results),
        "table.md": table_md(results),
        "table.tex": table_tex(results),
    }
    contents = {name: text.encode() for name, text in plain.items()}
    contents |= {f"figures/{name}": content for chart in charts for name, content in plates(chart).items()}
    contents["index.html"] = page(results, charts, folder).encode()
    for name, content in contents.items():
        write_bytes(folder / name, content)
    for old in (folder / "figures").glob("*"):
        if f"figures/{old.name}" not in contents:
            old.unlink()
    return folder / "index.html"


def drawable(results: SearchResults) -> tuple[Chart, ...]:
    """The charts that these results can fill."""
    every = (history(results), parallel(results), importances(results), learning_curves(results))
    return tuple(chart for chart in every if chart.series or chart.bars)
