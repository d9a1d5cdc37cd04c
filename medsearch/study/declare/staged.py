"""Staged search: groups of knobs are tuned one after another, each by its own metric, and frozen.

    group 1 ── frozen ──> group 2 ── frozen ──> ... ──> refinement: all knobs, near the frozen point, beside "Frozen"

"First λ_adv, λ_rec, λ_lat are tuned for successful translation; then λ_adv^mod and λ_cyc^mod; finally λ_seg": a greedy
path through a space that is too large for one search. Every part of it is an ordinary `Search` in a folder of its own
beside the staged study's, so the sampler, the ledger, resuming, tracking and reports are those of a search. What the
greedy path missed, the refinement measures.
"""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs
from medsearch.stages.method import Method, Selection
from medsearch.study.declare.rules import Best, Rule
from medsearch.study.declare.samplers import GP, Sampler
from medsearch.study.declare.schedulers import FullLength, Scheduler
from medsearch.study.declare.search import DICE, Search
from medsearch.study.declare.setups import (
    Scaled,
    Setup,
    require_folder_name,
    resolve_knobs,
    resolve_scale,
    setup,
    sized,
)
from medsearch.study.declare.spaces import Choice, Domain, Integers, Uniform
from medsearch.study.declare.variants import Variant
from medsearch.study.record.headers import FROZEN, Direction


@final
@dataclass(frozen=True, kw_only=True)
class Group:
    """Knobs of a staged search that are tuned together, and frozen for the groups after it.

    space: the domain of every knob. objective: the one metric of the scored stage by which they are tuned, with its
    direction; validation Dice unless given.
    trials: how many, 1 or more. finalists: how many of the best are repeated over the seeds before one is frozen; 0:
        none, one is frozen by its trial alone.
    fixed: knobs of this group alone, such as fewer epochs; no later group inherits them.
    freeze: which trial is frozen. sampler, scheduler: as of a `Search`.
    searched_stage, scored_stage: as of a `Search`; what comes after the scored stage is not trained, so that a
        translation can be tuned without a segmentor behind it.
    """

    name: str
    space: Mapping[str, Scaled[Domain]]
    objective: Mapping[str, Direction] = field(default_factory=lambda: dict(DICE))
    trials: Scaled[int]
    finalists: Scaled[int] = 0
    fixed: Mapping[str, Any] = field(default_factory=dict)
    freeze: Rule = field(default_factory=Best)
    sampler: Sampler = field(default_factory=GP)
    scheduler: Scheduler
    searched_stage: str = "segmentation"
    scored_stage: str = ""

    @property
    def metric(self) -> str:
        """The metric by which it is tuned."""
        return next(iter(self.objective))

    def at(self, scale: str) -> "Group":
        """With the numbers of a scale.

        Raises:
            BadInput: one is given for other scales only.

        """
        return replace(
            self,
            space=resolve_knobs(self.space, scale),
            fixed=resolve_knobs(self.fixed, scale),
            trials=resolve_scale(self.trials, scale, f"{self.name}.trials"),
            finalists=resolve_scale(self.finalists, scale, f"{self.name}.finalists"),
        )


