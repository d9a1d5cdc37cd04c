"""The plan of a study: what is left of it before anything is done, as a table of stage runs with hours.

    plan_search, plan_ablation, plan_staged     make it of each kind of study (search_plan, ablation_plan, staged_plan)

Neither torch nor Ray nor Optuna is imported.
"""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from medsearch.cohorts.tasks import Task
from medsearch.core.recipes import fingerprint, plain
from medsearch.core.terminal import say, show
from medsearch.stages.manifest import Manifest
from medsearch.stages.pipelines import StageRun
from medsearch.stages.stage import Stage
from medsearch.study.engine.jobs import StudyEnvironment, unprepared
from medsearch.study.engine.probes import Probes
from medsearch.study.record.headers import About

if TYPE_CHECKING:
    from rich.console import RenderableType

HOUR = 3600


@final
@dataclass(frozen=True, kw_only=True)
class StageCount:
    """One kind of stage in one group: a role of a search's runs, or a column of an ablation.

    asked: stage runs, if everything were run alone. distinct: those that no earlier line has. stored: distinct ones
    that are finished. lost: those that failed for good, or take what did. hours: of what is left; alone: of what is
    asked; None when no such stage was ever timed.
    """

    group: str
    stage: str
    asked: int
    distinct: int
    stored: int
    lost: int = 0
    hours: float | None
    alone: float | None = None

    @property
    def left(self) -> int:
        """Stage runs to train."""
        return self.distinct - self.stored - self.lost


@final
@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The plan of a study. slots: runs at a time. retuned: cells that are known only once candidates have ended.

    notes: on stored stages that other code has trained.
    """

    study: str
    rows: tuple[StageCount, ...]
    slots: int
    retuned: int = 0
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """Stage runs if everything were run alone."""
        return sum(row.asked for row in self.rows)

    @property
    def distinct(self) -> int:
        """Stage runs that differ."""
        return sum(row.distinct for row in self.rows)

    @property
    def stored(self) -> int:
        """Distinct ones that are finished."""
        return sum(row.stored for row in self.rows)

    @property
    def lost(self) -> int:
        """Distinct ones that failed for good, or take what did."""
        return sum(row.lost for row in self.rows)

    @property
    def left(self) -> int:
        """Stage runs to train."""
        return sum(row.left for row in self.rows)

    @property
    def stage_hours(self) -> float | None:
        """Hours of training that are left, one after the other; None when a stage was never timed."""
        return _sum(row.hours for row in self.rows)

    @property
    def hours(self) -> float | None:
        """Elapsed hours if every slot is always busy; None when a stage was never timed."""
        return None if self.stage_hours is None else self.stage_hours / self.slots

    @property
    def saved(self) -> float | None:
        """Hours of training that sharing stages saves, in stage-hours; None when a stage was never timed."""
        shares = (row.alone and row.alone * (row.asked - row.distinct) / row.asked for row in self.rows)
        return _sum(shares)


def table(forecast: Forecast) -> "RenderableType":
    """The plan for the terminal: what is left, a section for each group, and what sharing saves."""
    from rich.console import Group
    from rich.table import Table

    left = forecast.left
    time = f"; time: {duration(forecast.hours)} with {forecast.slots} at a time" if left else ""
    shown = Table()
    for column in ("stage", "asked", "distinct", "stored", "to train", "estimate"):
        shown.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    several = len({row.group for row in forecast.rows}) > 1
    for environment, row in enumerate(forecast.rows):
        if several and (not environment or forecast.rows[environment - 1].group != row.group):
            shown.add_section()
            shown.add_row(row.group, style="bold")
        counts = (row.asked, row.distinct, row.stored, row.left)
        shown.add_row(row.stage, *map(str, counts), duration(row.hours) if row.left else "")
    shown.add_section()
    total = (forecast.asked, forecast.distinct, forecast.stored, left)
    shown.add_row("all", *map(str, total), duration(forecast.stage_hours) if left else "", style="bold")
    return Group(f"{forecast.study}: {left} stage runs to train{time}", shown, _caption(forecast))


def _caption(forecast: Forecast) -> str:
    lines = [f"asked: if every run were alone; sharing saves {forecast.asked - forecast.distinct} stage runs"]
    if forecast.saved is not None:
        lines[0] += f", {duration(forecast.saved)} of training"
    if forecast.lost:
        lines.append(f"{forecast.lost} stage runs diverged before, or take what did: they are not tried again")
    if forecast.retuned:
        lines.append(f"{forecast.retuned} cells follow once their rows' candidates have ended; they are not counted")
    return "\n".join(lines)


def render(forecast: Forecast) -> None:
    """Print the plan."""
    show(table(forecast))
    for note in forecast.notes:
        say(note)


@final
class Timings:
    """How long stages took, from the store's manifests; for those never finished, from an epoch that was measured."""

    def __init__(self, environment: StudyEnvironment) -> None:
        self._timed: dict[str, list[tuple[Manifest, Mapping[str, Any]]]] = {}
        self._known: dict[str, float | None] = {}
        finished = list(environment.store.summaries().values())
        stages = {manifest.stage for manifest in finished}
        measured = [timing for timing in Probes(environment.probes).timings() if timing.stage not in stages]
        for manifest in (*finished, *measured):
            self._timed.setdefault(manifest.stage, []).append((manifest, _leaves(manifest.recipe)))

    def hours(self, runs: Collection[StageRun]) -> float | None:
        """Of all of these stage runs; None when one of their stages was never timed."""
        seconds = _sum(self.seconds(run) for run in runs)
        return None if seconds is None else seconds / HOUR

    def seconds(self, run: StageRun) -> float | None:
        """The median over the stages most like this one, scaled to its number of epochs where the recipe has one."""
        if run.stage.name not in self._timed:
            return None
        recipe = plain(run.stage.recipe)
        kind = fingerprint([run.stage.name, recipe])
        if kind not in self._known:
            self._known[kind] = self._median(run.stage, _leaves(recipe))
        return self._known[kind]

    def _median(self, stage: Stage, recipe: Mapping[str, Any]) -> float:
        timed = self._timed[stage.name]
        likeness = [_alike(recipe, other) for _, other in timed]
        most = max(likeness)
        nearest = [m for (m, _), like in zip(timed, likeness, strict=True) if like == most]
        return statistics.median(_scaled(manifest, stage.epochs) for manifest in nearest)


def _leaves(of: Any, prefix: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted path."""
    if not isinstance(of, Mapping):
        return {prefix: of}
    found = {}
    for name, value in of.items():
        found.update(_leaves(value, f"{prefix}.{name}" if prefix else name))
    return found


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(other.get(path, ...) == value for path, value in one.items())


def _scaled(manifest: Manifest, epochs: int | None) -> float:
    seconds, took = float(manifest.seconds or 0), manifest.epochs
    return seconds * epochs / took if epochs and took else seconds


def _sum(numbers: Iterable[float | None]) -> float | None:
    known: Sequence[float | None] = list(numbers)
    return None if None in known else sum(number or 0 for number in known)


def pretended_environment(task: Task) -> StudyEnvironment:
    """Stands in for data that are not there: only counts are taken from it."""
    return StudyEnvironment(
        home=Path("nowhere"),
        cohort="unknown",
        roster=task.pretended_roster(),
        prepared=unprepared,
        about=About(cohort="unknown", phantom=False),
    )


def duration(hours: float | None) -> str:
    """Hours in words."""
    if hours is None:
        return "unknown"
    if hours < 1 / 60:
        return f"about {hours * HOUR:.0f} s"
    return f"about {hours * 60:.0f} min" if hours < 1 else f"about {hours:.1f} h"
