"""An ablation: rows x columns x seeds, as data that is checked when the file is loaded.

A row is a variant of the method, a column a task. A value that depends on the scale is written as a mapping, {"tiny":
1, "paper": 3}; `at` settles it.
"""

import difflib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.ranges import NonNegativeInt, PositiveFloat, require
from medsearch.core.recipes import knobs
from medsearch.core.reported import Reported
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Pipeline
from medsearch.study.declare.figures import Curves, Figure
from medsearch.study.declare.rules import Rule
from medsearch.study.declare.search import Direction, Search
from medsearch.study.declare.setups import (
    Scaled,
    Setup,
    require_folder_name,
    require_rule,
    require_seeds,
    resolve_scale,
    setup,
    sized,
)
from medsearch.study.declare.spaces import Choice, Domain, Integers, Uniform
from medsearch.study.declare.variants import Variant

Knobs = Mapping[str, Any]


@final
@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Variants of a method on tasks under seeds: a published table, or a figure.

    tasks: columns by label. variants: rows, in the table's order. references: rows that the paper's table has not, such
        as the target-supervised model that shares are taken of (`supervised` is its label).
    selection: what model selection may see, one rule or one for each column.
    fixed: knobs of every row. within: knobs of every row in one column.
    retune: nuisance knobs that are searched anew for each row and column, `trials` configurations each, under the first
        seed and by `objective`, which way says `direction`; without it they are frozen, and the caption says so.
    of: a search whose best configuration is what the rows vary: the first of its finalists, which is the best on the
        front in the first objective where it has several. take: another rule, by means over seeds, such as
        `Reaching(metric="training/hours", at_most=4.0)` for the best within a budget.
    reported: the paper's values; they are found by the labels of row and column, and stand beside what was measured in
        their statistic: where that is "pooled", the pooled form of a metric is shown as well. metrics: of the test
        stage, the first one ranks and is compared. margin: how far from the reported value still agrees, in units of
        the first metric; None: what is usual for that metric (`medsearch.reporting.metrics`).

    Raises:
        BadInput: a knob or a label does not exist, a value does not fit, a label comes twice.

    """

    name: str
    question: str
    method: Method
    tasks: Mapping[str, Task]
    variants: tuple[Variant, ...]
    references: tuple[Variant, ...] = ()
    seeds: Scaled[tuple[int, ...]]
    selection: Selection | Mapping[str, Selection]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    within: Mapping[str, Knobs] = field(default_factory=dict)
    retune: Mapping[str, Scaled[Domain]] = field(default_factory=dict)
    trials: Scaled[int] = 0
    of: Search | None = None
    take: Rule | None = None
    reported: tuple[Reported, ...] = ()
    metrics: tuple[str, ...] = ("test/dice",)
    objective: str = "validation/dice"
    direction: Direction = "maximize"
    supervised: str = "Target supervised"
    margin: float | None = None
    figure: Figure | None = None
    cost: str = ""

    def __post_init__(self) -> None:
        """Check everything that can be checked without data."""
        require_folder_name(self.name)
        _require_labels(self)
        _require_rules(self)
        here = self.at(self.method.scale) if _scaled(self) else self
        require_seeds(typing.cast("tuple[int, ...]", here.seeds))
        require("margin", PositiveFloat | None, here.margin)
        _require_retuning(here)
        for row, column in here.cells():
            _require_column(here, row, column)
            for knob, domain in here.retune.items():
                for value in typing.cast(Domain, domain).representatives():
                    here.setup(row, column, {knob: value})
        _require_drawable(here)

    @property
    def scale(self) -> str:
        """Which set of sizes the method has."""
        return self.method.scale

    @property
    def rows(self) -> tuple[Variant, ...]:
        """Variants, then references."""
        return (*self.variants, *self.references)

    def row(self, label: str) -> Variant:
        """The row with that label.

        Raises:
            BadInput: there is none; the message names those that are.

        """
        found = next((row for row in self.rows if row.label == label), None)
        if found is None:
            msg = f"no row {label!r} in {self.name}; there are {', '.join(repr(row.label) for row in self.rows)}"
            raise BadInput(msg)
        return found

    def cells(self) -> Iterator[tuple[Variant, str]]:
        """Every row with every column that it is asked of, column by column."""
        for column in self.tasks:
            yield from ((row, column) for row in self.rows if not row.tasks or column in row.tasks)

    def rule(self, column: str) -> Selection:
        """What model selection may see in a column."""
        return self.selection if isinstance(self.selection, str) else self.selection[column]

    def at(self, scale: str) -> "Ablation":
        """The same question in another set of sizes.

        Raises:
            BadInput: no such scale, or a number that is given for other scales only.

        """
        return replace(
            self,
            method=self.method.at(scale),
            tasks={label: sized(task, scale) for label, task in self.tasks.items()},
            variants=tuple(_row_at(row, scale) for row in self.variants),
            references=tuple(_row_at(row, scale) for row in self.references),
            seeds=resolve_scale(self.seeds, scale, "seeds"),
            trials=resolve_scale(self.trials, scale, "trials"),
            fixed=_knobs_at(self.fixed, scale),
            within={column: _knobs_at(of, scale) for column, of in self.within.items()},
            retune=_knobs_at(self.retune, scale),
            of=self.of.at(scale) if self.of else None,
        )

    def declared(self, row: Variant, column: str) -> dict[str, Any]:
        """Every knob that the study sets in a cell: its own, the column's, then the row's."""
        return {**self.fixed, **self.within.get(column, {}), **row.knobs}

    def setup(self, row: Variant, column: str, more: Knobs | None = None, *, base: Knobs | None = None) -> Setup:
        """The task and recipe of a cell. `base`: a search's winner, below all else; `more`: retuned knobs, on top.

        Raises:
            BadInput: no such knob, or a value that does not fit.

        """
        method = row.method or self.method
        return setup(method, self.tasks[column], {**(base or {}), **self.declared(row, column), **(more or {})})

    def pipeline(self, row: Variant, column: str, of: Setup, *, test: bool = True) -> Pipeline:
        """The stages of a cell under its column's selection rule."""
        method = row.method or self.method
        return method.pipeline(of.recipe, selection=self.rule(column), test=test)


