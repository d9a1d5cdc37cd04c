"""index.html: one file that opens from disk, shows everything, and never asks a network for anything.

plotly.js is inlined once, images are data URIs, and a content security policy forbids the rest.
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from medsearch.reporting.charts import Chart
from medsearch.reporting.figures import Figure, figure
from medsearch.reporting.markup import Markup, joined, tag
from medsearch.reporting.origin import every_run, provenance
from medsearch.reporting.pictures import pictures
from medsearch.reporting.results import SearchResults
from medsearch.reporting.sections import heading, knobs, opening, result
from medsearch.reporting.stopping import cuts

CAPTIONS = {
    "history": ("History", "The value that the sampler was told of each trial, and the best so far."),
    "parallel_coordinates": (
        "Parallel coordinates",
        "Each line is a trial, over its knobs to its value. A cut trial ends at the value it had when it was cut.",
    ),
    "importances": (
        "Importances",
        "Optuna's estimate of how much each knob explains of the differences between trials. "
        "From few trials it is a hint, not a finding.",
    ),
}


def page(results: SearchResults, charts: Sequence[Chart], folder: Path) -> str:
    """The whole page; `folder` is where it will stand."""
    from plotly.offline import get_plotlyjs

    drawn = {chart.name: figure(chart) for chart in charts}
    parts = {
        "Result": result(results),
        "Weights": knobs(results),
        "Search": _search(results, drawn),
        "Curves": _curves(results, drawn),
        "Pictures": pictures(results, folder),
        "Runs": every_run(results),
        "Provenance": provenance(results),
    }
    shown = {name: part for name, part in parts.items() if part is not None}
    links = (tag("a", name, href=f"#{name.lower()}") for name in shown)
    main = tag("main", tag("nav", *links, aria_label="Sections"), *shown.values())
    footer = tag("footer", f"medsearch · {results.design.study} · {results.provenance.created}")
    return Template(_own("page.html")).substitute(
        title=tag("title", f"{results.design.study} · medsearch").removeprefix("<title>").removesuffix("</title>"),
        style=_own("page.css"),
        body=joined([opening(results), main, footer]),
        plotly=get_plotlyjs() if drawn else "",
        script=_own("page.js"),
    )


def _own(name: str) -> str:
    return files("medsearch.reporting").joinpath(name).read_text(encoding="utf-8")


def _search(results: SearchResults, drawn: dict[str, Figure]) -> Markup | None:
    found = [(name, *CAPTIONS[name]) for name in CAPTIONS if name in drawn]
    if not found:
        return None
    missing = [tag("h3", "Importances"), tag("p", results.no_importances, class_="lead")]
    blocks = (
        joined([tag("h3", title), tag("p", lead, class_="lead"), chart(name, title, drawn[name])])
        for name, title, lead in found
    )
    return tag(
        "section", heading("search", "How the search went"), *blocks, *(missing if results.no_importances else ())
    )


def _curves(results: SearchResults, drawn: dict[str, Figure]) -> Markup | None:
    if "learning_curves" not in drawn:
        return None
    lead = "Validation Dice of every trial by epoch of the searched stage. A pointer over a curve dims the others."
    curves = chart("learning_curves", "Learning curves", drawn["learning_curves"])
    return tag("section", heading("curves", "Learning curves, and what was cut", lead), curves, cuts(results))


def chart(name: str, title: str, content: Figure) -> Markup:
    """A place for a chart and its data, which page.js brings together."""
    data = Markup(
        json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    )
    follow = name in ("parallel_coordinates", "learning_curves")
    place = tag("div", id=name, class_="chart", role="img", aria_label=title, data_follow="1" if follow else None)
    return joined([place, tag("script", data, type="application/json", id=f"{name}-data")])
