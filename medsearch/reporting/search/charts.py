"""What the charts of a search show: history, parallel coordinates, importances, learning curves, the front."""

import math
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any

from medsearch.reporting.charts import ORDER, Chart, Importance, Role, Scale, Series
from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.results import SearchResults, Trial
from medsearch.reporting.search.early_stopping import rungs
from medsearch.reporting.search.front import front
from medsearch.reporting.search.tables import names_of, ranking, spread
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import counted, listed, number, score
from medsearch.study.record.headers import Axis


def drawable(results: SearchResults) -> tuple[Chart, ...]:
    """The charts that have something to show, in the order of the page."""
    every = (front_chart(results), history(results), parallel(results), importances(results), learning_curves(results))
    return tuple(chart for chart in every if chart.series or chart.bars)


def roles(results: SearchResults) -> Mapping[int, Role]:
    """The part that each trial plays, by its number."""
    ranked = [finalist.number for finalist in ranking(results)]
    by_state: dict[int, Role] = {trial.number: trial.state for trial in results.trials}
    return {**by_state, **dict.fromkeys(ranked, "finalist"), **dict.fromkeys(ranked[:1], "best")}


def history(results: SearchResults) -> Chart:
    """Every trial's value by its number, failures below all of them, and the best complete one so far."""
    values = [float(trial.value) for trial in results.trials if trial.value is not None and known(trial.value)]
    floor = min(values) - 0.08 * (max(values) - min(values)) if values else 0.0
    by_role: dict[Role, list[Trial]] = {}
    for trial in results.trials:
        if known(trial.value) or trial.state == "failed":
            by_role.setdefault(roles(results)[trial.number], []).append(trial)
    series = [
        Series(
            role,
            tuple((trial.number, floor if trial.value is None else trial.value) for trial in by_role[role]),
            tuple(note_of(results, trial) for trial in by_role[role]),
        )
        for role in ORDER
        if role in by_role
    ]
    complete = [(trial.number, trial.value) for trial in results.in_state("complete") if trial.value is not None]
    bests = accumulate((value for _, value in complete), min if results.design.minimised else max)
    steps = tuple((number, best) for (number, _), best in zip(complete, bests, strict=True))
    frontier = [Series("frontier", steps, ("best so far",))] if len(steps) > 1 else []
    return Chart(name="history", kind="points", x="Trial", y=results.design.value_name, series=(*frontier, *series))


def learning_curves(results: SearchResults) -> Chart:
    """Every recorded curve of the searched stage, with the rungs at which the scheduler may cut."""
    curved = [trial for trial in results.trials if trial.points]
    lines = [Series(roles(results)[trial.number], trial.points, (note_of(results, trial),)) for trial in curved]
    longest = max((trial.points[-1][0] for trial in curved), default=0)
    scheduler, marks = results.design.scheduler, []
    if scheduler.name == "asha" and scheduler.grace and scheduler.reduction:
        marks = [(float(rung), "rung") for rung in rungs(scheduler.grace, scheduler.reduction, longest)]
    elif scheduler.name == "median" and scheduler.grace:
        marks = [(float(scheduler.grace), "grace ends")]
    return Chart(
        name="learning_curves",
        kind="lines",
        x="Epoch of the searched stage",
        y=results.design.value_name,
        series=_ordered(lines),
        marks=tuple(marks),
    )


def importances(results: SearchResults) -> Chart:
    """How much of the spread of the values each knob explains, most important first."""
    names = names_of(results)
    falling = sorted(results.importances.items(), key=lambda item: -item[1])
    bars = tuple(Importance(names[path], share, path in results.design.nuisance) for path, share in falling)
    return Chart(name="importances", kind="bars", x="Share of the importance", bars=bars)


def _ordered(series: Iterable[Series]) -> tuple[Series, ...]:
    """Without empty ones; the faint before the strong, finalists on top."""
    return tuple(sorted((s for s in series if s.points), key=lambda s: (ORDER.index(s.role), s.strength)))


def note_of(results: SearchResults, trial: Trial) -> str:
    """What is known of a trial, for a pointer over it."""
    design, names = results.design, names_of(results)
    state = f"cut at epoch {trial.rung}" if trial.state == "cut" else trial.state
    values = zip(design.objectives, trial.values, strict=False)
    lines = [f"{full_words(metric)} = {score(value, metric_of(metric).digits)}" for metric, value in values]
    first = f"Trial {trial.number}, {state}" + ("" if lines else f": {score(trial.value, design.value_digits)}")
    lines += [f"{names[path].text} = {number(value)}" for path, value in trial.knobs.items()]
    return "\n".join([first, *lines, trial.reason or ""]).strip()


