"""Charts, sections and tables of MLflow's pages (3.17), as the JSON in which it saves them.

The pages are a React program that keeps its state as plain objects; what is left out here has its default there. Uuids
are made of names, so the same study has the same JSON.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

from medsearch.core.recipes import fingerprint

SHOWN = 100
"""Runs or groups in one chart; the pages' own default is 10."""

Chart = dict[str, Any]


RUN_NAME = "attributes.`Run Name`"


@final
@dataclass(frozen=True)
class Groups:
    """Runs with one value of a tag become one line with the means of their metrics. `values`: those to begin folded."""

    tag: str
    values: tuple[str, ...] = ()

    @property
    def plain(self) -> Chart:
        """As the pages save it."""
        return {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": self.tag}]}

    @property
    def closed(self) -> dict[str, bool]:
        """Which groups are unfolded."""
        return {f"tag.{self.tag}.{value}": False for value in self.values}


@final
@dataclass(frozen=True)
class Section:
    """Charts under one heading, so many beside each other, so many pixels high."""

    name: str
    charts: tuple[Chart, ...]
    columns: int = 2
    height: int = 360


def line(metrics: Sequence[str], title: str) -> Chart:
    """Curves over epochs. The metrics (one measured on several domains, say) share the chart."""
    keys = list(metrics)
    chart = {"metricKey": keys[0], "selectedMetricKeys": keys, "lineSmoothness": 0, "scaleType": "linear"}
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "selectedXAxisMetricKey": "", "yAxisKey": "metric"}
    return _chart("LINE", title, chart | axes | {"yAxisExpressions": [], "range": {}, "displayPoints": True})


def bar(metric: str, title: str) -> Chart:
    """One bar a run or group."""
    return _chart("BAR", title, {"metricKey": metric})


def parallel(params: Sequence[str], metrics: Sequence[str], title: str) -> Chart:
    """One line a run over the axes of params, then of metrics."""
    axes = {"selectedParams": list(params), "selectedMetrics": list(metrics)}
    return _chart("PARALLEL", title, axes | {"showAllRuns": True})


def images(keys: Sequence[str], title: str, *, step: int = 0) -> Chart:
    """Images at one step: a line for every key, a column for every run. The pages draw ten runs at most."""
    return _chart("IMAGE", title, {"imageKeys": list(keys), "step": step, "showRunParams": False})


def layout(sections: Iterable[Section], *, hidden: Iterable[str] = (), hidden_images: Iterable[str] = ()) -> Chart:
    """The part of a state that holds the charts. What is hidden gets none, which the pages would add by themselves."""
    charts, headings = [], []
    for section in sections:
        uuid = fingerprint(["section", section.name])[:12]
        heading = {"uuid": uuid, "name": section.name, "columns": section.columns, "cardHeight": section.height}
        headings.append(heading | {"display": True, "isReordered": True, "deleted": False})
        charts += [chart | {"metricSectionId": uuid} for chart in section.charts]
    alone = {tuple(chart.get("imageKeys", ())) for chart in charts}
    drawn = {chart.get("metricKey") for chart in charts}
    charts += [_chart("BAR", "", {"metricKey": name, "deleted": True}) for name in hidden if name not in drawn]
    charts += [
        _chart("IMAGE", "", {"imageKeys": [key], "deleted": True}) for key in hidden_images if (key,) not in alone
    ]
    return {"compareRunCharts": charts, "compareRunSections": headings, "isAccordionReordered": True}


def table(
    columns: Sequence[str], *, search: str, order: str, falling: bool = False, groups: Groups | None = None
) -> Chart:
    """The part of a state that holds the table: its columns, the filter, the column that orders it, and groups.

    An order by anything but the start is needed: by that, the pages show parents instead of the runs that were found.
    """
    shown = [RUN_NAME, *columns]
    return {
        "searchFilter": search,
        "orderByKey": order,
        "orderByAsc": not falling,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
        "columnOrder": shown,
        "columnWidths": {RUN_NAME: 330} | dict.fromkeys(columns, 140),
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": False,
        "runListHidden": False,
        "groupBy": groups.plain if groups else None,
        "groupsExpanded": groups.closed if groups else {},
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def metric_column(name: str) -> str:
    """A metric's column."""
    return f"metrics.`{name}`"


def tag_column(name: str) -> str:
    """A tag's column."""
    return f"tags.`{name}`"


def param_column(name: str) -> str:
    """A param's column."""
    return f"params.`{name}`"


def _chart(kind: str, title: str, more: Chart) -> Chart:
    common: Chart = {"type": kind, "runsCountToCompare": SHOWN, "deleted": False, "isGenerated": False}
    named = {"displayName": title} if title else {}
    return common | named | {"uuid": fingerprint([kind, title, more])[:12]} | more
