"""What a search's files for programs hold: table.csv, knobs.csv, front.csv and results.json, numbers in full."""

from collections.abc import Callable
from operator import attrgetter, methodcaller

from medsearch.core.recipes import plain
from medsearch.reporting.metrics import short
from medsearch.reporting.results import SearchResults
from medsearch.reporting.search import front as fronts
from medsearch.reporting.search.early_stopping import replays, verdicts
from medsearch.reporting.search.front import front
from medsearch.reporting.search.narrative import answer, caption, warnings
from medsearch.reporting.search.tables import (
    TestedRow,
    gain,
    other_knobs,
    shares,
    summary,
    tested,
    weights,
)
from medsearch.reporting.statistics import Summary
from medsearch.reporting.storage import json_text

GAIN = ("gain", "gain_low", "gain_high", "gain_p", "gain_wilcoxon_p", "gain_cases", "gain_seeds")
"""Columns of table.csv: the best against no adaptation in the metric that leads, in the best one's line."""
CSV_DICE = ("dice", "dice_micro", "dice_volume", "assd")


def record(results: SearchResults) -> str:
    """results.json: everything that was put in, and what was made of it under "derived"."""
    derived = {
        "answer": answer(results),
        "warnings": warnings(results),
        "caption": caption(results),
        "rows": [
            {"title": row.title, "kind": row.kind, "trial": row.trial, "share": row.share}
            | {name: _numbers(of(row)) for name, of in summaries(results).items()}
            for row in summary(results)
        ],
        "gain": gain(results),
        "front": fronts.derived(results),
        "knobs": [{"path": row.knob.path, **plain(row)} for row in (*weights(results), *other_knobs(results))],
        "cuts": verdicts(results),
        "replays": replays(results),
    }
    return json_text(results, derived)


def summaries(results: SearchResults) -> dict[str, Callable[[TestedRow], Summary]]:
    """Everything that is known of a row over its seeds, by the name of its columns in table.csv."""
    names = [column.name for column in tested(results)]
    names = [*CSV_DICE, *(name for name in names if name not in CSV_DICE)] if shares(results) else names
    found = front(results)
    places = enumerate(found.objectives) if found else ()
    return {
        "validation": attrgetter("validation"),
        **{f"objective_{short(of.metric)}": methodcaller("objective", place) for place, of in places},
        **{name: methodcaller("test", f"test/{name}") for name in names},
        "over_cases": attrgetter("over_cases"),
    }


def _numbers(of: Summary) -> dict[str, float | int | None]:
    return {"mean": of.mean, "sd": of.sd, "n": of.n, "failed": of.failed, "waiting": of.waiting}


def table_csv(results: SearchResults) -> list[list[object]]:
    """table.csv: one line per row of the summary, numbers in full, empty where there is none.

    A search with several objectives says of each finalist whether its trial is on the front; front.csv has the others.
    """
    of, over = front(results), summaries(results)
    on = {trial.number for trial in of.trials} if of else set[int]()
    numbers = [f"{name}_{part}" for name in over for part in ("mean", "sd", "n")]
    more = ["on_front"] if of else []
    lines: list[list[object]] = [
        ["row", "kind", "trial", *more, *numbers, "failed", "waiting", "share", "share_low", "share_high", *GAIN]
    ]
    for row in summary(results):
        found = [value for one in over.values() for value in (one(row).mean, one(row).sd, one(row).n)]
        share = (row.share.estimate, row.share.low, row.share.high) if row.share else (None, None, None)
        about = [row.label, row.kind, row.trial, *([row.trial in on] if of else [])]
        lines.append([*about, *found, row.tested.failed, row.tested.waiting, *share, *_gain(results, row)])
    return lines


def _gain(results: SearchResults, row: TestedRow) -> list[object]:
    """A row's values under `GAIN`."""
    found = gain(results) if row.kind == "best" else None
    if found is None or found.effect is None:
        return [None] * len(GAIN)
    effect = found.effect
    tests = (found.p, found.wilcoxon_p, found.cases, found.fewest_seeds)
    return [effect.estimate, effect.low, effect.high, *tests]


def front_csv(results: SearchResults) -> list[list[object]]:
    """front.csv: every trial that was compared, numbers in full, and whether another one beats it."""
    of = front(results)
    assert of is not None
    paths, metrics = tuple(results.design.space), [one.metric for one in of.objectives]
    lines: list[list[object]] = [["trial", "on_front", "finalist", *metrics, *paths]]
    for trial in of.compared:
        found = [trial.number, trial in of.trials, trial.number in of.repeated, *trial.values]
        lines.append([*found, *(trial.knobs.get(path) for path in paths)])
    return lines


def knobs_csv(results: SearchResults) -> list[list[object]]:
    """knobs.csv: every searched knob and every weight, the best value beside the published one."""
    lines: list[list[object]] = [["knob", "best", "published", "where", "best_share", "published_share", "searched"]]
    for row in (*weights(results), *other_knobs(results)):
        found = (row.found_share, row.published_share, row.searched)
        lines.append([row.knob.path, row.found, row.published, row.where, *found])
    return lines
