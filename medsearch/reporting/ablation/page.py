"""The page of an ablation."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from medsearch.reporting.ablation.drawn import Drawn
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.origin import every_run, provenance
from medsearch.reporting.ablation.sections import evidence, opening, result
from medsearch.reporting.elements import chart, heading
from medsearch.reporting.formats import slug
from medsearch.reporting.markup import Markup, joined, tag
from medsearch.reporting.pictures import pictures
from medsearch.reporting.shell import document
from medsearch.reporting.wording import counted


def page(measures: Measures, figures: Sequence[Drawn], *, files: Mapping[str, str], folder: Path) -> str:
    """The whole page; `files` are the tables that it carries, `folder` is where it will stand."""
    results = measures.results
    parts = {
        "Result": result(measures, files),
        "Figures": _figures(figures),
        "Evidence": evidence(measures),
        "Pictures": _pictures(measures, folder),
        "Runs": every_run(measures),
        "Provenance": provenance(measures),
    }
    created = results.columns[0].provenance.created
    charts = any(figure.charts for figure in figures)
    return document(results.design.study, parts, opening=opening(measures), created=created, charts=charts)


def _figures(figures: Sequence[Drawn]) -> Markup | None:
    if not figures:
        return None
    return tag("section", heading("figures", "Figures"), *(_figure(figure) for figure in figures))


def _figure(of: Drawn) -> Markup:
    title, lead = tag("h3", of.title), tag("p", of.lead, class_="lead")
    if not of.charts:
        return joined([title, lead, _printed(of)])
    several = len(of.charts) > 1
    shown = (
        joined([tag("h4", name) if several else None, _scrolled(chart(slug(f"{of.name}-{i}"), name, content), of.wide)])
        for i, (name, content) in enumerate(of.charts.items())
    )
    return joined([title, lead, *shown])


def _scrolled(content: Markup, wide: bool) -> Markup:
    return tag("div", tag("div", content, class_="wide" if wide else None), class_="scroll")


def _printed(of: Drawn) -> Markup:
    data = base64.b64encode(of.files[f"{of.name}.png"]).decode()
    image = tag("img", src=f"data:image/png;base64,{data}", alt=of.lead, loading="lazy")
    return tag("figure", image, class_="plate")


def _pictures(measures: Measures, folder: Path) -> Markup | None:
    left_out = measures.results.pictures_left_out
    shown = pictures(measures.results.pictures, folder)
    if shown is None or not left_out:
        return shown
    told = f"{counted(left_out, 'more picture')} of other cells lie beside their test stages, in stages/<key>/pictures."
    return joined([shown, tag("p", told, class_="files")])
