"""Parallel coordinates: each trial as a line over its knobs to its value."""

import math
from collections.abc import Mapping
from typing import Any

from medsearch.reporting.search.charts import Chart, Scale, Series, note_of, ordered, roles
from medsearch.reporting.search.results import SearchResults, Trial
from medsearch.reporting.search.tables import names_of
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import number, score
from medsearch.study.record import Axis


def parallel(results: SearchResults) -> Chart:
    """Each trial as a line over its knobs to its value; empty with fewer than two trials that have one."""
    told = [trial for trial in results.trials if known(trial.value)]
    paths = tuple(results.design.space) or tuple(dict.fromkeys(path for trial in told for path in trial.knobs))
    if len(told) < 2 or not paths:
        return Chart(name="parallel_coordinates", kind="parallel")
    axes = {path: _axis(results, path) for path in paths}
    values = [float(trial.value) for trial in told if trial.value is not None]
    value_axis = Axis(low=min(values), high=max(values))
    names = names_of(results)
    digits = results.design.value_digits
    ends = ((0.0, score(min(values), digits)), (1.0, score(max(values), digits)))
    scales = [*(Scale(names[path], _ticks(axes[path])) for path in paths), Scale(results.design.value_name, ends)]
    return Chart(
        name="parallel_coordinates",
        kind="parallel",
        series=ordered(_line(results, trial, axes, value_axis) for trial in results.trials),
        scales=tuple(scales),
    )


def _line(results: SearchResults, trial: Trial, axes: Mapping[str, Axis], value_axis: Axis) -> Series:
    heights = [(x, _height(axis, trial.knobs.get(path))) for x, (path, axis) in enumerate(axes.items())]
    end = _height(value_axis, trial.value) if trial.value is not None else None
    points = tuple((float(x), height) for x, height in [*heights, (len(axes), end)] if height is not None)
    return Series(roles(results)[trial.number], points, (note_of(results, trial),), 0.3 + 0.7 * (end or 0.0))


def _axis(results: SearchResults, path: str) -> Axis:
    """The declared range of a knob, widened to what was tried; of an undeclared one, what was tried."""
    axis = results.design.space.get(path, Axis())
    tried = [trial.knobs[path] for trial in results.trials if path in trial.knobs]
    if axis.options or not all(known(value) for value in tried):
        return Axis(options=(*axis.options, *(v for v in dict.fromkeys(tried) if v not in axis.options)))
    bounds = [float(value) for value in (*tried, axis.low, axis.high) if value is not None]
    return Axis(
        low=min(bounds, default=0.0), high=max(bounds, default=1.0), log=axis.log and min(bounds, default=0) > 0
    )


def _height(axis: Axis, value: Any) -> float | None:
    if axis.options:
        return (axis.options.index(value) + 0.5) / len(axis.options) if value in axis.options else None
    if not known(value) or axis.low is None or axis.high is None:
        return None
    if axis.low == axis.high:
        return 0.5
    low, high, at = (math.log(v) if axis.log else float(v) for v in (axis.low, axis.high, value))
    return (at - low) / (high - low)


def _ticks(axis: Axis) -> tuple[tuple[float, str], ...]:
    if axis.options:
        return tuple(((i + 0.5) / len(axis.options), number(choice)) for i, choice in enumerate(axis.options))
    low, high = float(axis.low or 0), float(axis.high or 0)
    inner = [low + (high - low) / 2]
    if axis.log:
        inner = [10.0**k for k in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    ticks = [
        (height, number(float(f"{v:.3g}"))) for v in (low, *inner, high) if (height := _height(axis, v)) is not None
    ]
    kept = [tick for tick in ticks[1:-1] if 0.08 < tick[0] < 0.92]
    return tuple(dict.fromkeys((ticks[0], *kept, ticks[-1])))
