"""The graph of an ablation: which stage runs its cells ask for, each distinct one once, and which depend on which.

Pure but for looks into the store: a row that retunes its nuisance knobs has no cells before its candidates have ended.
"""

import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.seeds import generator
from medsearch.stages.pipelines import Setting, StageRun
from medsearch.stages.store import Store
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.spaces import Domain
from medsearch.study.declare.variants import Variant
from medsearch.study.engine.jobs import StudyEnvironment


@final
@dataclass(frozen=True, kw_only=True)
class CellRuns:
    """The stage runs of a row in a column under a seed, from the first to the test.

    number: None for a cell of the table; else it is a candidate, that configuration of the row's nuisance knobs, under
    the first seed and not tested. knobs: all that the study set for a cell, or what a candidate tries. value: of a
    candidate, the objective of its last stage once it has ended. chosen: the row's cells have this candidate's knobs.
    """

    row: str
    column: str
    seed: int
    knobs: Mapping[str, Any]
    runs: tuple[StageRun, ...]
    number: int | None = None
    value: float | None = None
    chosen: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Item:
    """A distinct stage run, with the row and the column that ask for it first."""

    run: StageRun
    row: str
    column: str


@final
@dataclass(frozen=True)
class Graph:
    """All cells and candidates that are known by now, and their distinct stage runs."""

    cells: tuple[CellRuns, ...]
    candidates: tuple[CellRuns, ...] = ()

    @property
    def owners(self) -> tuple[CellRuns, ...]:
        """Whoever asks for stage runs: candidates first."""
        return (*self.candidates, *self.cells)

    @cached_property
    def items(self) -> dict[str, Item]:
        """Distinct stage runs by key, each after what it takes."""
        items: dict[str, Item] = {}
        for owner in self.owners:
            for run in owner.runs:
                if run.key not in items:
                    items[run.key] = Item(run=run, row=owner.row, column=owner.column)
        return items

    def only(self, rows: Iterable[str]) -> "Graph":
        """The cells and candidates of these rows alone."""
        labels = set(rows)
        return Graph(
            tuple(cell for cell in self.cells if cell.row in labels),
            tuple(candidate for candidate in self.candidates if candidate.row in labels),
        )

    def savings(self, store: Store) -> str:
        """What sharing stages saved, in words: of the stored stage runs, the seconds they took and would have alone."""
        seconds = {key: float(store.artifact(key).manifest.seconds or 0) for key in self.items if store.has(key)}
        asked = [run.key for owner in self.owners for run in owner.runs if run.key in seconds]
        shared, alone = sum(seconds.values()), sum(seconds[key] for key in asked)
        if not alone:
            return "no stage run is stored yet"
        return (
            f"{len(seconds)} stage runs served {len(asked)}: {shared:,.0f} stage-seconds instead of {alone:,.0f}, "
            f"{1 - shared / alone:.0%} saved by sharing"
        )


