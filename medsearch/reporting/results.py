"""What a study has come to, whatever its kind, as plain data: tables, charts and pages need no more than this.

    SearchResults    trials, and a table of finalists and references (rows) x one column x seeds
    AblationResults  a table of rows x columns x seeds, and the stage runs behind it
    StagedResults    groups of knobs and a refinement, each with the `SearchResults` of its own search

A cell of a table is a `Replicate` under every seed. What a part of a header has come to is named after it: `Group` and
`GroupResults`. Every field may be filled at any moment: a study that has just begun has few trials and replicates, and
its report says so. `storage` writes these classes to results.json field by field, so names and order are its format.

A score that is not finite (a diverged run) is None. Metrics of the test stage are named `test/dice`; per-case values
stand under the same name without `test/`. Scores are maximised, unless a design says `minimised`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from medsearch.core.reported import Reported, Unit
from medsearch.reporting.metrics import DERIVED, full_heading, full_words, metric_of, pooled, short
from medsearch.reporting.wording import listed
from medsearch.stages.code import Trained
from medsearch.stages.method import Selection
from medsearch.study.record.headers import (
    Axis,
    Base,
    Bound,
    Figure,
    Frozen,
    Knobs,
    Retuning,
    Row,
    Scheduler,
    Skipped,
    Stages,
    Truth,
)
from medsearch.study.record.ledger import State

RunState = State | Literal["waiting"]
TITLES = {
    "translations": "Translations",
    "residuals": "Residuals",
    "predictions": "Predicted over true masks",
    "self_training": "Before and after self-training",
    "attention": "Attention of the most confident heads",
    "attention_translation": "Attention of the most confident heads, translation",
    "attention_segmentation": "Attention of the most confident heads, segmentation",
}
"""What pictures stand under that stages store, by file name without its suffix, in the order of a page.

Others follow under their own names.
"""


def digest(path: Path) -> bytes:
    """By which pictures that are the same are known; empty where there is none."""
    return blake2b(path.read_bytes()).digest() if path.exists() else b""


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """One run of a row, tested: the same knobs under one seed."""

    seed: int
    state: RunState = "complete"
    value: float | None = None  # by the selection rule, on validation cases
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # "test/dice", "test/dice_micro", "test/assd" mm
    cases: tuple[Mapping[str, Any], ...] = ()  # one per test case: "subject", "dice", "assd" (mm; None if undefined)
    seconds: float | None = None
    reason: str | None = None  # failed replicates: one line
    cause: str | None = None  # the failure's kind: "diverged", "out of memory", ...
    stages: Stages = ()  # (node, key), upstream first
    unit: Unit = ""  # what is scored of a test case, as its test stage says; empty for images
    unscored: int = 0  # test cases that have no mask
    values: tuple[float, ...] = ()  # of all objectives, `value` first; empty where there is one
    forms: Mapping[str, str] = field(default_factory=dict)  # metric -> by which convention, as its test stage says
    given: Mapping[str, float] = field(default_factory=dict)  # the same scores of what the method was given, unchanged


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image file to show. Pictures with one title stand together."""

    title: str
    path: str  # png, jpg or svg, from the report's folder (then it moves with it) or the working directory
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where numbers come from: the cohort, the scale and the code of a study, or of an ablation's column."""

    cohort: str
    phantom: bool  # synthetic subjects: the numbers are no reproduction of anything
    subjects: int
    data_fingerprint: str
    scale: str  # "tiny", "small", "paper"
    git_commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)  # package -> version
    machine: str = ""
    created: str = ""  # when the report was made, ISO 8601
    skipped: tuple[Skipped, ...] = ()
    truth: Truth = "labels"


# A search.


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A configuration that the sampler proposed. Its curve is of the metric that ranks, by the searched stage."""

    number: int
    knobs: Knobs  # the searched ones
    state: State
    value: float | None = None  # what the sampler was told; for a cut trial its last value
    values: tuple[float, ...] = ()  # of all objectives, `value` first; empty where there is one
    curve: tuple[tuple[int, float], ...] = ()  # (epoch, value), epochs ascending
    seconds: float | None = None
    rung: int | None = None  # cut trials: the epoch at which the scheduler stopped it
    reason: str | None = None  # failed trials: one line

    @property
    def points(self) -> tuple[tuple[int, float], ...]:
        """The curve without epochs whose value is not a finite number."""
        return tuple((epoch, value) for epoch, value in self.curve if value is not None and math.isfinite(value))


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """A trial that is repeated over seeds."""

    number: int  # of the trial
    knobs: Knobs
    replicates: tuple[Replicate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReferenceResults:
    """A row to compare with, which the search did not tune."""

    label: str
    replicates: tuple[Replicate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a paper reports for a knob."""

    value: Any
    where: str = ""  # "thesis, section 5.5.1"


