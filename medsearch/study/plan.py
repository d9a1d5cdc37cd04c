"""What is left of a search, before anything is done: stage runs by role, what is stored, how long the rest may take.

Neither torch nor Ray nor Optuna is imported: configurations that are still to be proposed are counted, not known.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from medsearch.core.machine import cores
from medsearch.core.recipes import fingerprint, plain
from medsearch.core.terminal import say, show
from medsearch.data.tasks import Task
from medsearch.stages.pipelines import StageRun
from medsearch.stages.stage import Stage
from medsearch.stages.store import Store
from medsearch.study.code import lines, trained_by
from medsearch.study.conductor import plan_of
from medsearch.study.jobs import Job, Planner, Workplace, unprepared
from medsearch.study.ledger import Ledger, Role, RunRecord
from medsearch.study.probes import Probes
from medsearch.study.search import Search

if TYPE_CHECKING:
    from rich.table import Table

HOUR = 3600


@final
@dataclass(frozen=True, kw_only=True)
class Row:
    """One stage in one role. asked: stage runs that the role needs. distinct: those that no row above has trained.

    stored: distinct ones that are finished. hours: of what is left, None when no such stage was ever timed.
    """

    role: Role
    node: str
    asked: int
    distinct: int
    stored: int
    hours: float | None

    @property
    def left(self) -> int:
        """Stage runs to train."""
        return self.distinct - self.stored


@final
@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The plan of a search. slots: runs at a time. notes: on stored stages that other code has trained."""

    study: str
    rows: tuple[Row, ...]
    slots: int
    notes: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """Stage runs to train."""
        return sum(row.left for row in self.rows)

    @property
    def hours(self) -> float | None:
        """Elapsed hours if every slot is always busy; None when a stage was never timed."""
        known = [row.hours for row in self.rows if row.hours is not None]
        return sum(known) / self.slots if len(known) == len(self.rows) else None


def plan(search: Search, place: Workplace | None = None, *, slots: int | None = None) -> Forecast:
    """The plan of `search`, given what the store and the study's ledger hold now.

    place: where it runs; None when there is no data yet, so that nothing can be stored. slots: runs at a time; None:
    one for each core.
    """
    place = replace(place or pretended_place(search.task), prepared=unprepared)
    counter = _Counter(Planner(search, place), Ledger(place.study(search.name)).runs())
    rows = [*counter.prefixes(), *counter.trials(), *counter.references(), *counter.replicates()]
    notes = lines(trained_by(search, place, counter.seen), place.recompute)
    return Forecast(study=search.name, rows=tuple(rows), slots=slots or cores(), notes=tuple(notes))


def render(forecast: Forecast) -> None:
    """Print the plan."""
    show(table(forecast))
    for note in forecast.notes:
        say(note)


def table(forecast: Forecast) -> "Table":
    """The plan as a table for the terminal."""
    from rich.table import Table

    left = f"{forecast.left} stage runs to train"
    time = f"; time: {duration(forecast.hours)} with {forecast.slots} at a time" if forecast.left else ""
    shown = Table(title=f"{forecast.study}: {left}{time}")
    for column in ("role", "stage", "asked", "distinct", "stored", "to train", "estimate"):
        shown.add_column(column, justify="left" if column in ("role", "stage") else "right", no_wrap=True)
    for row in forecast.rows:
        counts = (row.asked, row.distinct, row.stored, row.left)
        shown.add_row(row.role, row.node, *map(str, counts), duration(row.hours) if row.left else "")
    return shown


