"""What a staged search found, as plain data. Its searches are held as their own reports hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medsearch.reporting.results import Provenance, SearchResults
from medsearch.stages.code import Trained
from medsearch.stages.method import Selection
from medsearch.study.record.headers import Axis, Bound, Frozen, Knobs


@dataclass(frozen=True, kw_only=True)
class Group:
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
class Refined:
    """The joint search around the frozen point."""

    study: str
    metric: str
    minimised: bool = False
    trials: int  # planned
    factor: float
    knobs: tuple[str, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)  # of its best, those that groups have bounds of
    search: SearchResults | None = None


@dataclass(frozen=True, kw_only=True)
class Design:
    """The staged search as the study file declares it."""

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

    design: Design
    provenance: Provenance
    groups: tuple[Group, ...]
    refinement: Refined | None = None
    refused: str = ""
    trained: tuple[Trained, ...] = ()  # by which code the stages of its searches were

    @property
    def point(self) -> dict[str, Any]:
        """The values of all knobs that are frozen."""
        return {knob: value for group in self.groups if group.frozen for knob, value in group.frozen.knobs.items()}

    @property
    def next(self) -> Group | None:
        """The first group that is not frozen."""
        return next((group for group in self.groups if group.frozen is None), None)

    @property
    def last(self) -> SearchResults | None:
        """The search that tested last: the refinement, or without one that of the last group."""
        return self.refinement.search if self.refinement else self.groups[-1].search