@final
@dataclass(frozen=True, kw_only=True)
class Refinement:
    """How far around the frozen point, and how often, all knobs are tried together.

    factor: on a logarithmic axis a knob may move to `factor` times its frozen value, or to that part of it; on an even
        axis its domain shrinks to that part of its width. Choices stay as they are.
    knobs: those that move; none: all that a group searched. finalists: at least one, which is tested over the seeds.

    Raises:
        BadInput: the factor narrows nothing.

    """

    trials: Scaled[int]
    finalists: Scaled[int] = 1
    factor: float = 2.0
    knobs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the factor; the rest is checked with the searches that it becomes a part of."""
        if not (math.isfinite(self.factor) and self.factor > 1):
            msg = f"refinement with factor={self.factor!r}; it must be more than 1, such as 2.0"
            raise BadInput(msg)

    def at(self, scale: str) -> "Refinement":
        """With the numbers of a scale.

        Raises:
            BadInput: one is given for other scales only.

        """
        sizes = {
            name: resolve_scale(getattr(self, name), scale, f"refinement.{name}") for name in ("trials", "finalists")
        }
        return replace(self, **sizes)


@final
@dataclass(frozen=True, kw_only=True)
class StagedSearch:
    """Groups of knobs, tuned in this order, then a small joint search around what they froze.

    Every group runs with `fixed`, with what earlier groups froze and with its own `fixed`; knobs of later groups keep
    the value that they have in `fixed`, or the recipe's own.

    name: of the study's folder; its searches have theirs beside it. question: in a sentence, above the report.
    cost: in words, what a run of it takes. method, task: what is trained, on which data. selection: what model
    selection may see.
    seeds: of finalists and references; trials run under the first.
    weights: knobs of which only the ratios act, those of one loss in one part of the recipe.
    published: the paper's values, those of a group's knobs are its first trial; published_in: where they stand.
    references: rows beside the last search.
    refinement: None to stop at the frozen point; what was left on the table is not known then.

    Raises:
        BadInput: a knob does not exist, is in two groups or outside of its domain; a number or name is impossible.

    """

    name: str
    question: str
    method: Method
    task: Task
    groups: tuple[Group, ...]
    selection: Selection
    seeds: Scaled[tuple[int, ...]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Any] = field(default_factory=dict)
    published_in: str = ""
    weights: tuple[str, ...] = ()
    references: tuple[Variant, ...] = ()
    refinement: Refinement | None
    cost: str = ""

    def __post_init__(self) -> None:
        """Check everything that can be checked without data."""
        object.__setattr__(self, "groups", tuple(self.groups))
        require_folder_name(self.name)
        _require_groups(self)
        own = knobs(self.method.recipe)
        for knob in self.weights:
            if knob not in own:
                near = difflib.get_close_matches(knob, list(own), n=1, cutoff=0.0)[0]
                msg = f"weights name {knob!r}, which is no knob of {self.method.name}; did you mean {near!r}?"
                raise BadInput(msg)
        for index in range(len(self.groups)):
            search_of(self, index, self.stand_in)
        for knob in self.published:
            if knob not in self.domains and knob not in self.fixed:
                msg = f"published value of {knob!r}, which is neither searched nor fixed; name it in one of the two"
                raise BadInput(msg)
        if self.refinement is not None:
            _require_refinement(self, self.refinement)
            refinement_of(self, self.stand_in)

    @property
    def scale(self) -> str:
        """Which set of sizes the method has: tiny, small or paper."""
        return self.method.scale

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """The domain of every knob that a group searches, in the order of the groups."""
        return {
            knob: domain for group in self.groups for knob, domain in resolve_knobs(group.space, self.scale).items()
        }

    @cached_property
    def stand_in(self) -> dict[str, Any]:
        """A value of every knob: the published one, or an edge of its domain. It stands where none is frozen yet."""
        published = resolve_knobs(self.published, self.scale)
        return {knob: published.get(knob, domain.edges()[0]) for knob, domain in self.domains.items()}

    @property
    def studies(self) -> tuple[str, ...]:
        """The names of its searches: of the groups, then of the refinement."""
        groups = (f"{self.name}.{number}-{group.name}" for number, group in enumerate(self.groups, start=1))
        return (*groups, *([f"{self.name}.refinement"] if self.refinement else []))

    def at(self, scale: str) -> "StagedSearch":
        """The same question in another set of sizes.

        Raises:
            BadInput: no such scale, or a number that is given for other scales only.

        """
        return replace(
            self,
            method=self.method.at(scale),
            task=sized(self.task, scale),
            groups=tuple(group.at(scale) for group in self.groups),
            seeds=resolve_scale(self.seeds, scale, "seeds"),
            fixed=resolve_knobs(self.fixed, scale),
            published=resolve_knobs(self.published, scale),
            references=tuple(row.at(scale) for row in self.references),
            refinement=self.refinement and self.refinement.at(scale),
        )

    def searches(self, point: Mapping[str, Any]) -> Iterator[Search]:
        """Every search of it, with knobs frozen where `point` has them."""
        for index in range(len(self.groups)):
            yield search_of(self, index, point)
        if self.refinement:
            yield refinement_of(self, point)

    def setups(self) -> Iterator[Setup]:
        """The setups between which tasks may differ, of every search, with stand-ins for what is not frozen yet."""
        for search in self.searches(self.stand_in):
            yield from search.setups()


def search_of(staged: StagedSearch, index: int, frozen: Mapping[str, Any]) -> Search:
    """The search of a group, counted from 0: of `frozen` it takes what the groups before it searched.

    Raises:
        BadInput: as `Search`.

    """
    group = staged.groups[index]
    earlier = {knob: frozen[knob] for before in staged.groups[:index] for knob in before.space}
    base = {knob: value for knob, value in {**staged.fixed, **earlier}.items() if knob not in group.space}
    last = index + 1 == len(staged.groups) and staged.refinement is None
    return _search(
        staged,
        group,
        name=staged.studies[index],
        question=f"Group {index + 1} of {len(staged.groups)}, {group.name}: {staged.question}",
        space=group.space,
        fixed={**base, **group.fixed},
        trials=group.trials,
        finalists=group.finalists,
        scheduler=group.scheduler,
        searched_stage=group.searched_stage,
        scored_stage=group.scored_stage,
        freeze=group.freeze,
        references=staged.references if last else (),
    )


def refinement_of(staged: StagedSearch, frozen: Mapping[str, Any]) -> Search:
    """The joint search around the frozen point, which is its first trial and a row of its own.

    It begins at the first stage that a group searched. Where that is not the last group's, no trial is stopped early:
    the metric by which trials are compared is none of that stage's.

    Raises:
        BadInput: as `Search`.

    """
    refinement, last = staged.refinement, staged.groups[-1]
    assert refinement is not None
    moving = {knob: of for knob, of in staged.domains.items() if not refinement.knobs or knob in refinement.knobs}
    still = {knob: frozen[knob] for knob in staged.domains if knob not in moving}
    fixed = {**{knob: value for knob, value in staged.fixed.items() if knob not in moving}, **still}
    start = {knob: frozen[knob] for knob in moving}
    # The first stage that a group searches, as the pipeline goes at the frozen point; one switched off there is none.
    point = setup(staged.method, staged.task, {**resolve_knobs(fixed, staged.scale), **start})
    order = [node.name for node in staged.method.pipeline(point.recipe, selection=staged.selection).nodes]
    searched = {group.searched_stage for group in staged.groups if moving.keys() & group.space.keys()}
    stage = min(searched & {*order}, key=order.index, default=last.searched_stage)
    because = f"its curves would be those of {stage}, which say little of {last.metric}"
    return _search(
        staged,
        last,
        name=staged.studies[-1],
        question=f"What was left on the table? {staged.question}",
        space={knob: narrowed(domain, frozen[knob], refinement.factor) for knob, domain in moving.items()},
        fixed=fixed,
        start=start,
        trials=refinement.trials,
        finalists=refinement.finalists,
        scheduler=last.scheduler if stage == last.searched_stage else FullLength(because=because),
        searched_stage=stage,
        references=(*staged.references, Variant(FROZEN, start)),
    )


def narrowed(domain: Domain, around: Any, factor: float) -> Domain:
    """The part of `domain` near the value `around`, which it holds; never wider than `domain`."""
    if isinstance(domain, Choice):
        return domain
    if domain.log:
        low, high = around / factor, around * factor
    else:
        reach = (domain.high - domain.low) / (2 * factor)
        low, high = around - reach, around + reach
    if isinstance(domain, Integers):  # outwards, so that a neighbour is always within
        low, high = math.floor(min(low, around - 1)), math.ceil(max(high, around + 1))
        return Integers(max(domain.low, low), min(domain.high, high), domain.log)
    return Uniform(max(domain.low, low), min(domain.high, high), domain.log)


def _search(
    staged: StagedSearch, group: Group, *, space: Mapping[str, Any], fixed: Mapping[str, Any], **declared: Any
) -> Search:
    """What every search of the study has in common.

    Its weights are those of the one loss that it moves; none where it moves several, whose weights have no one sum. The
    paper's values are shown of the knobs that it knows, and of the refinement's where its domains hold them.
    """
    losses = {knob.rpartition(".")[0] for knob in staged.weights if knob in space}
    weights = tuple(knob for knob in staged.weights if {knob.rpartition(".")[0]} == losses)
    own = knobs(staged.method.recipe)
    fixed = {**{knob: own[knob] for knob in weights if knob not in space}, **fixed}
    narrow = resolve_knobs(space, staged.scale) if "start" in declared else {}
    published = {
        knob: value
        for knob, value in staged.published.items()
        if (knob in space or knob in fixed)
        and (knob not in narrow or narrow[knob].holds(resolve_scale(value, staged.scale, knob)))
    }
    return Search(
        method=staged.method,
        task=staged.task,
        space=space,
        fixed=fixed,
        selection=staged.selection,
        sampler=group.sampler,
        seeds=staged.seeds,
        published=published,
        published_in=staged.published_in,
        objectives=group.objective,
        weights=weights,
        cost=staged.cost,
        **declared,
    )


def _require_groups(staged: StagedSearch) -> None:
    """Refuse groups that are none, share a name or a knob, or have not one metric."""
    if not staged.groups:
        msg = f"staged search {staged.name!r} has no groups; name at least one Group in `groups`"
        raise BadInput(msg)
    frozen: dict[str, str] = {}
    for group in staged.groups:
        require_folder_name(group.name)
        if len(group.objective) != 1:
            msg = f"group {group.name!r} has {len(group.objective)} objectives; it is frozen by one metric, name that"
            raise BadInput(msg)
        for knob in (*group.space, *group.fixed):
            if knob in frozen:
                msg = f"knob {knob!r} of group {group.name!r} is frozen by group {frozen[knob]!r}; leave it to one"
                raise BadInput(msg)
        frozen |= dict.fromkeys(group.space, group.name)
    names = [group.name for group in staged.groups]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"groups {', '.join(map(repr, twice))} come twice in {staged.name!r}; give each a name of its own"
        raise BadInput(msg)


def _require_refinement(staged: StagedSearch, refinement: Refinement) -> None:
    """Refuse a refinement that moves what nobody searched, or that nothing is tested of."""
    unknown = [knob for knob in refinement.knobs if knob not in staged.domains]
    if unknown:
        known = ", ".join(staged.domains)
        msg = f"the refinement moves {unknown[0]!r}, which no group searches; the groups search {known}"
        raise BadInput(msg)
    counts = refinement.finalists
    if min(counts.values() if isinstance(counts, Mapping) else [counts]) < 1:
        msg = "the refinement has no finalists, so nothing is tested over seeds; give it one or more"
        raise BadInput(msg)
    if staged.groups[-1].scored_stage:
        msg = (
            f"the last group, {staged.groups[-1].name!r}, is scored by {staged.groups[-1].scored_stage!r}, but a "
            "refinement is tested, which takes every stage; leave its scored_stage out, or say refinement=None"
        )
        raise BadInput(msg)