@dataclass(frozen=True, kw_only=True)
class SearchDesign:
    """A search as its file declares it."""

    study: str
    question: str
    method: str
    task: str  # "t1 → t2"
    selection: Selection
    cost: str = ""
    sampler: str = ""
    scheduler: Scheduler = field(default_factory=Scheduler)
    trials: int  # planned
    finalists: int  # planned
    seeds: tuple[int, ...]  # planned, for finalists and references
    space: Mapping[str, Axis] = field(default_factory=dict)  # searched knobs
    nuisance: tuple[str, ...] = ()  # those of them that are tuned but not asked about
    fixed: Knobs = field(default_factory=dict)  # knobs that the study set and froze
    shared_stages: tuple[str, ...] = ()  # trained once, the same for every trial
    weights: tuple[str, ...] = ()  # loss weights of which only the ratios act
    published: Mapping[str, Published] = field(default_factory=dict)  # knob -> what the paper reports
    no_adaptation: str = "No adaptation"  # labels of the two references that the answer speaks of
    supervised: str = "Target supervised"
    objective: str = "validation/dice"  # the metric that ranks
    minimised: bool = False
    objectives: Mapping[str, str] = field(default_factory=dict)  # all, with their directions, where there are several
    rule: str = ""  # of a group of a staged search: which trial is frozen
    frozen: int | None = None  # the number of that trial, once it is known
    scored_stage: str = ""  # whose metric it is, if not the last one's: then nothing of the search is tested

    @property
    def sign(self) -> int:
        """What values are multiplied with so that the highest is the best."""
        return -1 if self.minimised else 1

    @property
    def value_name(self) -> str:
        """The metric that ranks, as a heading: `Validation Dice`."""
        return full_heading(self.objective) + (f" of {self.scored_stage}" if self.scored_stage else "")

    @property
    def value_words(self) -> str:
        """The metric that ranks, within a sentence: `validation Dice`."""
        return full_words(self.objective) + (f" of {self.scored_stage}" if self.scored_stage else "")

    @property
    def value_digits(self) -> int:
        """How many digits the metric that ranks has after the point."""
        return metric_of(self.objective).digits

    @property
    def several(self) -> bool:
        """Whether the search looks for a front and not for one best configuration."""
        return len(self.objectives) > 1


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """A search, finished or not. Test metrics exist for finalists and references only."""

    design: SearchDesign
    provenance: Provenance
    trials: tuple[Trial, ...] = ()
    importances: Mapping[str, float] = field(default_factory=dict)  # knob -> share, computed by the study floor
    no_importances: str = ""  # why there are none
    finalists: tuple[Finalist, ...] = ()
    references: tuple[ReferenceResults, ...] = ()
    pictures: tuple[Picture, ...] = ()
    trained: tuple[Trained, ...] = ()  # by which code its stages were

    def trial(self, number: int) -> Trial | None:
        """The trial with that number; None while the ledger has none."""
        return next((trial for trial in self.trials if trial.number == number), None)

    def reference(self, label: str) -> ReferenceResults | None:
        """The reference row with that label; None if the search has none."""
        return next((reference for reference in self.references if reference.label == label), None)

    def in_state(self, state: State) -> tuple[Trial, ...]:
        """The trials in that state, by number."""
        return tuple(sorted((t for t in self.trials if t.state == state), key=lambda trial: trial.number))

    @property
    def replicates(self) -> tuple[Replicate, ...]:
        """Those of all finalists, then those of all references."""
        rows: tuple[Finalist | ReferenceResults, ...] = (*self.finalists, *self.references)
        return tuple(run for row in rows for run in row.replicates)


# An ablation.


@dataclass(frozen=True, kw_only=True)
class ColumnResults:
    """A task of the table, with the data that it stands on."""

    label: str
    direction: str  # "t1 → t2"
    layout: str  # "brats2020"
    selection: Selection
    provenance: Provenance
    task: Knobs = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CellResults:
    """A row in a column: a replicate for every planned seed, in whatever state."""

    row: str
    column: str
    replicates: tuple[Replicate, ...] = ()  # in the order of the seeds; none: this row is not asked of this column
    knobs: Knobs = field(default_factory=dict)  # all that the study set, under the first seed

    @property
    def asked(self) -> bool:
        """Whether the study asks for this row in this column."""
        return bool(self.replicates)


@dataclass(frozen=True, kw_only=True)
class CandidateResults:
    """A configuration of the nuisance knobs that a row was re-tuned over."""

    row: str
    column: str
    number: int
    knobs: Knobs
    value: float | None = None
    chosen: bool = False
    reason: str | None = None  # why it has no value


