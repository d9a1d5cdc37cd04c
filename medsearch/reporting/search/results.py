"""What a search found, as plain data: all that the tables, the figures and the page need, and nothing they look up.

A builder fills `SearchResults` from the ledger and the stage store. Every field may be filled at any moment: a search
that has just begun has few trials, no finalists and references without replicates, and its report says so.

Scores are maximised, unless the design says `minimised`. A score that is not finite (a diverged run) is None. Curves,
rungs and values of trials belong to the searched stage and the selection rule (`validation/dice`); test metrics exist
for finalists and references only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from medsearch.reporting.metrics import full_heading, full_words, metric_of
from medsearch.reporting.results import Picture, Provenance, Replicate
from medsearch.stages.code import Trained
from medsearch.stages.method import Selection
from medsearch.study.record.headers import Axis, Knobs, Scheduler

State = Literal["complete", "cut", "failed", "running"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration that the sampler proposed."""

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
class Reference:
    """A row to compare with, which the search did not tune."""

    label: str
    replicates: tuple[Replicate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a paper reports for a knob."""

    value: Any
    where: str = ""  # "thesis, section 5.5.1"


@dataclass(frozen=True, kw_only=True)
class Design:
    """The search as the study file declares it."""

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
        """The metric that ranks, as a heading."""
        name = full_heading(self.objective)
        return f"{name} of {self.scored_stage}" if self.scored_stage else name

    @property
    def value_words(self) -> str:
        """The same within a sentence."""
        name = full_words(self.objective)
        return f"{name} of {self.scored_stage}" if self.scored_stage else name

    @property
    def value_digits(self) -> int:
        """After the point."""
        return metric_of(self.objective).digits

    @property
    def several(self) -> bool:
        """Whether it looks for a front and not for one best configuration."""
        return len(self.objectives) > 1


@dataclass(frozen=True, kw_only=True)
class SearchResults:
    """A search, finished or not."""

    design: Design
    provenance: Provenance
    trials: tuple[Trial, ...] = ()
    importances: Mapping[str, float] = field(default_factory=dict)  # knob -> share, computed by the study floor
    no_importances: str = ""  # why there are none
    finalists: tuple[Finalist, ...] = ()
    references: tuple[Reference, ...] = ()
    pictures: tuple[Picture, ...] = ()
    trained: tuple[Trained, ...] = ()  # by which code its stages were

    def trial(self, number: int) -> Trial | None:
        """The trial with that number."""
        return next((trial for trial in self.trials if trial.number == number), None)

    def reference(self, label: str) -> Reference | None:
        """The reference row with that label."""
        return next((reference for reference in self.references if reference.label == label), None)

    def in_state(self, state: State) -> tuple[Trial, ...]:
        """The trials in that state, by number."""
        return tuple(sorted((t for t in self.trials if t.state == state), key=lambda trial: trial.number))
