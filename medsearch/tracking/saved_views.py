"""Saved views of MLflow's pages (3.17): their charts, sections and tables, and the experiment's tag that holds one.

The pages are a React program that keeps its state as plain objects; what is left out here has its default there. Uuids
are made of names, so the same study has the same JSON. The tag is mlflow.sharedViewState.<id>; its value JSON {name,
createdAt, updatedAt, state, medsearch}; state is "deflate;" and the base64 of zlib's stream of that JSON. When a user
saves over a view, `medsearch` (ours: a fingerprint) is gone, and the view is left alone from there on.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from medsearch.core.recipes import fingerprint

TAG = "mlflow.sharedViewState."
MARK = "medsearch"
PACKED = "deflate;"
LIMIT = 4900
"""Characters of a tag's value that every supported server takes."""


@final
@dataclass(frozen=True)
class View:
    """A saved view. `created` in Unix milliseconds; `charted`: to be opened with its charts, not as a table alone."""

    id: str
    name: str
    created: int
    state: Mapping[str, Any]
    charted: bool = True

    @property
    def tag(self) -> str:
        """The experiment's tag that holds it."""
        return f"{TAG}{self.id}"

    @property
    def value(self) -> str:
        """The tag's value, the same for the same study, whoever writes it. Charts go until it is short enough."""
        state = dict(self.state)
        text = _packed(self, state)
        while len(text) > LIMIT and (charts := state.get("compareRunCharts")):
            state["compareRunCharts"] = charts[: len(charts) * 9 // 10]  # the hidden ones are last
            text = _packed(self, state)
        return text

    def address(self, experiment: str) -> str:
        """The path of the page, behind a server's address."""
        mode = "&compareRunsMode=CHART" if self.charted else ""
        return f"#/experiments/{experiment}/runs?viewStateShareKey={self.id}{mode}"


def opened(tag: str, value: str) -> View | None:
    """The view that a tag holds, whoever saved it; None if that cannot be read."""
    try:
        of = json.loads(value)
        state = json.loads(zlib.decompress(base64.b64decode(of["state"].removeprefix(PACKED))))
        charted = any(not chart.get("deleted") for chart in state.get("compareRunCharts") or ())
        return View(tag.removeprefix(TAG), str(of["name"]), int(of["createdAt"]), state, charted)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        return None


def is_ours(value: str) -> bool:
    """Whether a tag's value is as this program wrote it, and not as a user saved it over."""
    try:
        of = json.loads(value)
    except ValueError:
        return False
    return isinstance(of, dict) and isinstance(of.get("state"), str) and of.get(MARK) == _mark(of["state"])


def _packed(view: View, state: Mapping[str, Any]) -> str:
    plain = json.dumps(state, separators=(",", ":"), sort_keys=True).encode()
    packed = PACKED + base64.b64encode(zlib.compress(plain, 9)).decode()
    named = {"name": view.name, "createdAt": view.created, "updatedAt": view.created, "state": packed}
    return json.dumps(named | {MARK: _mark(packed)}, separators=(",", ":"))


def _mark(state: str) -> str:
    return fingerprint(state)[:12]


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
    by = {"mode": "tag", "groupByData": groups.tag} if groups else {}
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
        "groupBy": {"aggregateFunction": "average", "groupByKeys": [by]} if groups else None,
        "groupsExpanded": {f"tag.{groups.tag}.{value}": False for value in groups.values} if groups else {},
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def column(kind: Literal["metrics", "params", "tags"], name: str) -> str:
    """The column of the table that shows a metric, a param or a tag."""
    return f"{kind}.`{name}`"


def _chart(kind: str, title: str, more: Chart) -> Chart:
    common: Chart = {"type": kind, "runsCountToCompare": SHOWN, "deleted": False, "isGenerated": False}
    named = {"displayName": title} if title else {}
    return common | named | {"uuid": fingerprint([kind, title, more])[:12]} | more
