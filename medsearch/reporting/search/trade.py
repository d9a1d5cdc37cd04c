"""The words and the chart of a front: what is given up for what, and which trials stand for it."""

from collections.abc import Iterator
from itertools import pairwise

from medsearch.reporting.search.charts import Chart, Series, note_of
from medsearch.reporting.search.front import Front, Objective, Repeated, front
from medsearch.reporting.search.results import SearchResults, Trial
from medsearch.reporting.search.tables import spread
from medsearch.reporting.wording import counted, listed, score

RULE = (
    "Finalists are taken from the front, first the best in {first}, then always the one farthest from those taken "
    "(objectives scaled to the front's width), and from the next front when it has no more"
)
CHART = "pareto_front"


def values_of(trial: Trial, objectives: tuple[Objective, ...]) -> str:
    """`validation SSIM 0.712 and training time (h) 4.50`."""
    pairs = zip(objectives, trial.values, strict=False)
    return listed(f"{of.words} {score(value, of.digits)}" for of, value in pairs)


def told(of: Front) -> str:
    """The answer: that there is a front, from where to where it runs, and how it holds over seeds."""
    names = listed(objective.words for objective in of.objectives)
    if not of.trials:
        return f"No front yet: no trial has ended with {names}."
    many, first, last = len(of.trials), of.trials[0], of.trials[-1]
    front_of = f"{many} of {counted(len(of.compared), 'complete trial')} are beaten by no other in {names}"
    if many == 1:
        return f"One trial beats or equals all {len(of.compared)} in {names}: {_place(of, first)}."
    return f"There is no one best configuration but a front: {front_of}. {_ends(of, first, last)}{_over_seeds(of)}"


def _ends(of: Front, first: Trial, last: Trial) -> str:
    return f"It runs from {_place(of, first)} to {_place(of, last)}."


def _place(of: Front, trial: Trial) -> str:
    return f"trial {trial.number} ({values_of(trial, of.objectives)})"


def _over_seeds(of: Front) -> str:
    tested = {number: one for number, one in of.repeated.items() if all(mean.n for mean in one.means)}
    if not tested:
        return ""
    beaten = [number for number, one in tested.items() if one.beaten_by]
    kept = "none falls behind another" if not beaten else f"trial {listed(beaten)} falls behind another"
    return f" Of {len(tested)} finalists repeated over seeds, {kept}." if len(tested) > 1 else ""


def lines(results: SearchResults) -> Iterator[str]:
    """What a caption says of a front: how many trials, how many beaten, and how finalists were taken from it."""
    of = front(results)
    if of is None:
        return
    lost = [(len(results.in_state(state)), state) for state in ("failed", "running")]
    others = listed(f"{count} {state}" for count, state in lost if count)
    yield (
        f"Pareto front over {of.ways}: {counted(len(of.compared), 'trial')} compared under seed "
        f"{results.design.seeds[0]}, {len(of.trials)} on the front, {len(of.dominated)} dominated"
        f"{f'; not compared: {others}' if others else ''}."
    )
    yield f"{RULE.format(first=of.objectives[0].words)}; rows are ordered by {of.objectives[0].words} over seeds."
    for number, one in of.repeated.items():
        if one.beaten_by:
            yield f"Over seeds, trial {number} is beaten by trial {listed(one.beaten_by)} in every objective or equal."


def front_chart(results: SearchResults) -> Chart:
    """Every compared trial by its first two objectives, the front, and finalists' means with their spread."""
    of = front(results)
    if of is None or len(of.objectives) < 2 or not of.compared:
        return Chart(name=CHART, kind="plane")
    series = [
        Series("front line", _stairs(of), ("the front",)),
        _points(results, of.dominated, "dominated"),
        _points(results, of.trials, "front"),
    ]
    series += [_mean(of, one) for one in of.repeated.values() if all(mean.n for mean in one.means)]
    second, first = of.objectives[1], of.objectives[0]
    x, y = (f"{one.heading}, {one.better} is better" for one in (second, first))
    return Chart(name=CHART, kind="plane", x=x, y=y, series=tuple(one for one in series if one.points))


def _points(results: SearchResults, trials: tuple[Trial, ...], role: str) -> Series:
    points = tuple((trial.values[1], trial.values[0]) for trial in trials)
    return Series(role, points, tuple(note_of(results, trial) for trial in trials))  # type: ignore[arg-type]


def _stairs(of: Front) -> tuple[tuple[float, float], ...]:
    """The border of what the front beats: between two of its trials, the worse value of each objective."""
    if len(of.trials) < 2 or len(of.objectives) > 2:
        return ()
    at = sorted((trial.values[1], trial.values[0]) for trial in of.trials)
    upward = of.objectives[1].direction == "maximize"
    stairs: list[tuple[float, float]] = []
    for (x, y), (after, above) in pairwise(at):
        stairs += [(x, y), (x, above) if upward else (after, y)]
    return (*stairs, at[-1])


def _mean(of: Front, one: Repeated) -> Series:
    y, x = one.means[0], one.means[1]
    pairs = zip(of.objectives, one.means, strict=True)
    note = listed(f"{objective.words} {spread(mean, objective.digits)}" for objective, mean in pairs)
    role = "mean of the best" if one.row.kind == "best" else "mean"
    return Series(
        role,  # type: ignore[arg-type]
        ((x.mean or 0.0, y.mean or 0.0),),
        (f"{one.row.title}, over {counted(y.n, 'seed')}: {note}",),
        spreads=((x.sd or 0.0, y.sd or 0.0),),
    )