@dataclass(frozen=True, kw_only=True)
class StageRunResults:
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
class AblationDesign:
    """An ablation as its file declares it."""

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
    """An ablation, finished or not: a table of rows x columns x seeds, with the stage runs behind it."""

    design: AblationDesign
    columns: tuple[ColumnResults, ...]
    rows: tuple[Row, ...]
    cells: tuple[CellResults, ...] = ()
    candidates: tuple[CandidateResults, ...] = ()
    runs: tuple[StageRunResults, ...] = ()
    pictures: tuple[Picture, ...] = ()
    pictures_left_out: int = 0
    tiles: tuple[Tile, ...] = ()
    trained: tuple[Trained, ...] = ()  # by which code its stages were

    @cached_property
    def _cells(self) -> dict[tuple[str, str], CellResults]:
        return {(cell.row, cell.column): cell for cell in self.cells}

    def cell(self, row: str, column: str) -> CellResults:
        """The cell with these labels; one that is not asked for is empty."""
        return self._cells.get((row, column), CellResults(row=row, column=column))

    def row(self, label: str) -> Row | None:
        """The row with that label; None if the table has none."""
        return next((row for row in self.rows if row.label == label), None)

    def rows_of(self, column: str) -> tuple[Row, ...]:
        """The rows that are asked of a column."""
        return tuple(row for row in self.rows if self.cell(row.label, column).asked)

    def metrics_of(self, column: str) -> tuple[str, ...]:
        """The metrics of a column: the study's, each with its pooled form behind it where the paper's values are so.

        They are where the paper prints a pooled value for the column, or for the mean over columns.
        """
        others = {other.label for other in self.columns} - {column}
        printed = {v.metric for v in self.design.reported if v.statistic == "pooled" and v.column not in others}
        shown: list[str] = []
        for metric in self.design.metrics:
            names = {short(metric), *(DERIVED if metric_of(metric).ratio else ())}
            form = pooled(metric) if names & printed else ""
            shown += [metric, *([form] if form else [])]
        return tuple(dict.fromkeys(shown))

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Those of every column (`metrics_of`), each once."""
        return tuple(dict.fromkeys(metric for column in self.columns for metric in self.metrics_of(column.label)))

    def named(self, columns: Iterable[str]) -> str:
        """Labels of columns within a sentence: `a and b`, or `all 12 columns`."""
        labels = tuple(columns)
        return f"all {len(labels)} columns" if 2 < len(labels) == len(self.columns) else listed(labels)

    @property
    def replicates(self) -> tuple[Replicate, ...]:
        """Those of all cells, cell by cell."""
        return tuple(replicate for cell in self.cells for replicate in cell.replicates)


# A staged search.


@dataclass(frozen=True, kw_only=True)
class GroupResults:
    """A group of knobs, and its search as far as it has come; None before it has begun."""

    name: str
    study: str
    metric: str
    minimised: bool = False
    scored_stage: str = ""
    space: Mapping[str, Axis] = field(default_factory=dict)
    fixed: Knobs = field(default_factory=dict)  # of this group alone
    trials: int  # planned
    rule: str
    bound: Bound | None = None  # of the rule, if it has one
    frozen: Frozen | None = None
    overtaken: str = ""  # what would be frozen by now, since a run that had failed was repeated
    search: SearchResults | None = None


@dataclass(frozen=True, kw_only=True)
class RefinementResults:
    """The joint search around the frozen point, None before it has begun or while it stands on another point."""

    study: str
    metric: str
    minimised: bool = False
    trials: int  # planned
    factor: float
    knobs: tuple[str, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)  # of its best, those that groups have bounds of
    search: SearchResults | None = None


@dataclass(frozen=True, kw_only=True)
class StagedDesign:
    """A staged search as its file declares it."""

    study: str
    question: str
    method: str
    task: str  # "t1 → t2"
    selection: Selection
    cost: str = ""
    seeds: tuple[int, ...]
    fixed: Knobs = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    published: Mapping[str, Any] = field(default_factory=dict)
    published_in: str = ""


@dataclass(frozen=True, kw_only=True)
class StagedResults:
    """A staged search, finished or not. refused: why it cannot go on, such as a group that could not be frozen."""

    design: StagedDesign
    provenance: Provenance
    groups: tuple[GroupResults, ...]
    refinement: RefinementResults | None = None
    refused: str = ""
    trained: tuple[Trained, ...] = ()  # by which code the stages of its searches were

    @property
    def point(self) -> dict[str, Any]:
        """The values of all knobs that are frozen."""
        return {knob: value for group in self.groups if group.frozen for knob, value in group.frozen.knobs.items()}

    @property
    def next(self) -> GroupResults | None:
        """The first group that is not frozen."""
        return next((group for group in self.groups if group.frozen is None), None)

    @property
    def last(self) -> SearchResults | None:
        """The search that tested last: the refinement, or without one that of the last group."""
        return self.refinement.search if self.refinement else self.groups[-1].search


Results = SearchResults | AblationResults | StagedResults
