"""What an ablation found, as plain data: all that tables, figures and the page need, and nothing they look up.

Rows x columns x seeds. A cell has a replicate for every planned seed, in whatever state; a cell without replicates was
not asked for. Every field may be filled at any moment: the report of a study that has just begun says so.

Rows that share a stage under a seed share its luck: their difference is the better known for it, and their spreads over
seeds are not independent. `shared` says which do, `spent` what that saved.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from medsearch.core.reported import Reported
from medsearch.reporting.metrics import DERIVED, metric_of, pooled, short
from medsearch.reporting.results import Picture, Provenance, Replicate, RunState
from medsearch.reporting.wording import KnobName, knob_names, listed
from medsearch.stages.code import Trained
from medsearch.stages.method import Selection
from medsearch.study.record.headers import Base, Figure, Knobs, Retuning, Row


@dataclass(frozen=True, kw_only=True)
class Column:
    """A task of the table, with the data that it stands on."""

    label: str
    direction: str  # "t1 → t2"
    layout: str  # "brats2020"
    selection: Selection
    provenance: Provenance
    task: Knobs = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row in a column."""

    row: str
    column: str
    replicates: tuple[Replicate, ...] = ()  # in the order of the seeds; none: this row is not asked of this column
    knobs: Knobs = field(default_factory=dict)  # all that the study set, under the first seed

    @property
    def asked(self) -> bool:
        """Whether the study asks for it."""
        return bool(self.replicates)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration of the nuisance knobs that a row was re-tuned over."""

    row: str
    column: str
    number: int
    knobs: Knobs
    value: float | None = None
    chosen: bool = False
    reason: str | None = None  # why it has no value


@dataclass(frozen=True, kw_only=True)
class Run:
    """A distinct stage run; `owners` are the (row, column) that ask for it."""

    node: str
    key: str
    seed: int
    state: RunState
    owners: tuple[tuple[str, str], ...] = ()
    asked: int = 0  # cells and candidates that ask for it
    seconds: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A picture that a test stage stored for a figure of panels."""

    row: str
    column: str
    kind: str  # "translations", "residuals", "attention", ...
    subject: str
    what: str  # the column of its panel: "source", "translated", ...
    path: str  # from the report's folder
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Design:
    """The ablation as the study file declares it."""

    study: str
    question: str
    method: str
    scale: str
    seeds: tuple[int, ...]
    cost: str = ""
    metrics: tuple[str, ...] = ("test/dice",)  # the first is what the margin is of
    margin: float | None = None  # of that metric; None: its usual one
    supervised: str = ""  # label of the row that shares are taken of
    fixed: Knobs = field(default_factory=dict)
    within: Mapping[str, Knobs] = field(default_factory=dict)  # column -> knobs of every row in it
    retuning: Retuning | None = None
    objective: str = ""  # that configurations of a re-tuned row are chosen by
    base: Base | None = None
    reported: tuple[Reported, ...] = ()
    figure: Figure = field(default_factory=Figure)


