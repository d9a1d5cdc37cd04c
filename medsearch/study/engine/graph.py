"""The graph of an ablation: which stage runs its cells ask for, each distinct one once, and which depend on which.

    Cell        one row in one column under one seed: stage runs from the first to the test
    Candidate   one configuration of a row's nuisance knobs, trained under the first seed, not tested
    Graph       all cells and candidates that are known, and their distinct stage runs

Pure but for looks into the store: a row that retunes its nuisance knobs has no cells before its candidates have ended.
"""

import typing
from collections.abc import Iterable, Mapping
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
class Cell:
    """A row in a column under a seed. knobs: all that the study set for it."""

    row: str
    column: str
    seed: int
    knobs: Mapping[str, Any]
    runs: tuple[StageRun, ...]


@final
@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration of a row's nuisance knobs. value: its objective, once it has ended. chosen: whether it won."""

    row: str
    column: str
    number: int
    knobs: Mapping[str, Any]
    runs: tuple[StageRun, ...]
    value: float | None = None
    chosen: bool = False

    @property
    def scored(self) -> StageRun:
        """The stage whose objective is the candidate's."""
        return self.runs[-1]


@final
@dataclass(frozen=True, kw_only=True)
class Item:
    """A distinct stage run, with the rows that ask for it in the order of the table."""

    run: StageRun
    column: str
    rows: tuple[str, ...]


@final
@dataclass(frozen=True)
class Graph:
    """What is asked for, as far as it is known."""

    cells: tuple[Cell, ...]
    candidates: tuple[Candidate, ...] = ()

    @property
    def owners(self) -> "tuple[Candidate | Cell, ...]":
        """Whoever asks for stage runs."""
        return (*self.candidates, *self.cells)

    @cached_property
    def items(self) -> dict[str, Item]:
        """Distinct stage runs by key, each after what it takes."""
        found: dict[str, Item] = {}
        for owner in self.owners:
            for run in owner.runs:
                known = found.get(run.key)
                rows = known.rows if known else ()
                if owner.row not in rows:
                    rows = (*rows, owner.row)
                found[run.key] = Item(
                    run=known.run if known else run, column=known.column if known else owner.column, rows=rows
                )
        return found

    @cached_property
    def asked(self) -> int:
        """Stage runs if every cell were run alone."""
        return sum(len(owner.runs) for owner in self.owners)

    @cached_property
    def heights(self) -> dict[str, int]:
        """How many stage runs in a row wait for each: the longest chain is begun first."""
        heights = dict.fromkeys(self.items, 0)
        for key, item in reversed(self.items.items()):
            for taken in item.run.upstream.values():
                heights[taken] = max(heights[taken], heights[key] + 1)
        return heights

    @cached_property
    def takers(self) -> dict[str, list[str]]:
        """Which stage runs take the outputs of each."""
        found: dict[str, list[str]] = {key: [] for key in self.items}
        for key, item in self.items.items():
            for taken in item.run.upstream.values():
                found[taken].append(key)
        return found

    @cached_property
    def environments(self) -> dict[str, int]:
        """Where each stands in the order of `items`."""
        return {key: index for index, key in enumerate(self.items)}

    def only(self, rows: Iterable[str]) -> "Graph":
        """What these rows ask for."""
        wanted = set(rows)
        return Graph(
            tuple(cell for cell in self.cells if cell.row in wanted),
            tuple(candidate for candidate in self.candidates if candidate.row in wanted),
        )


