"""The figures of an ablation as the paper draws them: files for print, and what the page shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsearch.reporting.ablation import panels
from medsearch.reporting.ablation.bars import WIDE, bars
from medsearch.reporting.ablation.curves import curves
from medsearch.reporting.ablation.figures import bar_figure, curve_figure
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.mosaic import mosaic
from medsearch.reporting.ablation.plates import bar_plate, curve_plate
from medsearch.reporting.metrics import short
from medsearch.reporting.plates import printing, saved
from medsearch.reporting.titles import title_of


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure: its files, and its charts for the page by title. A figure of pictures is shown by its PNG."""

    name: str
    title: str
    files: Mapping[str, bytes]
    lead: str = ""
    charts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wide: bool = False  # a page scrolls it sideways


def drawn(measures: Measures, folder: Path) -> tuple[Drawn, ...]:
    """What these results can fill; tiles are found from `folder`."""
    with printing():
        return tuple(_drawn(measures, folder))


def _drawn(measures: Measures, folder: Path) -> Iterator[Drawn]:
    design = measures.results.design
    for number, metric in enumerate(measures.results.metrics):
        ending = f"_{short(metric)}" if number else ""
        if design.figure.kind == "curves":
            yield from _curves(measures, metric, f"curves{ending}")
        else:
            yield from _bars(measures, metric, f"bars{ending}")
    for of in panels.panels(measures.results, folder):
        yield Drawn(
            name=of.kind,
            title=title_of(of.kind),
            files=saved(of.kind, mosaic(of, folder)),
            lead=panels.caption_of(of),
        )


def _bars(measures: Measures, metric: str, name: str) -> Iterator[Drawn]:
    of = bars(measures, metric)
    if of is None:
        return
    lead = (
        "Mean and SD over seeds, a dot per seed; a reported value is a hollow diamond. "
        "A pale bar lacks seeds, a cross has none."
    )
    charts, files = {name: bar_figure(of)}, saved(name, bar_plate(of))
    wide = len(of.groups) * len(of.rows) > WIDE
    yield Drawn(
        name=name,
        title=of.heading,
        files=files,
        lead=lead,
        charts=charts,
        wide=wide,
    )


def _curves(measures: Measures, metric: str, name: str) -> Iterator[Drawn]:
    of = curves(measures, metric)
    if of is None:
        return
    lead = (
        f"Over {of.x}: mean and SD over seeds; reported values are hollow diamonds. "
        "A pale point lacks seeds, a cross has none."
    )
    charts = {plot.column: curve_figure(of, plot) for plot in of.plots}
    yield Drawn(
        name=name,
        title=of.heading,
        files=saved(name, curve_plate(of)),
        lead=lead,
        charts=charts,
    )
