"""What is left of an ablation, before anything is done: stage runs asked for, distinct, stored, to train, with hours.

Neither torch nor Ray nor Optuna is imported.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from medsearch.core.machine import cores
from medsearch.core.terminal import say, show
from medsearch.stages.lineage import due
from medsearch.stages.pipelines import StageRun
from medsearch.study.ablation import Ablation
from medsearch.study.ablation_header import winner
from medsearch.study.code import lines, trained_by
from medsearch.study.graph import Graph, Grapher, Item
from medsearch.study.jobs import Workplace, unprepared
from medsearch.study.ledger import Ledger
from medsearch.study.plan import HOUR, Timings, duration, pretended_place
from medsearch.study.sweep import failed_for_good

if TYPE_CHECKING:
    from rich.console import RenderableType


@final
@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """One kind of stage in one column. asked: if every cell were run alone. hours: of what is left, None if unknown.

    lost: distinct ones that failed for good, or take what did. alone: hours of what is asked, None if unknown.
    """

    column: str
    stage: str
    asked: int
    distinct: int
    stored: int
    lost: int
    hours: float | None
    alone: float | None

    @property
    def left(self) -> int:
        """Stage runs to train."""
        return self.distinct - self.stored - self.lost


@final
@dataclass(frozen=True, kw_only=True)
class SweepForecast:
    """The plan of an ablation. slots: runs at a time. retuned: cells that are known only once candidates have ended.

    notes: on stored stages that other code has trained.
    """

    study: str
    rows: tuple[SweepRow, ...]
    slots: int
    retuned: int = 0
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """Stage runs if every cell were run alone."""
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
    def hours(self) -> float | None:
        """Elapsed hours if every slot is always busy; None when a stage was never timed."""
        known = [row.hours for row in self.rows if row.hours is not None]
        return sum(known) / self.slots if len(known) == len(self.rows) else None

    @property
    def saved(self) -> float | None:
        """Hours of training that sharing stages saves, in stage-hours; None when a stage was never timed."""
        if any(row.alone is None for row in self.rows):
            return None
        return sum((row.alone or 0) * (row.asked - row.distinct) / row.asked for row in self.rows)


def plan_sweep(
    ablation: Ablation,
    places: Mapping[str, Workplace] | None = None,
    *,
    slots: int | None = None,
    only: Collection[str] = (),
) -> SweepForecast:
    """The plan of `ablation`, given what the store holds now.

    places: where each layout's data lie; None, or without a layout whose data are not written yet: nothing of it can
    be stored. slots: runs at a time; None: one for each core.

    Raises:
        BadInput: no such row, or the search that the rows vary has not ended.

    """
    for label in only:
        ablation.row(label)
    tasks = {task.layout: task for task in ablation.tasks.values()}
    stand_ins = {layout: pretended_place(task) for layout, task in tasks.items()} | dict(places or {})
    known = {layout: replace(stand_ins[layout], prepared=unprepared) for layout in tasks}
    first = next(iter((places or known).values()))
    grapher = Grapher(ablation, known, winner(ablation, first))
    failed = failed_for_good(Ledger(first.study(ablation.name)))
    graph = grapher.graph(first.store, failed)
    shown = graph.only(only) if only else graph
    waiting = sum(1 for row, _ in ablation.cells() if ablation.retune and (not only or row.label in only))
    asked = len({(cell.row, cell.column) for cell in shown.cells})
    counter = _Counter(shown, first, failed)
    retuned = max(0, waiting - asked) * len(grapher.seeds)
    notes = lines(trained_by(ablation, first, shown.items), first.recompute)
    return SweepForecast(
        study=ablation.name, rows=counter.rows(), slots=slots or cores(), retuned=retuned, notes=tuple(notes)
    )


@final
class _Counter:
    """Counts stage runs by column and kind of stage."""

    def __init__(self, graph: Graph, place: Workplace, failed: Collection[str]) -> None:
        self.graph = graph
        self.due = due([item.run for item in graph.items.values()], place.store)
        self.lost = self._held_back(failed)
        self.timings = Timings(place)

    def rows(self) -> tuple[SweepRow, ...]:
        """A row for every kind of stage in every column, in the order of the pipeline."""
        asked: dict[tuple[str, str], list[StageRun]] = {}
        columns = list(dict.fromkeys(owner.column for owner in self.graph.owners))
        # The longest pipelines come first: they know where a stage that others leave out belongs.
        for owner in sorted(self.graph.owners, key=lambda one: (columns.index(one.column), -len(one.runs))):
            for run in owner.runs:
                asked.setdefault((owner.column, run.stage.name), []).append(run)
        distinct: dict[tuple[str, str], list[Item]] = {}
        for item in self.graph.items.values():
            distinct.setdefault((item.column, item.run.stage.name), []).append(item)
        return tuple(self._row(*kind, asked=asked[kind], items=distinct.get(kind, [])) for kind in asked)

    def _row(self, column: str, stage: str, *, asked: list[StageRun], items: list[Item]) -> SweepRow:
        wanted = [item for item in items if item.run.key in self.due]
        left = [item for item in wanted if item.run.key not in self.lost]
        alone = [self.timings.seconds(run) for run in asked]
        hours = [self.timings.seconds(item.run) for item in left]
        return SweepRow(
            column=column,
            stage=stage,
            asked=len(asked),
            distinct=len(items),
            stored=len(items) - len(wanted),
            lost=len(wanted) - len(left),
            hours=None if None in hours else sum(s or 0 for s in hours) / HOUR,
            alone=None if None in alone else sum(s or 0 for s in alone) / HOUR,
        )

    def _held_back(self, failed: Collection[str]) -> set[str]:
        """What failed and is not stored by now, and all that waits for it."""
        lost = set(self.due.intersection(failed))
        for key, item in self.graph.items.items():  # each after what it takes
            if key in self.due and not lost.isdisjoint(item.run.upstream.values()):
                lost.add(key)
        return lost


def sweep_table(forecast: SweepForecast) -> "RenderableType":
    """The plan for the terminal: what is left, a table, and what sharing saves."""
    from rich.console import Group
    from rich.table import Table

    left = forecast.left
    time = f"; time: {duration(forecast.hours)} with {forecast.slots} at a time" if left else ""
    shown = Table()
    for column in ("stage", "asked", "distinct", "stored", "to train", "estimate"):
        shown.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    several = len({row.column for row in forecast.rows}) > 1
    for place, row in enumerate(forecast.rows):
        if several and (not place or forecast.rows[place - 1].column != row.column):
            shown.add_section()
            shown.add_row(row.column, style="bold")
        counts = (row.asked, row.distinct, row.stored, row.left)
        shown.add_row(row.stage, *map(str, counts), duration(row.hours) if row.left else "")
    shown.add_section()
    total = (forecast.asked, forecast.distinct, forecast.stored, left)
    shown.add_row("all", *map(str, total), duration(_total(forecast)) if left else "", style="bold")
    return Group(f"{forecast.study}: {left} stage runs to train{time}", shown, _caption(forecast))


def _total(forecast: SweepForecast) -> float | None:
    return None if forecast.hours is None else forecast.hours * forecast.slots


def _caption(forecast: SweepForecast) -> str:
    lines = [f"asked: if every cell were run alone; sharing saves {forecast.asked - forecast.distinct} stage runs"]
    if forecast.saved is not None:
        lines[0] += f", {duration(forecast.saved)} of training"
    if forecast.lost:
        lines.append(f"{forecast.lost} stage runs diverged before, or take what did: they are not tried again")
    if forecast.retuned:
        lines.append(f"{forecast.retuned} cells follow once their rows' candidates have ended; they are not counted")
    return "\n".join(lines)


def render_plan(forecast: SweepForecast) -> None:
    """Print the plan."""
    show(sweep_table(forecast))
    for note in forecast.notes:
        say(note)