def parallel(results: SearchResults) -> Chart:
    """Each trial as a line over its knobs to its value; empty with fewer than two trials that have one."""
    valued = [trial for trial in results.trials if known(trial.value)]
    paths = tuple(results.design.space) or tuple(dict.fromkeys(path for trial in valued for path in trial.knobs))
    if len(valued) < 2 or not paths:
        return Chart(name="parallel_coordinates", kind="parallel")
    axes = {path: _axis(results, path) for path in paths}
    values = [float(trial.value) for trial in valued if trial.value is not None]
    value_axis, digits, names = Axis(low=min(values), high=max(values)), results.design.value_digits, names_of(results)
    lines = []
    for trial in results.trials:
        heights = [_height(axis, trial.knobs.get(path)) for path, axis in axes.items()]
        end = _height(value_axis, trial.value) if trial.value is not None else None
        points = tuple((float(x), height) for x, height in enumerate([*heights, end]) if height is not None)
        strength = 0.3 + 0.7 * (end or 0.0)
        lines.append(Series(roles(results)[trial.number], points, (note_of(results, trial),), strength))
    ends = ((0.0, score(min(values), digits)), (1.0, score(max(values), digits)))
    scales = [*(Scale(names[path], _ticks(axes[path])) for path in paths), Scale(results.design.value_name, ends)]
    return Chart(name="parallel_coordinates", kind="parallel", series=_ordered(lines), scales=tuple(scales))


def _axis(results: SearchResults, path: str) -> Axis:
    """The declared range of a knob, widened to what was tried; of an undeclared one, what was tried."""
    axis = results.design.space.get(path, Axis())
    tried = [trial.knobs[path] for trial in results.trials if path in trial.knobs]
    if axis.options or not all(known(value) for value in tried):
        return Axis(options=(*axis.options, *(v for v in dict.fromkeys(tried) if v not in axis.options)))
    bounds = [float(value) for value in (*tried, axis.low, axis.high) if value is not None]
    low, high = min(bounds, default=0.0), max(bounds, default=1.0)
    return Axis(low=low, high=high, log=axis.log and bool(bounds) and low > 0)


def _height(axis: Axis, value: Any) -> float | None:
    """Where `value` stands on `axis`, 0 to 1; None where it is not on it."""
    if axis.options:
        return (axis.options.index(value) + 0.5) / len(axis.options) if value in axis.options else None
    if not known(value) or axis.low is None or axis.high is None:
        return None
    if axis.low == axis.high:
        return 0.5
    low, high, at = (math.log(v) if axis.log else float(v) for v in (axis.low, axis.high, value))
    return (at - low) / (high - low)


def _ticks(axis: Axis) -> tuple[tuple[float, str], ...]:
    """Heights with their values: every choice, or both ends and what is not too near to them."""
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


def front_chart(results: SearchResults) -> Chart:
    """Every compared trial by its first two objectives, the front, and finalists' means with their spread.

    The front's border is what it beats: between two of its trials, the worse value of each objective.
    """
    of = front(results)
    if of is None or len(of.objectives) < 2 or not of.compared:
        return Chart(name="pareto_front", kind="plane")
    stairs: list[tuple[float, float]] = []
    if len(of.trials) > 1 and len(of.objectives) == 2:
        at = sorted((trial.values[1], trial.values[0]) for trial in of.trials)
        upward = of.objectives[1].direction == "maximize"
        for (left, height), (after, above) in pairwise(at):
            stairs += [(left, height), (left, above) if upward else (after, height)]
        stairs.append(at[-1])
    series = [Series("front line", tuple(stairs), ("the front",))]
    sets: tuple[tuple[Role, tuple[Trial, ...]], ...] = (("dominated", of.dominated), ("front", of.trials))
    for role, trials in sets:
        points = tuple((trial.values[1], trial.values[0]) for trial in trials)
        series.append(Series(role, points, tuple(note_of(results, trial) for trial in trials)))
    for one in of.repeated.values():
        if not all(mean.n for mean in one.means):
            continue
        y, x = one.means[:2]
        pairs = zip(of.objectives, one.means, strict=True)
        values = listed(f"{objective.words} {spread(mean, objective.digits)}" for objective, mean in pairs)
        series.append(
            Series(
                "mean of the best" if one.row.kind == "best" else "mean",
                ((x.mean or 0.0, y.mean or 0.0),),
                (f"{one.row.title}, over {counted(y.n, 'seed')}: {values}",),
                spreads=((x.sd or 0.0, y.sd or 0.0),),
            )
        )
    names = [f"{one.heading}, {one.better} is better" for one in of.objectives]
    shown = tuple(one for one in series if one.points)
    return Chart(name="pareto_front", kind="plane", x=names[1], y=names[0], series=shown)