@final
@dataclass(frozen=True)
class Grapher:
    """Makes the graph of an ablation on its data.

    places: where each column's layout lies. base: knobs of a search's winner. failed: keys of stages that failed.
    """

    ablation: Ablation
    environments: Mapping[str, StudyEnvironment]
    base: Mapping[str, Any] = field(default_factory=dict)
    _cells: dict[tuple[str, str, int], Cell] = field(default_factory=dict, init=False, repr=False, compare=False)

    def environment(self, task: Task) -> StudyEnvironment:
        """Where a task's data lie."""
        return self.environments[task.layout]

    def graph(self, store: Store, failed: Iterable[str] = ()) -> Graph:
        """All that is known now: cells of a row that retunes only after its candidates have ended.

        Raises:
            BadInput: candidates cannot be ranked by the objective.

        """
        lost = set(failed)
        cells: list[Cell] = []
        candidates: list[Candidate] = []
        for row, column in self.ablation.cells():
            tried = self._candidates(row, column, store)
            winner = self._winner(tried, lost, store)
            if winner is not None:
                tried = [replace(one, chosen=one.number == winner.number) for one in tried]
            candidates += tried
            if winner is not None or not tried:
                more = winner.knobs if winner else {}
                cells += [self._cell_once(row, column, seed, more) for seed in self.seeds]
        return Graph(tuple(cells), tuple(candidates))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of every cell."""
        assert isinstance(self.ablation.seeds, tuple)  # an ablation in use has a scale
        return self.ablation.seeds

    def _cell_once(self, row: Variant, column: str, seed: int, more: Mapping[str, Any]) -> Cell:
        """A cell: made once, as its keys take a millisecond, unless it stands on what candidates are worth by now."""
        at = row.label, column, seed
        if more or at not in self._cells:
            self._cells[at] = self._cell(row, column, seed, more)
        return self._cells[at]

    def _cell(self, row: Variant, column: str, seed: int, more: Mapping[str, Any]) -> Cell:
        runs = self._runs(row, column, seed, more, test=True)
        knobs = {**self.base, **self.ablation.declared(row, column), **more}
        return Cell(row=row.label, column=column, seed=seed, knobs=knobs, runs=runs)

    def _runs(
        self, row: Variant, column: str, seed: int, more: Mapping[str, Any], *, test: bool
    ) -> tuple[StageRun, ...]:
        setup = self.ablation.setup(row, column, more, base=self.base)
        environment = self.environment(setup.task)
        pipeline = self.ablation.pipeline(row, column, setup, test=test)
        return pipeline.runs(Setting(setup.task, environment.cohort, environment.roster), seed)

    def _candidates(self, row: Variant, column: str, store: Store) -> list[Candidate]:
        """The row's configurations with their values, where they have ended."""
        found = []
        for number, knobs in enumerate(candidates(self.ablation)):
            runs = self._runs(row, column, self.seeds[0], knobs, test=False)
            value = _value(store, runs[-1], self.ablation.objective)
            found.append(Candidate(row=row.label, column=column, number=number, knobs=knobs, runs=runs, value=value))
        return found

    def _winner(self, tried: list[Candidate], failed: set[str], store: Store) -> Candidate | None:
        """The best one, once all have ended; the earlier of equals, and the row as it stands when all have failed."""
        ended = [one for one in tried if store.has(one.scored.key) or any(run.key in failed for run in one.runs)]
        sign = 1.0 if self.ablation.direction == "maximize" else -1.0
        valued = [(sign * one.value, -one.number, one) for one in tried if one.value is not None]
        if not tried or len(ended) < len(tried):
            return None
        return max(valued)[-1] if valued else tried[0]


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
        environments = (rng.permutation(count - 1) + rng.random(count - 1)) / max(1, count - 1)
        for of, environment in zip(drawn, environments, strict=True):
            of[knob] = _at(typing.cast(Domain, domain), knob, float(environment))
    return [{}, *drawn]


def _at(domain: Domain, knob: str, environment: float) -> Any:
    return domain.suggest(_Point(environment), knob)


@final
@dataclass(frozen=True)
class _Point:
    """Answers a domain's question with the value at a place in [0, 1)."""

    environment: float

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:  # noqa: ARG002
        return low * (high / low) ** self.environment if log else low + (high - low) * self.environment

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return min(high, int(self.suggest_float(name, low, high + 1, log=log)))

    def suggest_categorical(self, name: str, choices: Any) -> Any:  # noqa: ARG002
        return choices[int(self.environment * len(choices))]


def _value(store: Store, run: StageRun, objective: str) -> float | None:
    """What a candidate scored; None before it has ended.

    Raises:
        BadInput: its last stage says nothing of the objective.

    """
    if not store.has(run.key):
        return None
    metrics = store.artifact(run.key).metrics
    if objective not in metrics:
        told = ", ".join(metrics) or "nothing"
        msg = f"candidates cannot be ranked: stage {run.node!r} reports no {objective!r}; it reports {told}"
        raise BadInput(msg)
    return float(metrics[objective])
