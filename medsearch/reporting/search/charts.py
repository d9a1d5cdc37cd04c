"""What the figures show, as data: `figures` draws it for the page, `plates` for print."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from medsearch.reporting.metrics import full_words, metric_of
from medsearch.reporting.search.palette import ORDER, Role
from medsearch.reporting.search.replay import rungs
from medsearch.reporting.search.results import SearchResults, Trial
from medsearch.reporting.search.tables import names_of, ranking
from medsearch.reporting.statistics import known
from medsearch.reporting.wording import KnobName, number, score


@dataclass(frozen=True)
class Series:
    """One line, or one set of points."""

    role: Role
    points: tuple[tuple[float, float], ...]
    notes: tuple[str, ...] = ()  # one per point, or one for all: what a pointer over it is told
    strength: float = 1.0  # 0 (faint) to 1
    spreads: tuple[tuple[float, float], ...] = ()  # one per point, along x and y


@dataclass(frozen=True)
class Scale:
    """A vertical axis of the parallel coordinates, at a whole x; heights run from 0 to 1."""

    title: KnobName | str
    ticks: tuple[tuple[float, str], ...]  # (height, value)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure: its series, in the order in which they are drawn."""

    name: str  # of its files
    kind: Literal["points", "lines", "parallel", "bars", "plane"]
    x: str = ""
    y: str = ""
    series: tuple[Series, ...] = ()
    scales: tuple[Scale, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()  # vertical lines: where, and what it is
    bars: tuple[tuple[KnobName, float, bool], ...] = ()  # knob, share, whether it is a nuisance


def has_end(chart: Chart, series: Series) -> bool:
    """Whether a line's last point is marked: where it was cut or failed, or when it is the only one."""
    return chart.kind == "lines" and (series.role in ("cut", "failed") or len(series.points) == 1)


def is_scattered(chart: Chart, series: Series) -> bool:
    """Whether its points stand for themselves and are no line."""
    return chart.kind in ("points", "plane") and series.role not in ("frontier", "front line")


def roles(results: SearchResults) -> Mapping[int, Role]:
    """The part that each trial plays, by its number."""
    ranked = [finalist.number for finalist in ranking(results)]
    by_state: dict[int, Role] = {trial.number: trial.state for trial in results.trials}
    return {**by_state, **dict.fromkeys(ranked, "finalist"), **dict.fromkeys(ranked[:1], "best")}


def history(results: SearchResults) -> Chart:
    """Every trial's value by its number, and the best complete one so far."""
    told = [trial for trial in results.trials if known(trial.value)]
    values = [float(trial.value) for trial in told if trial.value is not None]
    floor = min(values) - 0.08 * (max(values) - min(values)) if values else 0.0  # where failures are put
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
    steps = _frontier(results)
    frontier = [Series("frontier", steps, ("best so far",))] if len(steps) > 1 else []
    return Chart(name="history", kind="points", x="Trial", y=results.design.value_name, series=(*frontier, *series))


def _frontier(results: SearchResults) -> tuple[tuple[float, float], ...]:
    best, steps, sign = -math.inf, [], results.design.sign
    for trial in results.in_state("complete"):
        if trial.value is not None:
            best = max(best, sign * trial.value)
            steps.append((trial.number, sign * best))
    return tuple(steps)


def learning_curves(results: SearchResults) -> Chart:
    """Every recorded curve of the searched stage, with the rungs at which the scheduler may cut."""
    lines = [
        Series(roles(results)[trial.number], trial.points, (note_of(results, trial),))
        for trial in results.trials
        if trial.points
    ]
    longest = max((trial.points[-1][0] for trial in results.trials if trial.points), default=0)
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
        series=ordered(lines),
        marks=tuple(marks),
    )


def importances(results: SearchResults) -> Chart:
    """How much of the spread of the values each knob explains, most important first."""
    names = names_of(results)
    ordered = sorted(results.importances.items(), key=lambda item: -item[1])
    bars = tuple((names[path], share, path in results.design.nuisance) for path, share in ordered)
    return Chart(name="importances", kind="bars", x="Share of the importance", bars=bars)


def ordered(series: Iterable[Series]) -> tuple[Series, ...]:
    """Without empty ones; the faint before the strong, finalists on top."""
    return tuple(sorted((s for s in series if s.points), key=lambda s: (ORDER.index(s.role), s.strength)))


def note_of(results: SearchResults, trial: Trial) -> str:
    """What is known of a trial, for a pointer over it."""
    names = names_of(results)
    told = [f"{names[path].text} = {number(value)}" for path, value in trial.knobs.items()]
    state = f"cut at epoch {trial.rung}" if trial.state == "cut" else trial.state
    design = results.design
    values = zip(design.objectives, trial.values, strict=False)
    all_of = [f"{full_words(metric)} = {score(value, metric_of(metric).digits)}" for metric, value in values]
    first = f"Trial {trial.number}, {state}" + ("" if all_of else f": {score(trial.value, design.value_digits)}")
    return "\n".join([first, *all_of, *told, trial.reason or ""]).strip()
