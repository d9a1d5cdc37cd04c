"""A search: the question that a study file asks, as data that is checked when the file is loaded.

A value that depends on the scale is written as a mapping, {"tiny": 8, "small": 30, "paper": 100}; `resolved` has the
right one.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.ranges import NonNegativeInt, PositiveInt, require
from medsearch.stages.method import Method, Selection
from medsearch.stages.pipelines import Pipeline
from medsearch.study.declare.samplers import GP, Sampler
from medsearch.study.declare.schedulers import FullLength, Scheduler
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
from medsearch.study.record.ledger import reference_name

if TYPE_CHECKING:
    from medsearch.study.declare.rules import Rule

__all__ = ["DICE", "Direction", "ResolvedSearch", "Search", "Setup", "Variant"]

Direction = Literal["maximize", "minimize"]
DICE: Mapping[str, Direction] = {"validation/dice": "maximize"}


@final
@dataclass(frozen=True, kw_only=True)
class ResolvedSearch:
    """What depends on the scale, for one scale."""

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
    """Trials over a space, the best few repeated over seeds, and references beside them.

    space: the knobs asked about. nuisance: knobs tuned along, so that each configuration is seen at its best.
    fixed: knobs set once, for every run. selection: what model selection may see.
    searched_stage: the node at whose epochs the scheduler may stop a trial; what precedes it is trained once.
    trials, finalists, seeds: how many trials, how many of them are repeated, and under which seeds. Trials run under
        the first one.
    published: the paper's values of searched and fixed knobs, tried first. start: tried first in their place, such as
        what an earlier search found. references: rows that are not searched.
    objectives: metrics of the last training stage, each with its direction; the first ranks. With several there is a
        front and no best trial: `ranking` says how finalists are taken from it.
    weights: knobs of which only the ratios act.
    scored_stage: an earlier stage whose metrics the objectives are: trials and finalists end there, untested.
    freeze: which trials may be frozen by a staged search, or are wanted at all: finalists are taken from those first.

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
    freeze: "Rule | None" = None
    cost: str = ""

    def __post_init__(self) -> None:
        """Check everything that can be checked without data."""
        _require_name(self)
        _require_roles(self)
        _require_numbers(self)
        for knob, domain in self.resolved.domains.items():
            for value in domain.representatives():
                self.setup({knob: value})
        _require_published(self)
        _require_start(self)
        for reference in self.resolved.references:
            self.setup(reference.knobs)
        _require_searched_stage(self)

    @property
    def scale(self) -> str:
        """Which set of sizes the method has."""
        return self.method.scale

    @cached_property
    def resolved(self) -> ResolvedSearch:
        """The numbers of this scale."""
        return self._settled(self.scale)

    @property
    def metric(self) -> str:
        """The metric that ranks trials."""
        return next(iter(self.objectives))

    def at(self, scale: str) -> "Search":
        """The same question in another set of sizes.

        Raises:
            BadInput: no such scale, or a number that is given for other scales only.

        """
        task = sized(self.task, scale)
        resolved = self._settled(scale)
        numbers = {part.name: getattr(resolved, part.name) for part in dataclasses.fields(resolved)}
        return replace(self, method=self.method.at(scale), task=task, **numbers)

    def setup(self, knobs: Mapping[str, Any]) -> Setup:
        """The task and recipe that `knobs` mean, on top of the fixed ones.

        Raises:
            BadInput: no such knob (with the nearest one that exists), or a value that does not fit.

        """
        return setup(self.method, self.task, {**self.resolved.fixed, **knobs})

    def pipeline(self, of: Setup, *, test: bool = False) -> Pipeline:
        """The stages of a setup under the study's selection rule."""
        return self.method.pipeline(of.recipe, selection=self.selection, test=test)

    def scored(self, of: Setup) -> str:
        """The stage whose metrics the objectives are."""
        return self.scored_stage or self.pipeline(of).nodes[-1].name

    def _settled(self, scale: str) -> ResolvedSearch:
        single: dict[str, Any] = {
            name: resolve_scale(getattr(self, name), scale, name) for name in ("trials", "finalists", "seeds")
        }
        mapped: dict[str, Any] = {
            name: {knob: resolve_scale(value, scale, knob) for knob, value in getattr(self, name).items()}
            for name in ("space", "nuisance", "fixed", "published", "start")
        }
        references = tuple(
            Variant(row.label, {knob: resolve_scale(value, scale, knob) for knob, value in row.knobs.items()})
            for row in self.references
        )
        return ResolvedSearch(**single, **mapped, references=references, scheduler=self.scheduler.at(scale))


