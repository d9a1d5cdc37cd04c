"""What a study writes down of itself, so that reports, tracking and a later run need nothing else.

    SearchHeader       space, scheduler, references, and which trials were chosen
    AblationHeader     columns, rows, every cell and candidate with the keys of its stage runs
    StagedHeader       groups of knobs, each with the study that searches it, and what it froze
    Started, Finished  a line of the ledger: a run begins, a run has ended
    Recovered          a line of the ledger: what faulty lines said stands in others

A header is one file, an event is one line. Their fields are named and typed here and nowhere else (`core.codec`). Knobs
are mappings from a dotted path to a value; values, tasks and recipes stand in them as JSON knows them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

from medsearch.core.codec import decoded, encoded, validated
from medsearch.core.errors import Damaged
from medsearch.core.paths import unsafe_part
from medsearch.core.records import intact, parsed_line, read_record
from medsearch.core.reported import Reported
from medsearch.stages.code import Code
from medsearch.stages.method import Selection

HEADER_REMEDY = "run its study again: the header is set aside and brought back from its copy"

FROZEN = "Frozen"
"""Label of the row that the refinement of a staged search is compared with: the frozen point under every seed."""

Knobs = Mapping[str, Any]
Number = int | float
"""As it was declared: 8 is written as 8, and read as that."""
Direction = Literal["maximize", "minimize"]
Truth = Literal["labels", "pairs"]
"""What cases are scored by, and an oracle sees: outlines, or the image that should have been made."""
Role = Literal["prefix", "trial", "replicate", "reference", "stage"]
Ended = Literal["complete", "cut", "failed"]
Stages = tuple[tuple[str, str], ...]
"""(node, key) of stage runs, each after what it takes."""


@final
@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A case that was left out because its files are faulty."""

    subject: str
    problem: str


