"""The plan of an ablation: stage runs by column and kind of stage, each distinct one counted once."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import final

from medsearch.core.machine import cores
from medsearch.stages.pipelines import StageRun, stages_to_train
from medsearch.study.declare.ablation import Ablation
from medsearch.study.engine.ablation_driver import failed_for_good
from medsearch.study.engine.ablation_header import winner
from medsearch.study.engine.code import lines, trained_by
from medsearch.study.engine.graph import Graph, Grapher, Item
from medsearch.study.engine.jobs import StudyEnvironment, unprepared
from medsearch.study.plan import Forecast, StageCount, Timings, pretended_environment
from medsearch.study.record.ledger import Ledger


def plan_ablation(
    ablation: Ablation,
    environments: Mapping[str, StudyEnvironment] | None = None,
    *,
    slots: int | None = None,
    only: Collection[str] = (),
) -> Forecast:
    """The plan of `ablation`, given what the store holds now.

    places: where each layout's data lie; None, or without a layout whose data are not written yet: nothing of it can
    be stored. slots: runs at a time; None: one for each core.

    Raises:
        BadInput: no such row, or the search that the rows vary has not ended.

    """
    for label in only:
        ablation.row(label)
    tasks = {task.layout: task for task in ablation.tasks.values()}
    stand_ins = {layout: pretended_environment(task) for layout, task in tasks.items()} | dict(environments or {})
    known = {layout: replace(stand_ins[layout], prepared=unprepared) for layout in tasks}
    first = next(iter((environments or known).values()))
    grapher = Grapher(ablation, known, winner(ablation, first))
    failed = failed_for_good(Ledger(first.study(ablation.name)))
    graph = grapher.graph(first.store, failed)
    shown = graph.only(only) if only else graph
    waiting = sum(1 for row, _ in ablation.cells() if ablation.retune and (not only or row.label in only))
    asked = len({(cell.row, cell.column) for cell in shown.cells})
    counter = _Counter(shown, first, failed)
    retuned = max(0, waiting - asked) * len(grapher.seeds)
    notes = lines(trained_by(ablation, first, shown.items), first.recompute)
    return Forecast(
        study=ablation.name, rows=counter.rows(), slots=slots or cores(), retuned=retuned, notes=tuple(notes)
    )


@final
class _Counter:
    """Counts stage runs by column and kind of stage."""

    def __init__(self, graph: Graph, environment: StudyEnvironment, failed: Collection[str]) -> None:
        self.graph = graph
        self.due = stages_to_train([item.run for item in graph.items.values()], environment.store)
        self.lost = self._held_back(failed)
        self.timings = Timings(environment)

    def rows(self) -> tuple[StageCount, ...]:
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

    def _row(self, column: str, stage: str, *, asked: list[StageRun], items: list[Item]) -> StageCount:
        wanted = [item for item in items if item.run.key in self.due]
        left = [item for item in wanted if item.run.key not in self.lost]
        return StageCount(
            group=column,
            stage=stage,
            asked=len(asked),
            distinct=len(items),
            stored=len(items) - len(wanted),
            lost=len(wanted) - len(left),
            hours=self.timings.hours([item.run for item in left]),
            alone=self.timings.hours(asked),
        )

    def _held_back(self, failed: Collection[str]) -> set[str]:
        """What failed and is not stored by now, and all that waits for it."""
        lost = set(self.due.intersection(failed))
        for key, item in self.graph.items.items():  # each after what it takes
            if key in self.due and not lost.isdisjoint(item.run.upstream.values()):
                lost.add(key)
        return lost
