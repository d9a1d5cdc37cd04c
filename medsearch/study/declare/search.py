"""A search: the question that a study file asks, as data that is checked when the file is loaded.

A value that depends on the scale is written as a mapping, {"tiny": 8, "small": 30, "paper": 100}; `resolved` has the
right one.
"""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.ranges import NonNegativeInt, PositiveInt, require
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Pipeline
from medsearch.study.declare.rules import Rule
from medsearch.study.declare.samplers import GP, Sampler
from medsearch.study.declare.schedulers import FullLength, Scheduler
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
from medsearch.study.record.headers import Direction
from medsearch.study.record.ledger import reference_name

__all__ = ["DICE", "Direction", "ResolvedSearch", "Search", "Setup", "Variant"]

DICE: Mapping[str, Direction] = {"validation/dice": "maximize"}


@final
@dataclass(frozen=True, kw_only=True)
class ResolvedSearch:
    """What a search declares by scale, at one scale: for each field the value that stands there."""

    space: Mapping[str, Domain]
    nuisance: Mapping[str, Domain]
    fixed: Mapping[str, Any]
    published: Mapping[str, Any]
    start: Mapping[str, Any]
    trials: int
    finalists: int
    seeds: tuple[int, ...]
    references: tuple[Variant, ...]
    scheduler: Scheduler

    @property
    def domains(self) -> dict[str, Domain]:
        """Everything that the sampler proposes: the space and the nuisance knobs."""
        return {**self.space, **self.nuisance}


@final
@dataclass(frozen=True, kw_only=True)
class Search:
    """Trials over a space, the best few of them repeated over seeds, and references beside them.

    name: of the study's folder. question: in a sentence, above the report. cost: in words, what a run of it takes.
    method, task: what is trained, on which data.
    space: the domain of every knob that is asked about. nuisance: of knobs that are tuned along, so that each
        configuration is seen at its best. fixed: values that hold in every run.
    selection: what model selection may see.
    sampler: who proposes configurations; a Gaussian process unless given. scheduler: what may stop a trial early.
    trials: how many, 1 or more. finalists: how many of the best are repeated under every seed; 0: none.
    seeds: of finalists and references; trials run under the first one.
    published: the paper's values of searched and fixed knobs, tried first, and published_in: where they stand. start:
        values that are tried first in their place, such as what an earlier search found.
    references: rows that are not searched, run under every seed.
    searched_stage: the stage at whose epochs the scheduler may stop a trial; what precedes it is trained once.
    objectives: metrics of the last training stage, each with its direction; the first ranks. With several there is a
        front and no best trial: finalists are spread over the front.
    scored_stage: an earlier stage whose metrics the objectives are: trials and finalists end there, untested.
    weights: knobs of which only the ratios act.
    freeze: which trials are wanted: finalists are taken from those first, and a staged search freezes one of them;
        None: any.

    Raises:
        BadInput: a knob does not exist or has two roles, a value does not fit, a number is impossible.

    """

    name: str
    question: str
    method: Method
    task: Task
    space: Mapping[str, Scaled[Domain]]
    nuisance: Mapping[str, Scaled[Domain]] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    selection: Selection
    sampler: Sampler = field(default_factory=GP)
    scheduler: Scheduler
    trials: Scaled[int]
    finalists: Scaled[int]
    seeds: Scaled[tuple[int, ...]]
    published: Mapping[str, Any] = field(default_factory=dict)
    published_in: str = ""
    start: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[Variant, ...] = ()
    searched_stage: str = "segmentation"
    scored_stage: str = ""
    objectives: Mapping[str, Direction] = field(default_factory=lambda: dict(DICE))
    weights: tuple[str, ...] = ()
    freeze: Rule | None = None
    cost: str = ""

    def __post_init__(self) -> None:
        """Check everything that can be checked without data."""
        require_folder_name(self.name)
        slugs = [reference_name(reference.label, 0) for reference in self.references]
        twice = [row.label for row, slug in zip(self.references, slugs, strict=True) if slugs.count(slug) > 1]
        if twice:
            msg = f"references {twice!r} would share one run name; give them labels that differ in letters or digits"
            raise BadInput(msg)
        _require_roles(self)
        _require_numbers(self)
        for knob, domain in self.resolved.domains.items():
            for value in domain.representatives():
                self.setup({knob: value})
        _require_values(self)
        for reference in self.resolved.references:
            self.setup(reference.knobs)
        names = [node.name for node in self.pipeline(self.setup({})).nodes]
        for role, name in (("searched_stage", self.searched_stage), ("scored_stage", self.scored_stage)):
            if name not in names and (name or role == "searched_stage"):
                msg = f"{role}={name!r}; the method's stages are {', '.join(names)}"
                raise BadInput(msg)
        if self.scored_stage and names.index(self.searched_stage) > names.index(self.scored_stage):
            msg = f"searched_stage={self.searched_stage!r} comes after scored_stage={self.scored_stage!r}; swap them"
            raise BadInput(msg)

    @property
    def scale(self) -> str:
        """Which set of sizes the method has: tiny, small or paper."""
        return self.method.scale

    @cached_property
    def resolved(self) -> ResolvedSearch:
        """The numbers, domains and rows of this scale."""
        return self._resolved_at(self.scale)

    @property
    def metric(self) -> str:
        """The metric that ranks trials: the first of the objectives."""
        return next(iter(self.objectives))

    def at(self, scale: str) -> "Search":
        """The same question in another set of sizes.

        Raises:
            BadInput: no such scale, or a number that is given for other scales only.

        """
        task = sized(self.task, scale)
        resolved = self._resolved_at(scale)
        numbers = {part.name: getattr(resolved, part.name) for part in dataclasses.fields(resolved)}
        return replace(self, method=self.method.at(scale), task=task, **numbers)

    def setup(self, knobs: Mapping[str, Any]) -> Setup:
        """The task and recipe that `knobs` mean, on top of the fixed ones.

        Raises:
            BadInput: no such knob (with the nearest one that exists), or a value that does not fit.

        """
        return setup(self.method, self.task, {**self.resolved.fixed, **knobs})

    def setups(self) -> Iterator[Setup]:
        """The setups between which tasks and stages may differ: as fixed, of each reference, at each domain's edges."""
        edges = ({knob: value} for knob, domain in self.resolved.domains.items() for value in domain.edges())
        for knobs in ({}, *(row.knobs for row in self.resolved.references), *edges):
            yield self.setup(knobs)

    def pipeline(self, of: Setup, *, test: bool = False) -> Pipeline:
        """The stages of a setup under the study's selection rule; with `test` the one that reads test cases, too."""
        return self.method.pipeline(of.recipe, selection=self.selection, test=test)

    def scored(self, of: Setup) -> str:
        """The name of the stage whose metrics the objectives are."""
        return self.scored_stage or self.pipeline(of).nodes[-1].name

    def _resolved_at(self, scale: str) -> ResolvedSearch:
        numbers: dict[str, Any] = {
            name: resolve_scale(getattr(self, name), scale, name) for name in ("trials", "finalists", "seeds")
        }
        mappings: dict[str, Any] = {
            name: resolve_knobs(getattr(self, name), scale)
            for name in ("space", "nuisance", "fixed", "published", "start")
        }
        rows = tuple(row.at(scale) for row in self.references)
        return ResolvedSearch(**numbers, **mappings, references=rows, scheduler=self.scheduler.at(scale))


