"""An ablation: rows x columns x seeds, as data that is checked when the file is loaded.

A row is a variant of the method, a column a task. A value that depends on the scale is written as a mapping, {"tiny":
1, "paper": 3}; `at` settles it.
"""

import difflib
import typing
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.ranges import NonNegativeInt, PositiveFloat, require
from medsearch.core.recipes import knobs
from medsearch.core.reported import Reported
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Pipeline
from medsearch.study.declare.rules import Rule
from medsearch.study.declare.search import Search
from medsearch.study.declare.setups import (
    Scaled,
    Setup,
    require_folder_name,
    require_rule,
    require_seeds,
    resolve_knobs,
    resolve_scale,
    setup,
    sized,
)
from medsearch.study.declare.spaces import Domain, require_domains
from medsearch.study.declare.variants import Variant
from medsearch.study.record.headers import Direction, Knobs

Panel = Literal["translations", "residuals", "predictions", "attention", "self_training", "pairs", "unpaired"]


@final
@dataclass(frozen=True, kw_only=True)
class GroupedBars:
    """A figure of bars: a group for each column, a bar for each row. title: above it; empty: none."""

    title: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Curves:
    """A figure of curves: one plot for each column, a curve for each `line` of the rows.

    x: the dotted path of the knob whose values stand on the horizontal axis. title: above it; empty: none.
    """

    x: str
    title: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Panels:
    """A figure of test cases, side by side.

    kinds: what is shown of a case. title: above it; empty: none.
    across: the image of a case, such as "made", that stands there once for every row of the table, so that methods are
    seen side by side; empty: every row has lines of its own.
    """

    kinds: tuple[Panel, ...]
    title: str = ""
    across: str = ""


Figure = GroupedBars | Curves | Panels


@final
@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Variants of a method on tasks under seeds: a published table, or a figure.

    name: of the study's folder. question: in a sentence, above the report. cost: in words, what a run of it takes.
    tasks: columns by label. variants: rows, in the table's order. references: rows that the paper's table has not, such
        as the target-supervised model that shares are taken of (`supervised` is its label).
    seeds: every cell is trained and tested under each.
    selection: what model selection may see, one rule or one for each column.
    fixed: knobs of every row. within: knobs of every row in one column.
    retune: nuisance knobs that are searched anew for each row and column, `trials` configurations each, under the first
        seed and by `objective`, which way says `direction`; without it they are frozen, and the caption says so.
    of: a search whose best configuration is what the rows vary: the first of its finalists, which is the best on the
        front in the first objective where it has several. take: another rule, by means over seeds, such as
        `Reaching(metric="training/hours", at_most=4.0)` for the best within a budget.
    reported: the paper's values; they are found by the labels of row and column, and stand beside what was measured in
        their statistic: where that is "pooled", the pooled form of a metric is shown as well.
    metrics: of the test stage; the first one ranks and is compared.
    margin: how far from the reported value still agrees, in units of the first metric; None: what is usual for that
        metric (`medsearch.reporting.metrics`).
    figure: how the paper draws it; None: as a table alone.

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
        by_column = dict.fromkeys(self.tasks, self.selection) if isinstance(self.selection, str) else self.selection
        for row, column in self.cells():
            require_rule(row.method or self.method, by_column.get(column), where=f" of {column!r}")
        tables = [self.fixed, *self.within.values(), self.retune, *(row.knobs for row in self.rows)]
        values = [self.seeds, self.trials, *(value for table in tables for value in table.values())]
        here = self.at(self.scale) if any(isinstance(value, Mapping) for value in values) else self
        require_seeds(typing.cast("tuple[int, ...]", here.seeds))
        require("margin", PositiveFloat | None, here.margin)
        _require_retuning(here)
        for row, column in here.cells():
            theirs, ours = here.setup(row, column).task.layout, here.tasks[column].layout
            if theirs != ours:
                msg = (
                    f"row {row.label!r} sets task.layout to {theirs!r} in the column {column!r} of {ours!r}; make it a "
                    "column"
                )
                raise BadInput(msg)
            for knob, domain in here.retune.items():
                for value in typing.cast(Domain, domain).representatives():
                    here.setup(row, column, {knob: value})
        if isinstance(here.figure, Curves):
            first = here.setup(*next(here.cells()))
            known = {*(f"task.{knob}" for knob in knobs(first.task)), *knobs(first.recipe)}
            _require_one_of(here.figure.x, known, "the figure's curves run over the knob")

    @property
    def scale(self) -> str:
        """Which set of sizes the method has: tiny, small or paper."""
        return self.method.scale

    @property
    def rows(self) -> tuple[Variant, ...]:
        """All rows: the variants, then the references, in the order of the table."""
        return (*self.variants, *self.references)

    def row(self, label: str) -> Variant:
        """The row with that label.

        Raises:
            BadInput: there is none; the message names those that are.

        """
        for row in self.rows:
            if row.label == label:
                return row
        msg = f"no row {label!r} in {self.name}; there are {', '.join(repr(row.label) for row in self.rows)}"
        raise BadInput(msg)

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
            variants=tuple(row.at(scale) for row in self.variants),
            references=tuple(row.at(scale) for row in self.references),
            seeds=resolve_scale(self.seeds, scale, "seeds"),
            trials=resolve_scale(self.trials, scale, "trials"),
            fixed=resolve_knobs(self.fixed, scale),
            within={column: resolve_knobs(knobs, scale) for column, knobs in self.within.items()},
            retune=resolve_knobs(self.retune, scale),
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

    def setups(self) -> Iterator[Setup]:
        """The setups between which tasks may differ: each cell as it stands, and at the edges of what is retuned."""
        edges = [{knob: v} for knob, domain in self.retune.items() for v in typing.cast(Domain, domain).edges()]
        for row, column in self.cells():
            for retuned in ({}, *edges):
                yield self.setup(row, column, retuned)

    def pipeline(self, row: Variant, column: str, of: Setup, *, test: bool = True) -> Pipeline:
        """The stages of a cell under its column's selection rule; without `test` those that read no test case."""
        method = row.method or self.method
        return method.pipeline(of.recipe, selection=self.rule(column), test=test)


def _require_labels(ablation: Ablation) -> None:
    """Refuse a table without rows, columns or metrics, and labels that come twice or that nothing has."""
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


def _require_one_of(label: str, known: Collection[str], what: str) -> None:
    if label not in known:
        near = difflib.get_close_matches(label, list(known), n=1, cutoff=0.0)
        msg = f"{what} {label!r}, which does not exist; did you mean {near[0]!r}?"
        raise BadInput(msg)


def _require_retuning(ablation: Ablation) -> None:
    """Refuse a rule without a search to take from, trials without a space, and a knob with two roles."""
    if ablation.take is not None and ablation.of is None:
        msg = f"ablation {ablation.name!r} takes {ablation.take} of no search; name one in `of`, or leave `take` out"
        raise BadInput(msg)
    trials: int = require("trials", NonNegativeInt, ablation.trials)
    if bool(ablation.retune) != (trials > 0):
        msg = f"retune={list(ablation.retune)!r} with trials={trials}; give a space and a number of trials, or neither"
        raise BadInput(msg)
    require_domains(ablation.retune)
    for knob in ablation.retune:
        varied = [row.label for row in ablation.rows if knob in row.knobs]
        if varied:
            msg = f"knob {knob!r} is retuned, but row {varied[0]!r} sets it; a knob has one role"
            raise BadInput(msg)