@final
@dataclass(frozen=True)
class Grapher:
    """Makes the graph of an ablation on its data.

    environments: by layout, where its data lie. base: knobs of a search's winner.
    """

    ablation: Ablation
    environments: Mapping[str, StudyEnvironment]
    base: Mapping[str, Any] = field(default_factory=dict)
    _known: dict[tuple[Any, ...], CellRuns] = field(default_factory=dict, init=False, repr=False, compare=False)

    def environment(self, task: Task) -> StudyEnvironment:
        """The environment in which the data of a task's layout lie."""
        return self.environments[task.layout]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds under which every cell is trained and tested."""
        assert isinstance(self.ablation.seeds, tuple)  # an ablation in use has a scale
        return self.ablation.seeds

    def graph(self, store: Store, failed: Iterable[str] = ()) -> Graph:
        """All that is known now: cells of a row that retunes only after its candidates have ended.

        failed: keys of stage runs that failed. Of equal candidates the earlier one wins, and where all have failed the
        row keeps its knobs as they stand.

        Raises:
            BadInput: candidates cannot be ranked by the objective.

        """
        failures = set(failed)
        sign = 1.0 if self.ablation.direction == "maximize" else -1.0
        configurations = candidates(self.ablation)
        cells: list[CellRuns] = []
        tried: list[CellRuns] = []
        for row, column in self.ablation.cells():
            group = [self._candidate(row, column, number, knobs, store) for number, knobs in enumerate(configurations)]
            ranked = [(sign * one.value, -index, one) for index, one in enumerate(group) if one.value is not None]
            if not all(has_ended(candidate, store, failures) for candidate in group):
                tried += group
                continue
            chosen: Mapping[str, Any] = {}
            if group:
                winner = max(ranked)[-1] if ranked else group[0]
                tried += [replace(candidate, chosen=candidate is winner) for candidate in group]
                chosen = winner.knobs
            cells += [self._cell(row, column, seed, chosen) for seed in self.seeds]
        return Graph(tuple(cells), tuple(tried))

    def _cell(self, row: Variant, column: str, seed: int, chosen: Mapping[str, Any]) -> CellRuns:
        """A cell: made once, as its keys take a millisecond, unless it stands on what candidates are worth by now."""
        place = row.label, column, seed
        if chosen or place not in self._known:
            knobs = {**self.base, **self.ablation.declared(row, column), **chosen}
            runs = self._runs(row, column, seed, chosen, test=True)
            self._known[place] = CellRuns(row=row.label, column=column, seed=seed, knobs=knobs, runs=runs)
        return self._known[place]

    def _candidate(self, row: Variant, column: str, number: int, knobs: Mapping[str, Any], store: Store) -> CellRuns:
        """A candidate: made once, and with its value once it has ended.

        Raises:
            BadInput: its last stage reports no such objective.

        """
        place = row.label, column, "candidate", number
        if place not in self._known:
            runs = self._runs(row, column, self.seeds[0], knobs, test=False)
            self._known[place] = CellRuns(
                row=row.label, column=column, seed=self.seeds[0], knobs=knobs, runs=runs, number=number
            )
        candidate, last = self._known[place], self._known[place].runs[-1]
        if candidate.value is None and store.has(last.key):
            metrics, objective = store.artifact(last.key).metrics, self.ablation.objective
            if objective not in metrics:
                reported = ", ".join(metrics) or "nothing"
                msg = (
                    f"candidates cannot be ranked: stage {last.node!r} reports no {objective!r}; it reports {reported}"
                )
                raise BadInput(msg)
            candidate = self._known[place] = replace(candidate, value=float(metrics[objective]))
        return candidate

    def _runs(
        self, row: Variant, column: str, seed: int, more: Mapping[str, Any], *, test: bool
    ) -> tuple[StageRun, ...]:
        setup = self.ablation.setup(row, column, more, base=self.base)
        environment = self.environment(setup.task)
        pipeline = self.ablation.pipeline(row, column, setup, test=test)
        return pipeline.runs(Setting(setup.task, environment.cohort, environment.roster), seed)


def has_ended(candidate: CellRuns, store: Store, failed: Collection[str]) -> bool:
    """Whether a candidate's last stage is stored, or one of its stages has failed."""
    return any(run.key in failed for run in candidate.runs) or store.has(candidate.runs[-1].key)


def candidates(ablation: Ablation) -> list[dict[str, Any]]:
    """The configurations of the nuisance knobs that every row is given: as it stands, then a Latin hypercube.

    They are the same for every row and column, so that no row is searched harder or luckier than another.
    """
    count = typing.cast(int, ablation.trials)
    if not count:
        return []
    rng = generator(0, "retune", ablation.name)
    drawn: list[dict[str, Any]] = [{} for _ in range(count - 1)]
    for knob, domain in ablation.retune.items():
        quantiles = (rng.permutation(count - 1) + rng.random(count - 1)) / max(1, count - 1)
        for knobs, quantile in zip(drawn, quantiles, strict=True):
            knobs[knob] = typing.cast(Domain, domain).suggest(_Quantile(float(quantile)), knob)
    return [{}, *drawn]


@final
@dataclass(frozen=True)
class _Quantile:
    """Answers a domain as a trial of Optuna does, with the value at a quantile in [0, 1) of its range."""

    quantile: float

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:  # noqa: ARG002
        return low * (high / low) ** self.quantile if log else low + (high - low) * self.quantile

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return min(high, int(self.suggest_float(name, low, high + 1, log=log)))

    def suggest_categorical(self, name: str, choices: Any) -> Any:  # noqa: ARG002
        return choices[int(self.quantile * len(choices))]
