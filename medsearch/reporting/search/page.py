"""The page of a search."""

from collections.abc import Sequence
from pathlib import Path

from medsearch.reporting.elements import chart, heading
from medsearch.reporting.markup import Markup, joined, tag
from medsearch.reporting.pictures import pictures
from medsearch.reporting.search.charts import Chart
from medsearch.reporting.search.figures import Figure, figure
from medsearch.reporting.search.origin import every_run, provenance
from medsearch.reporting.search.results import SearchResults
from medsearch.reporting.search.sections import knobs, opening, result, trade
from medsearch.reporting.search.stopping import cuts
from medsearch.reporting.search.trade import CHART
from medsearch.reporting.shell import document

PARALLEL = "parallel_coordinates"
CAPTIONS = {
    "history": ("History", "The value that the sampler was told of each trial, and the best so far."),
    PARALLEL: (
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
    drawn = {chart.name: figure(chart) for chart in charts}
    parts = {
        "Result": result(results),
        "Front": trade(results, _front_figure(drawn)),
        "Weights": knobs(results),
        "Search": _search(results, drawn),
        "Curves": _curves(results, drawn),
        "Pictures": pictures(results.pictures, folder),
        "Runs": every_run(results),
        "Provenance": provenance(results),
    }
    return document(
        results.design.study, parts, opening=opening(results), created=results.provenance.created, charts=bool(drawn)
    )


def _front_figure(drawn: dict[str, Figure]) -> dict[str, Markup]:
    title = "Pareto front: every trial by its first two objectives, the front, and finalists' means over seeds"
    return {CHART: chart(CHART, title, drawn[CHART])} if CHART in drawn else {}


def _search(results: SearchResults, drawn: dict[str, Figure]) -> Markup | None:
    found = [(name, *CAPTIONS[name]) for name in CAPTIONS if name in drawn]
    if not found:
        return None
    missing = [tag("h3", "Importances"), tag("p", results.no_importances, class_="lead")]
    blocks = (
        joined(
            [tag("h3", title), tag("p", lead, class_="lead"), chart(name, title, drawn[name], follow=name == PARALLEL)]
        )
        for name, title, lead in found
    )
    return tag(
        "section", heading("search", "How the search went"), *blocks, *(missing if results.no_importances else ())
    )


def _curves(results: SearchResults, drawn: dict[str, Figure]) -> Markup | None:
    if "learning_curves" not in drawn:
        return None
    name = results.design.value_name
    lead = f"{name} of every trial by epoch of the searched stage. A pointer over a curve dims the others."
    curves = chart("learning_curves", "Learning curves", drawn["learning_curves"], follow=True)
    return tag("section", heading("curves", "Learning curves, and what was cut", lead), curves, cuts(results))