@final
@dataclass(frozen=True, kw_only=True)
class About:
    """On which data, by which code and where a study runs.

    cohort: its name. phantom: its subjects are synthetic. truth: what its cases are scored by, outlines or the image
    that should have been made.
    """

    cohort: str
    phantom: bool
    truth: Truth = "labels"
    skipped: tuple[Skipped, ...] = ()
    git_commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Axis:
    """The domain of a knob: an interval, or `options`, which have no order."""

    domain: Literal["uniform", "integers", "choice"] = "uniform"
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    options: tuple[Any, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """What may stop a trial early, and why the study believes that it may.

    grace: epochs before the first rung. reduction: ASHA keeps the best 1/reduction at each rung.
    """

    name: Literal["none", "asha", "median"] = "none"
    because: str = ""
    grace: int | None = None
    reduction: int | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Reference:
    """A row to compare with, which the search does not tune."""

    label: str
    knobs: Knobs = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the headers of all kinds of study have.

    cost: in words, what a run of it takes. commit: of the code that it last ran on; code: that of every stage, by name.
    identity: what a study cannot change and stay the same study, each part as a fingerprint. begun: Unix seconds.
    """

    name: str
    question: str = ""
    cost: str = ""
    method: str = ""
    scale: str = ""
    seeds: tuple[int, ...]
    fixed: Knobs
    commit: str | None = None
    code: Mapping[str, Code] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    begun: float = 0.0


@dataclass(frozen=True, kw_only=True)
class OneTaskHeader(Header):
    """Of a study on one task. cohort: the fingerprint of its files."""

    selection: Selection
    task: Mapping[str, Any]
    layout: str = ""
    cohort: str
    subjects: int
    about: About
    published: Knobs = field(default_factory=dict)
    published_in: str = ""
    weights: tuple[str, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class SearchHeader(OneTaskHeader):
    """A search. The first of the objectives ranks.

    space, nuisance: searched knobs, and those tuned along with them. start: values of the first trial. freeze, frozen:
    of a group of a staged search, the rule, and the number of the trial that it freezes. scored_stage: whose metric
    ranks, if not the last one's: then nothing is tested. chosen: trials that were repeated over the seeds.
    """

    kind: Literal["search"] = "search"
    space: Mapping[str, Axis]
    nuisance: Mapping[str, Axis]
    sampler: str = ""
    scheduler: Scheduler
    start: Knobs = field(default_factory=dict)
    searched_stage: str = ""
    scored_stage: str = ""
    shared_stages: tuple[str, ...] = ()
    objectives: Mapping[str, Direction]
    freeze: str = ""
    frozen: int | None = None
    trials: int
    finalists: int
    references: tuple[Reference, ...]
    chosen: tuple[int, ...] = ()

    @property
    def metric(self) -> str:
        """The metric that ranks trials: the first of the objectives."""
        return next(iter(self.objectives))


@final
@dataclass(frozen=True, kw_only=True)
class Column:
    """A task of an ablation, with the data that it stands on."""

    label: str
    task: Mapping[str, Any]
    layout: str
    selection: Selection
    cohort: str
    subjects: int
    about: About


@final
@dataclass(frozen=True, kw_only=True)
class Row:
    """A variant of the method, or a reference. against: the label of the row that it is compared with.

    columns: that it is asked of. line: in a figure of curves, the curve that it is a point of.
    """

    label: str
    kind: Literal["variant", "reference"] = "variant"
    knobs: Knobs = field(default_factory=dict)
    against: str = ""
    columns: tuple[str, ...] = ()
    method: str = ""
    line: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row in a column under a seed. knobs: all that the study set."""

    row: str
    column: str
    seed: int
    knobs: Knobs
    stages: Stages


@final
@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration of a row's nuisance knobs. value: of node `scored`, once that has ended."""

    row: str
    column: str
    number: int
    knobs: Knobs
    stages: Stages
    scored: str = ""
    value: float | None = None
    chosen: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Retuning:
    """Nuisance knobs that every row was given anew, and how many configurations each."""

    space: Mapping[str, Axis]
    trials: int


@final
@dataclass(frozen=True, kw_only=True)
class Base:
    """The configuration that the rows vary, where a search found it."""

    study: str
    trial: int
    knobs: Knobs = field(default_factory=dict)


@final
@dataclass(frozen=True, kw_only=True)
class Figure:
    """How the paper draws it. x: of curves, the knob. kinds: of panels; across: the image that has a column a row."""

    kind: Literal["bars", "curves", "panels"] = "bars"
    title: str = ""
    x: str = ""
    kinds: tuple[str, ...] = ()
    across: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class AblationHeader(Header):
    """An ablation. margin: of the first metric, within which rows are alike; None: its usual one.

    supervised: label of the row that shares are taken of. within: knobs of every row, by column.
    """

    kind: Literal["ablation"] = "ablation"
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    metrics: tuple[str, ...] = ()
    objective: str = ""
    supervised: str = ""
    margin: Number | None = None
    within: Mapping[str, Knobs] = field(default_factory=dict)
    retune: Retuning | None = None
    of: Base | None = None
    reported: tuple[Reported, ...]
    figure: Figure | None = None
    cells: tuple[Cell, ...]
    candidates: tuple[Candidate, ...]

    @cached_property
    def owners(self) -> Mapping[str, tuple[Cell | Candidate, ...]]:
        """By the key of a stage run, the cells and candidates that ask for it."""
        by_key: dict[str, list[Cell | Candidate]] = {}
        owners: tuple[Cell | Candidate, ...] = (*self.cells, *self.candidates)
        for owner in owners:
            for key in dict.fromkeys(key for _, key in owner.stages):
                by_key.setdefault(key, []).append(owner)
        return {key: tuple(owning) for key, owning in by_key.items()}

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes of all pipelines, roughly in their order."""
        longest_first = sorted(self.cells, key=lambda cell: -len(cell.stages))
        return tuple(dict.fromkeys(node for cell in longest_first for node, _ in cell.stages))

    @cached_property
    def scored(self) -> frozenset[str]:
        """The nodes that hold the scores of the table."""
        return frozenset(cell.stages[-1][0] for cell in self.cells if cell.stages)

    def labels(self, key: str) -> tuple[str, ...]:
        """The labels of the rows that a stage run belongs to, in the table's order."""
        rows = {owner.row for owner in self.owners.get(key, ())}
        return tuple(row.label for row in self.rows if row.label in rows)

    def unknown(self, row: str) -> int:
        """How many cells of a row are known only once its candidates have ended."""
        tried, known = ({of.column for of in cells if of.row == row} for cells in (self.candidates, self.cells))
        return len(tried - known) * len(self.seeds)

    def knobs(self, key: str) -> Knobs:
        """The knobs in which all who ask for a stage run agree."""
        everywhere = {**(self.of.knobs if self.of else {}), **self.fixed}
        own = {row.label: row.knobs for row in self.rows}
        settings = [
            {**everywhere, **self.within.get(owner.column, {}), **own.get(owner.row, {}), **owner.knobs}
            for owner in self.owners.get(key, ())
        ]
        return {
            knob: value
            for knob, value in (settings[0] if settings else {}).items()
            if all(knob in other and other[knob] == value for other in settings)
        }


@final
@dataclass(frozen=True, kw_only=True)
class Frozen:
    """What a group settled: the values of its knobs, those of trial `number`, and why.

    value: of the group's metric, the mean over `seeds` of them; the trial's own where it has none. failed: seeds on
    which it failed.
    """

    knobs: Knobs
    number: int
    value: float
    seeds: int
    failed: int = 0
    why: str


@final
@dataclass(frozen=True, kw_only=True)
class Pin:
    """What a group froze, and what that was decided from."""

    frozen: Frozen
    decided: Mapping[str, Any]


@final
@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a freeze rule asks of another metric."""

    metric: str
    at_least: Number | None = None
    at_most: Number | None = None

    @property
    def words(self) -> str:
        """The bound as it stands behind its metric: `≥ 0.1`."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    def holds(self, value: float) -> bool:
        """Whether a value of the metric keeps the bound."""
        return value >= self.at_least if self.at_least is not None else value <= float(self.at_most or 0.0)


@final
@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of knobs of a staged search. study: the search of it.

    overtaken: what would be frozen by now, where a run that had failed was repeated since.
    """

    name: str
    study: str
    metric: str
    direction: Direction
    scored_stage: str = ""
    space: Mapping[str, Axis]
    fixed: Knobs = field(default_factory=dict)
    trials: int
    finalists: int = 0
    rule: str
    bound: Bound | None = None
    frozen: Frozen | None = None
    overtaken: str = ""
    pinned: Pin | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Refinement:
    """The joint search around the frozen point."""

    study: str
    metric: str
    direction: Direction
    trials: int
    finalists: int
    factor: float
    knobs: tuple[str, ...]


@final
@dataclass(frozen=True, kw_only=True)
class StagedHeader(OneTaskHeader):
    """A staged search. refused: why it cannot go on."""

    kind: Literal["staged"] = "staged"
    groups: tuple[Group, ...]
    refused: str = ""
    refinement: Refinement | None = None

    @property
    def studies(self) -> tuple[str, ...]:
        """The names of its searches, the refinement's last."""
        return (*(group.study for group in self.groups), *([self.refinement.study] if self.refinement else []))


def way_of(task: Mapping[str, Any], between: str = " → ") -> str:
    """From which contrast to which, `t1 → t2`, of a task as a header has it; a backward one goes the other way."""
    ends = (task["source"], task["target"])
    first, last = reversed(ends) if task.get("direction") == "backward" else ends
    return f"{first}{between}{last}"


KINDS: Mapping[str, type[Header]] = {"search": SearchHeader, "ablation": AblationHeader, "staged": StagedHeader}


def read_header(path: Path) -> Header | None:
    """The header in a file; None where there is none.

    Raises:
        Damaged: it was cut, changed since it was written, or lacks something.

    """
    if not path.exists():
        return None
    content = read_record(path, remedy=HEADER_REMEDY)
    kind = KINDS.get(str(name := content.get("kind", "search")))
    if kind is None:
        raise Damaged(path, f"is of a study of kind {name!r}, which this version does not know", HEADER_REMEDY)
    header = decoded(kind, _renamed(content) if kind is AblationHeader else content, what=path, remedy=HEADER_REMEDY)
    for name in ("seeds", "objectives", "metrics", "groups"):
        if not getattr(header, name, True):
            raise Damaged(path, f"has nothing in {name!r}", HEADER_REMEDY)
    tasks = [header.task] if isinstance(header, OneTaskHeader) else []
    tasks += [column.task for column in header.columns] if isinstance(header, AblationHeader) else []
    if not all({"source", "target"} <= task.keys() for task in tasks):
        raise Damaged(path, "has a task without its source and target", HEADER_REMEDY)
    return header


_EARLIER_NAMES = {"variants": "rows", "tasks": "columns", "variant": "row", "task": "column"}
"""Of fields in the headers of ablations that older versions wrote; the `task` of a column is still called that."""


def _renamed(content: Mapping[str, Any]) -> Mapping[str, Any]:
    if "variants" not in content:
        return content

    def renamed(of: Any) -> Any:
        return {_EARLIER_NAMES.get(name, name): value for name, value in of.items()} if isinstance(of, dict) else of

    parts = {part: content.get(part) for part in ("variants", "cells", "candidates")}
    lists = {part: [renamed(one) for one in of] for part, of in parts.items() if isinstance(of, list)}
    return dict(renamed({**content, **lists}))


@final
@dataclass(frozen=True, kw_only=True)
class StageKey:
    """A stage run: the node of a pipeline, and the key under which what it trains is stored."""

    node: str
    key: str


@final
@dataclass(frozen=True, kw_only=True)
class Started:
    """A run begins, or goes on after an interruption. stages: in the pipeline's order. time: Unix seconds."""

    event: Literal["started"] = "started"
    run: str
    role: Role
    number: int | None
    label: str
    seed: int
    knobs: Knobs
    stages: tuple[StageKey, ...]
    time: Number


@final
@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run has ended. value: of the first objective; values: of all, where there are several. time: Unix seconds.

    rung: the epoch at which a scheduler cut it. reason: in words, why it was cut or failed; cause: an exception's name.
    """

    event: Literal["finished"] = "finished"
    run: str
    state: Ended
    value: Number | None
    rung: int | None
    values: tuple[Number, ...] = ()
    reason: str | None
    cause: str | None
    time: Number


@final
@dataclass(frozen=True, kw_only=True)
class Recovered:
    """The study has ended since so many lines became faulty: all of its runs stand in the others."""

    event: Literal["recovered"] = "recovered"
    faulty: int
    time: Number


Event = Started | Finished | Recovered
_EVENTS: Mapping[str, type[Started | Finished | Recovered]] = {
    "started": Started,
    "finished": Finished,
    "recovered": Recovered,
}
_BEGINNING = re.compile(rb'\{"event":"(?P<name>\w+)"')


@dataclass(frozen=True, kw_only=True)
class _AnyEvent:
    event: str


def event_line(event: Event) -> dict[str, Any]:
    """What is written of an event; `values` only where there are several."""
    content = encoded(event)
    return content if content.get("values", True) else {name: of for name, of in content.items() if name != "values"}


def read_event(line: bytes) -> Event | None:
    """The event in a line of the ledger; None for one of a kind that this version does not know.

    Raises:
        ValueError: the line is not whole, was changed, lacks something, or names what cannot be a run or a stage.

    """
    begins = _BEGINNING.match(line) if intact(line) else None  # then its text need not be parsed twice
    if begins is None:
        parsed_line(line)
    kind = _EVENTS.get(begins["name"].decode() if begins else validated(_AnyEvent, line).event)
    if kind is None:
        return None
    event = validated(kind, line)
    if isinstance(event, Recovered):
        return event
    if unsafe_part(event.run):
        msg = f"is of the run {event.run!r}"
        raise ValueError(msg)
    for stage in event.stages if isinstance(event, Started) else ():
        if unsafe_part(stage.key):
            msg = f"names the stage {stage.key!r}"
            raise ValueError(msg)
    return event