@dataclass(frozen=True, kw_only=True)
class AblationResults:
    """An ablation, finished or not."""

    design: Design
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    cells: tuple[Cell, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    runs: tuple[Run, ...] = ()
    pictures: tuple[Picture, ...] = ()
    pictures_left_out: int = 0
    tiles: tuple[Tile, ...] = ()
    trained: tuple[Trained, ...] = ()  # by which code its stages were

    def cell(self, row: str, column: str) -> Cell:
        """The cell; one that is not asked for is empty."""
        return self._cells.get((row, column), Cell(row=row, column=column))

    def row(self, label: str) -> Row | None:
        """The row with that label."""
        return next((row for row in self.rows if row.label == label), None)

    def rows_of(self, column: str) -> tuple[Row, ...]:
        """The rows that are asked of a column."""
        return tuple(row for row in self.rows if self.cell(row.label, column).asked)

    def metrics_of(self, column: str) -> tuple[str, ...]:
        """The metrics of a column: the study's, each with its pooled form behind it where the paper's values are so."""
        found = ((metric, pooled(metric)) for metric in self.design.metrics)
        pairs = (
            (metric, form if form and self._prints_pooled(column, short(metric)) else "") for metric, form in found
        )
        return tuple(dict.fromkeys(metric for pair in pairs for metric in pair if metric))

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all columns."""
        return tuple(dict.fromkeys(metric for column in self.columns for metric in self.metrics_of(column.label)))

    def _prints_pooled(self, column: str, metric: str) -> bool:
        """Whether the paper prints a pooled value of `metric` for a column, or for the mean over columns."""
        others = {other.label for other in self.columns} - {column}
        names = {metric, *(DERIVED if metric_of(metric).ratio else ())}
        return any(
            value.statistic == "pooled" and value.metric in names and value.column not in others
            for value in self.design.reported
        )

    def named(self, columns: Iterable[str]) -> str:
        """Columns as a sentence names them."""
        labels = tuple(columns)
        return f"all {len(labels)} columns" if 2 < len(labels) == len(self.columns) else listed(labels)

    @property
    def replicates(self) -> tuple[Replicate, ...]:
        """Every replicate of every cell."""
        return tuple(replicate for cell in self.cells for replicate in cell.replicates)

    @cached_property
    def _cells(self) -> dict[tuple[str, str], Cell]:
        return {(cell.row, cell.column): cell for cell in self.cells}


Owner = tuple[str, str]
"""The labels of row and column."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Rows that stand on the same run of these nodes under each of these seeds."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    nodes: tuple[str, ...]
    seeds: tuple[int, ...]

    def words(self, of: AblationResults) -> str:
        """The note under the table."""
        when = f"under seed{'s' * (len(self.seeds) > 1)} {listed(self.seeds)}"
        when = "seed by seed" if self.seeds == of.design.seeds else when
        what = f"{listed(self.nodes)} {when}"
        if len(self.rows) == 1:
            return f"“{self.rows[0]}” shares {what} between {of.named(self.columns)}."
        return f"Rows {listed(f'“{row}”' for row in self.rows)} share {what} ({of.named(self.columns)})."


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What sharing saved, in seconds of the stage runs that are stored."""

    asked: int
    distinct: int
    alone: float
    shared: float

    @property
    def saved(self) -> float:
        """The share of the time that was not spent; 0 before anything is stored."""
        return 1 - self.shared / self.alone if self.alone else 0.0


def names_of(results: AblationResults) -> dict[str, KnobName]:
    """The short name of every knob that the results mention."""
    design = results.design
    tables = [design.fixed, *design.within.values(), *(row.knobs for row in results.rows)]
    tables += [design.retuning.space] if design.retuning else []
    tables += [design.base.knobs] if design.base else []
    return knob_names(path for table in tables for path in table)


def shared(results: AblationResults) -> tuple[Shared, ...]:
    """Groups of rows by the stage runs that they have in common, the largest groups first."""
    owners: dict[str, dict[Owner, None]] = {}
    about: dict[str, tuple[str, int]] = {}
    for cell in results.cells:
        for replicate in cell.replicates:
            for node, key in replicate.stages:
                owners.setdefault(key, {})[cell.row, cell.column] = None
                about.setdefault(key, (node, replicate.seed))
    groups: dict[tuple[Owner, ...], dict[str, set[int]]] = {}
    for key, found in owners.items():
        if len(found) > 1:
            node, seed = about[key]
            groups.setdefault(tuple(found), {}).setdefault(node, set()).add(seed)
    return tuple(_merged(_by_seeds(groups)))


def _by_seeds(groups: Mapping[tuple[Owner, ...], Mapping[str, set[int]]]) -> Iterable[Shared]:
    for owners, nodes in groups.items():
        rows, columns = (tuple(dict.fromkeys(part)) for part in zip(*owners, strict=True))
        for seeds in dict.fromkeys(tuple(sorted(seeds)) for seeds in nodes.values()):
            names = tuple(node for node, under in nodes.items() if tuple(sorted(under)) == seeds)
            yield Shared(rows=rows, columns=columns, nodes=names, seeds=seeds)


def _merged(of: Iterable[Shared]) -> list[Shared]:
    """The same rows with the same nodes in several columns are one group; more rows come first."""
    merged: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]], list[str]] = {}
    for one in of:
        columns = merged.setdefault((one.rows, one.nodes, one.seeds), [])
        columns += [column for column in one.columns if column not in columns]
    found = [
        Shared(rows=rows, columns=tuple(columns), nodes=nodes, seeds=seeds)
        for (rows, nodes, seeds), columns in merged.items()
    ]
    return sorted(found, key=lambda one: -len(one.rows))


def spent(results: AblationResults) -> Spent:
    """Over the stage runs that are finished."""
    done = [run for run in results.runs if run.state == "complete" and run.seconds is not None]
    return Spent(
        asked=sum(run.asked for run in done),
        distinct=len(done),
        alone=sum((run.seconds or 0.0) * run.asked for run in done),
        shared=sum(run.seconds or 0.0 for run in done),
    )