@final
class _Counter:
    """Counts stage runs role by role; a stage run that two roles need counts where it comes first."""

    def __init__(self, planner: Planner, runs: Mapping[str, RunRecord]) -> None:
        self.planner = planner
        self.plan = plan_of(planner)
        self.runs = runs
        self.store: Store = planner.place.store
        self.timings = Timings(planner.place)
        self.seen: set[str] = set()

    def prefixes(self) -> Iterator[Row]:
        """What precedes the searched stage, for every seed."""
        seeds = self.plan.seeds if self.plan.finalists else self.plan.seeds[:1]
        return self._known([self.planner.job("prefix", seed, knobs={}) for seed in seeds])

    def references(self) -> Iterator[Row]:
        """Rows that are not searched."""
        rows = self.planner.search.settled.references
        return self._known(
            [
                self.planner.job("reference", seed, knobs=row.knobs, label=row.label)
                for row in rows
                for seed in self.plan.seeds
            ]
        )

    def trials(self) -> Iterator[Row]:
        """Trials: those of the ledger are known, the others only counted."""
        job = self.planner.job("trial", self.plan.seeds[0], knobs={}, number=0)
        shared = {run.node for run in job.runs if run.key in self.seen}
        planned = [run for run in self.runs.values() if run.role == "trial" and (run.number or 0) < self.plan.trials]
        for run in job.runs:
            if run.node in shared:
                continue
            over = [trial for trial in planned if trial.state in ("cut", "failed")]
            ended = [*over, *(one for one in planned if one not in over and self._stored(one, run.node))]
            self.seen.update(dict(trial.stages).get(run.node, "") for trial in planned)
            left = [run] * (self.plan.trials - sum(not self._is_outdated(trial, run.node) for trial in ended))
            yield self._row("trial", [run] * self.plan.trials, distinct=self.plan.trials, left=left)

    def replicates(self) -> Iterator[Row]:
        """Finalists over seeds: under the first seed, all but the test is a trial's own."""
        job = self.planner.job("replicate", self.plan.seeds[0], knobs={}, number=0)
        trained = {run.node for run in self.planner.job("trial", self.plan.seeds[0], knobs={}, number=0).runs}
        shared = {run.node for run in self.planner.job("prefix", self.plan.seeds[0], knobs={}).runs}
        done = [run for run in self.runs.values() if run.role == "replicate"]
        for run in job.runs:
            if run.node in shared or not self.plan.finalists:
                continue
            asked = self.plan.finalists * len(self.plan.seeds)
            seeds = self.plan.seeds[1:] if run.node in trained else self.plan.seeds
            distinct = self.plan.finalists * len(seeds)
            stored = sum(self._stored(one, run.node) for one in done if one.seed in seeds)
            self.seen.update(dict(one.stages).get(run.node, "") for one in done)
            yield self._row("replicate", [run] * asked, distinct=distinct, left=[run] * max(0, distinct - stored))

    def _known(self, jobs: Sequence[Job]) -> Iterator[Row]:
        for node in dict.fromkeys(run.node for job in jobs for run in job.runs):
            runs = [run for job in jobs for run in job.runs if run.node == node]
            new = {run.key: run for run in runs if run.key not in self.seen}
            self.seen.update(new)
            left = [run for key, run in new.items() if not self.store.has(key)]
            yield self._row(jobs[0].planned.role, runs, distinct=len(new), left=left)

    def _row(self, role: Role, runs: Sequence[StageRun], *, distinct: int, left: Sequence[StageRun]) -> Row:
        seconds = [self.timings.seconds(run) for run in left]
        known = [second for second in seconds if second is not None]
        hours = sum(known) / HOUR if len(known) == len(seconds) else None
        return Row(
            role=role,
            node=runs[0].node,
            asked=len(runs),
            distinct=distinct,
            stored=distinct - len(left),
            hours=hours,
        )

    def _is_outdated(self, run: RunRecord, node: str) -> bool:
        """Whether a stage of a run that has ended is trained anew."""
        key = dict(run.stages).get(node, "")
        return key in (self.store.outdated or {}) and not self.store.has(key)

    def _stored(self, run: RunRecord, node: str) -> bool:
        key = dict(run.stages).get(node)
        return key is not None and self.store.has(key)


@final
class Timings:
    """How long stages took, from the store's manifests; for those never finished, from an epoch that was measured."""

    def __init__(self, place: Workplace) -> None:
        self._timed: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
        self._known: dict[str, float | None] = {}
        finished = list(place.store.summaries().values())
        stages = {manifest["stage"] for manifest in finished}
        measured = [timing for timing in Probes(place.probes).timings() if timing["stage"] not in stages]
        for manifest in (*finished, *measured):
            self._timed.setdefault(manifest["stage"], []).append((manifest, leaves(manifest["recipe"])))

    def seconds(self, run: StageRun) -> float | None:
        """The median over the stages most like this one, scaled to its number of epochs where the recipe has one."""
        if run.stage.name not in self._timed:
            return None
        recipe = plain(run.stage.recipe)
        kind = fingerprint([run.stage.name, recipe])
        if kind not in self._known:
            self._known[kind] = self._median(run.stage, leaves(recipe))
        return self._known[kind]

    def _median(self, stage: Stage, recipe: Mapping[str, Any]) -> float:
        timed = self._timed[stage.name]
        likeness = [_alike(recipe, other) for _, other in timed]
        most = max(likeness)
        nearest = [m for (m, _), like in zip(timed, likeness, strict=True) if like == most]
        return statistics.median(_scaled(manifest, stage.epochs) for manifest in nearest)


def leaves(of: Any, prefix: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted path."""
    if not isinstance(of, Mapping):
        return {prefix: of}
    found = {}
    for name, value in of.items():
        found.update(leaves(value, f"{prefix}.{name}" if prefix else name))
    return found


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(other.get(path, ...) == value for path, value in one.items())


def _scaled(manifest: Mapping[str, Any], epochs: int | None) -> float:
    seconds, took = float(manifest["seconds"]), manifest.get("epochs")
    return seconds * epochs / took if epochs and took else seconds


def pretended_place(task: Task) -> Workplace:
    """Stands in for data that are not there: only counts are taken from it."""
    return Workplace(home=Path("nowhere"), cohort="unknown", roster=task.pretended_roster(), prepared=unprepared)


def duration(hours: float | None) -> str:
    """Hours in words."""
    if hours is None:
        return "unknown"
    if hours < 1 / 60:
        return f"about {hours * HOUR:.0f} s"
    return f"about {hours * 60:.0f} min" if hours < 1 else f"about {hours:.1f} h"