def _require_roles(search: Search) -> None:
    """Refuse a search of nothing, a knob with two roles, and what is no domain."""
    here = search.resolved
    if not here.space:
        msg = f"study {search.name!r} searches nothing; name at least one knob in `space`"
        raise BadInput(msg)
    for knob in {**here.domains, **here.fixed}:
        roles = [role for role in ("space", "nuisance", "fixed") if knob in getattr(here, role)]
        if len(roles) > 1:
            msg = f"knob {knob!r} is in {' and in '.join(roles)}; a knob has one role"
            raise BadInput(msg)
    require_domains(here.domains)


def _require_numbers(search: Search) -> None:
    """Refuse impossible numbers, and objectives that the sampler or the scheduler cannot weigh."""
    here, objectives, limit = search.resolved, search.objectives, search.sampler.objectives
    require_rule(search.method, search.selection)
    require("trials", PositiveInt, here.trials)
    require("finalists", NonNegativeInt, here.finalists)
    require_seeds(here.seeds)
    for metric, direction in objectives.items():
        if direction not in typing.get_args(Direction):
            msg = f"objective {metric!r} is to {direction!r}; declare one of {', '.join(typing.get_args(Direction))}"
            raise BadInput(msg)
    if not objectives or (limit is not None and len(objectives) > limit):
        msg = f"{len(objectives)} objectives with {search.sampler.name}; use NSGA2(), TPE() or GP() for several"
        raise BadInput(msg)
    if len(objectives) > 1 and not isinstance(here.scheduler, FullLength):
        msg = (
            f"scheduler {here.scheduler.name!r} stops trials by one metric, of {len(objectives)}; use "
            "FullLength(because=...)"
        )
        raise BadInput(msg)


def _require_values(search: Search) -> None:
    """Refuse values, published or to start with, that the search cannot try."""
    here = search.resolved
    for knob, value in here.published.items():
        search.setup({knob: value})
        domain = here.domains.get(knob)
        if domain is None and knob not in search.fixed:
            msg = f"published value of {knob!r}, which is neither searched nor fixed; name it in one of the two"
            raise BadInput(msg)
        if domain is not None and not domain.holds(value):
            msg = f"published value {value!r} of {knob!r} lies outside {domain}; widen the domain"
            raise BadInput(msg)
    for knob, value in here.start.items():
        domain = here.domains.get(knob)
        if domain is None or not domain.holds(value):
            msg = f"start value {value!r} of {knob!r} lies outside {domain or 'what is searched'}; widen the domain"
            raise BadInput(msg)
