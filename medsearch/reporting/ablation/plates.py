"""The figures of an ablation as the paper draws them: files for print, and what the page shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsearch.reporting.ablation import bars as grouped
from medsearch.reporting.ablation import curves as lines
from medsearch.reporting.ablation import panels as pictures
from medsearch.reporting.ablation.measures import Measures, short
from medsearch.reporting.plates import printing, saved
from medsearch.reporting.titles import title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    for number, metric in enumerate(design.metrics):
        ending = f"_{short(metric)}" if number else ""
        if design.figure.kind == "curves":
            yield from _curves(measures, metric, f"curves{ending}")
        else:
            yield from _bars(measures, metric, f"bars{ending}")
    for of in pictures.panels(measures.results, folder):
        yield Drawn(
            name=of.kind,
            title=title_of(of.kind),
            files=saved(of.kind, pictures.draw(of, folder)),
            lead=pictures.caption_of(of),
        )


def _bars(measures: Measures, metric: str, name: str) -> Iterator[Drawn]:
    of = grouped.bars(measures, metric)
    if of is None:
        return
    figure = _sheet(grouped.size(of))
    axes = figure.subplots()
    grouped.draw(of, axes)
    _legend(figure, grouped.handles(of))
    lead = (
        "Mean and SD over seeds, a dot per seed; a reported value is a hollow diamond. "
        "A pale bar lacks seeds, a cross has none."
    )
    charts = {name: grouped.figure(of)}
    wide = len(of.groups) * len(of.rows) > grouped.WIDE
    yield Drawn(
        name=name,
        title=of.heading,
        files=saved(name, figure),
        lead=lead,
        charts=charts,
        wide=wide,
    )


def _curves(measures: Measures, metric: str, name: str) -> Iterator[Drawn]:
    of = lines.curves(measures, metric)
    if of is None:
        return
    figure = _sheet(lines.size(of))
    axes = figure.subplots(1, len(of.plots), sharey=True, squeeze=False)[0]
    lines.draw(of, list(axes))
    _legend(figure, lines.handles(list(axes)))
    lead = (
        f"Over {of.x}: mean and SD over seeds; reported values are hollow diamonds. "
        "A pale point lacks seeds, a cross has none."
    )
    charts = {plot.column: lines.figure(of, plot) for plot in of.plots}
    yield Drawn(
        name=name,
        title=of.heading,
        files=saved(name, figure),
        lead=lead,
        charts=charts,
    )


def _sheet(size: tuple[float, float]) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _legend(figure: "Figure", entries: Mapping[str, Any]) -> None:
    """One for the whole figure, above it."""
    width = figure.get_size_inches()[0]
    columns = max(1, int(width / (0.6 + 0.075 * max(len(label) for label in entries))))
    place: dict[str, Any] = {"loc": "outside upper left", "fontsize": 7.5, "handlelength": 1.6, "columnspacing": 1.2}
    figure.legend(list(entries.values()), list(entries), ncols=columns, frameon=False, **place)