def _scaled(ablation: Ablation) -> bool:
    """Whether anything is still given for each scale."""
    tables = [ablation.fixed, *ablation.within.values(), ablation.retune, *(row.knobs for row in ablation.rows)]
    values = [ablation.seeds, ablation.trials, *(value for table in tables for value in table.values())]
    return any(isinstance(value, Mapping) for value in values)


def _row_at(row: Variant, scale: str) -> Variant:
    method = row.method.at(scale) if row.method else None
    return replace(row, knobs=_knobs_at(row.knobs, scale), method=method)


def _knobs_at(of: Mapping[str, Any], scale: str) -> dict[str, Any]:
    return {knob: resolve_scale(value, scale, knob) for knob, value in of.items()}


def _require_labels(ablation: Ablation) -> None:
    labels = [row.label for row in ablation.rows]
    twice = sorted({label for label in labels if labels.count(label) > 1 or not label.strip()})
    if not ablation.variants or not ablation.tasks or twice:
        what = f"row {twice[0]!r} comes twice or is empty" if twice else "it needs at least one variant and one task"
        msg = f"ablation {ablation.name!r}: {what}; give every row its own label"
        raise BadInput(msg)
    if not ablation.metrics:
        msg = f"ablation {ablation.name!r}: metrics=() shows nothing; name at least one of the test stage's"
        raise BadInput(msg)
    for row in ablation.rows:
        for column in row.tasks:
            _require_one_of(column, ablation.tasks, f"row {row.label!r} is asked of the task")
        if row.against:
            _require_one_of(row.against, labels, f"row {row.label!r} is compared with the row")
    for column in ablation.within:
        _require_one_of(column, ablation.tasks, "knobs are given within the task")


def _require_one_of(label: str, known: Any, what: str) -> None:
    if label not in known:
        near = difflib.get_close_matches(label, list(known), n=1, cutoff=0.0)
        msg = f"{what} {label!r}, which does not exist; did you mean {near[0]!r}?"
        raise BadInput(msg)


def _require_rules(ablation: Ablation) -> None:
    given = ablation.selection
    by_column = dict.fromkeys(ablation.tasks, given) if isinstance(given, str) else given
    for column in ablation.tasks:
        rows = [row for row in ablation.rows if not row.tasks or column in row.tasks]
        for row in rows:
            require_rule(row.method or ablation.method, by_column.get(column), where=f" of {column!r}")


def _require_retuning(ablation: Ablation) -> None:
    if ablation.take is not None and ablation.of is None:
        msg = f"ablation {ablation.name!r} takes {ablation.take} of no search; name one in `of`, or leave `take` out"
        raise BadInput(msg)
    trials: int = require("trials", NonNegativeInt, ablation.trials)
    if bool(ablation.retune) != (trials > 0):
        msg = f"retune={list(ablation.retune)!r} with trials={trials}; give a space and a number of trials, or neither"
        raise BadInput(msg)
    for knob, domain in ablation.retune.items():
        if not isinstance(domain, (Uniform, Integers, Choice)):
            msg = f"knob {knob!r} has the domain {domain!r}; use uniform, loguniform, integers or choice"
            raise BadInput(msg)
        varied = [row.label for row in ablation.rows if knob in row.knobs]
        if varied:
            msg = f"knob {knob!r} is retuned, but row {varied[0]!r} sets it; a knob has one role"
            raise BadInput(msg)


def _require_column(ablation: Ablation, row: Variant, column: str) -> None:
    """Refuse a row that does not hold in a column, or that puts its question to another data set."""
    theirs, ours = ablation.setup(row, column).task.layout, ablation.tasks[column].layout
    if theirs != ours:
        msg = f"row {row.label!r} sets task.layout to {theirs!r} in the column {column!r} of {ours!r}; make it a column"
        raise BadInput(msg)


def _require_drawable(ablation: Ablation) -> None:
    """Refuse curves over a knob that does not exist."""
    if isinstance(ablation.figure, Curves):
        here = ablation.setup(*next(ablation.cells()))
        known = {*(f"task.{knob}" for knob in knobs(here.task)), *knobs(here.recipe)}
        _require_one_of(ablation.figure.x, known, "the figure's curves run over the knob")