def _require_name(search: Search) -> None:
    require_folder_name(search.name)
    slugs = [reference_name(reference.label, 0) for reference in search.references]
    twice = [ref.label for ref, slug in zip(search.references, slugs, strict=True) if slugs.count(slug) > 1]
    if twice:
        msg = f"references {twice!r} would share one run name; give them labels that differ in letters or digits"
        raise BadInput(msg)


def _require_roles(search: Search) -> None:
    here = search.resolved
    if not here.space:
        msg = f"study {search.name!r} searches nothing; name at least one knob in `space`"
        raise BadInput(msg)
    for knob in {**here.domains, **here.fixed}:
        roles = [role for role in ("space", "nuisance", "fixed") if knob in getattr(here, role)]
        if len(roles) > 1:
            msg = f"knob {knob!r} is in {' and in '.join(roles)}; a knob has one role"
            raise BadInput(msg)
    for knob, domain in here.domains.items():
        if not isinstance(domain, (Uniform, Integers, Choice)):
            msg = f"knob {knob!r} has the domain {domain!r}; use uniform, loguniform, integers or choice"
            raise BadInput(msg)


def _require_numbers(search: Search) -> None:
    here = search.resolved
    require_rule(search.method, search.selection)
    require("trials", PositiveInt, here.trials)
    require("finalists", NonNegativeInt, here.finalists)
    require_seeds(here.seeds)
    _require_objectives(search)


def _require_objectives(search: Search) -> None:
    """Refuse none, a direction that is none, and a sampler or scheduler that cannot weigh so many."""
    objectives, limit = search.objectives, search.sampler.objectives
    for metric, direction in objectives.items():
        if direction not in typing.get_args(Direction):
            msg = f"objective {metric!r} is to {direction!r}; declare one of {', '.join(typing.get_args(Direction))}"
            raise BadInput(msg)
    if not objectives or (limit is not None and len(objectives) > limit):
        msg = f"{len(objectives)} objectives with {search.sampler.name}; use NSGA2(), TPE() or GP() for several"
        raise BadInput(msg)
    if len(objectives) > 1 and not isinstance(search.resolved.scheduler, FullLength):
        name = search.resolved.scheduler.name
        msg = f"scheduler {name!r} stops trials by one metric, of {len(objectives)}; use FullLength(because=...)"
        raise BadInput(msg)


def _require_published(search: Search) -> None:
    for knob, value in search.resolved.published.items():
        search.setup({knob: value})
        domain = search.resolved.domains.get(knob)
        if domain is None and knob not in search.fixed:
            msg = f"published value of {knob!r}, which is neither searched nor fixed; name it in one of the two"
            raise BadInput(msg)
        if domain is not None and not domain.holds(value):
            msg = f"published value {value!r} of {knob!r} lies outside {domain}; widen the domain"
            raise BadInput(msg)


def _require_start(search: Search) -> None:
    for knob, value in search.resolved.start.items():
        domain = search.resolved.domains.get(knob)
        if domain is None or not domain.holds(value):
            msg = f"start value {value!r} of {knob!r} lies outside {domain or 'what is searched'}; widen the domain"
            raise BadInput(msg)


def _require_searched_stage(search: Search) -> None:
    setup = search.setup({})
    names = [node.name for node in search.pipeline(setup).nodes]
    for role in ("searched_stage", "scored_stage"):
        name = getattr(search, role)
        if name not in names and (name or role == "searched_stage"):
            msg = f"{role}={name!r}; the method's stages are {', '.join(names)}"
            raise BadInput(msg)
    if names.index(search.searched_stage) > names.index(search.scored(setup)):
        msg = f"searched_stage={search.searched_stage!r} comes after scored_stage={search.scored_stage!r}; swap them"
        raise BadInput(msg)
