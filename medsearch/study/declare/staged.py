"""Staged search: groups of knobs are tuned one after another, each by its own metric, and frozen.

    group 1 ── frozen ──> group 2 ── frozen ──> ... ──> refinement: all knobs, near the frozen point, beside "Frozen"

"First λ_adv, λ_rec, λ_lat are tuned for successful translation; then λ_adv^mod and λ_cyc^mod; finally λ_seg": a greedy
path through a space that is too large for one search. Every part of it is an ordinary `Search` in a folder of its own
beside the staged study's, so the sampler, the ledger, resuming, tracking and reports are those of a search. What the
greedy path missed, the refinement measures.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

from medsearch.cohorts.tasks import Task
from medsearch.core.errors import BadInput
from medsearch.core.recipes import knobs
from medsearch.stages.method import Method, Selection
from medsearch.study.declare.groups import Group, resolved
from medsearch.study.declare.refinement import FROZEN, Refinement, around
from medsearch.study.declare.schedulers import FullLength
from medsearch.study.declare.search import Search
from medsearch.study.declare.setups import Scaled, require_folder_name, resolve_scale, setup, sized
from medsearch.study.declare.spaces import Domain
from medsearch.study.declare.variants import Variant


@final
@dataclass(frozen=True, kw_only=True)
class StagedSearch:
    """Groups of knobs, tuned in this order, then a small joint search around what they froze.

    Every group runs with `fixed`, with what earlier groups froze and with its own `fixed`; knobs of later groups keep
    the value that they have in `fixed`, or the recipe's own. seeds: of finalists and references; trials run under the
    first. weights: knobs of which only the ratios act, those of one loss in one part of the recipe.
    published: the paper's values; those of a group's knobs are its first trial. references: rows beside the
    last search. refinement: None to stop at the frozen point; what was left on the table is not known then.

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
        _require_weights(self)
        for index in range(len(self.groups)):
            search_of(self, index, self.stand_in)
        _require_published(self)
        if self.refinement is not None:
            _require_refinement(self, self.refinement)
            refinement_of(self, self.stand_in)

    @property
    def scale(self) -> str:
        """Which set of sizes the method has."""
        return self.method.scale

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """The domain of every knob that a group searches, in the order of the groups."""
        return {knob: resolve_scale(of, self.scale, knob) for group in self.groups for knob, of in group.space.items()}

    @cached_property
    def stand_in(self) -> dict[str, Any]:
        """A value of every knob: the published one, or an edge of its domain. It stands where none is frozen yet."""
        known = resolved(self.published, self.scale)
        return {knob: known.get(knob, domain.edges()[0]) for knob, domain in self.domains.items()}

    @property
    def studies(self) -> tuple[str, ...]:
        """The names of its searches: of the groups, then of the refinement."""
        groups = [group_study(self, index) for index in range(len(self.groups))]
        return (*groups, f"{self.name}.refinement") if self.refinement else tuple(groups)

    def at(self, scale: str) -> "StagedSearch":
        """The same question in another set of sizes.

        Raises:
            BadInput: no such scale, or a number that is given for other scales only.

        """
        rows = tuple(replace(row, knobs=resolved(row.knobs, scale)) for row in self.references)
        return replace(
            self,
            method=self.method.at(scale),
            task=sized(self.task, scale),
            groups=tuple(group.at(scale) for group in self.groups),
            seeds=resolve_scale(self.seeds, scale, "seeds"),
            fixed=resolved(self.fixed, scale),
            published=resolved(self.published, scale),
            references=rows,
            refinement=self.refinement and self.refinement.at(scale),
        )

    def searches(self, point: Mapping[str, Any]) -> Iterator[Search]:
        """Every search of it, with knobs frozen where `point` has them."""
        for index in range(len(self.groups)):
            yield search_of(self, index, point)
        if self.refinement:
            yield refinement_of(self, point)


def group_study(staged: StagedSearch, index: int) -> str:
    """The name of a group's search."""
    return f"{staged.name}.{index + 1}-{staged.groups[index].name}"


def search_of(staged: StagedSearch, index: int, frozen: Mapping[str, Any]) -> Search:
    """The search of a group: of `frozen` it takes what the groups before it searched.

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
        name=group_study(staged, index),
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
    groups = [group for group in staged.groups if moving.keys() & group.space.keys()]
    stage = _first_stage(staged, groups, {**resolved(fixed, staged.scale), **start})
    because = f"its curves would be those of {stage}, which say little of {last.metric}"
    return _search(
        staged,
        last,
        name=f"{staged.name}.refinement",
        question=f"What was left on the table? {staged.question}",
        space=around(frozen, moving, refinement.factor),
        fixed=fixed,
        start=start,
        trials=refinement.trials,
        finalists=refinement.finalists,
        scheduler=last.scheduler if stage == last.searched_stage else FullLength(because=because),
        searched_stage=stage,
        references=(*staged.references, Variant(FROZEN, start)),
    )


def _search(
    staged: StagedSearch, group: Group, *, space: Mapping[str, Any], fixed: Mapping[str, Any], **declared: Any
) -> Search:
    """What every search of the study has in common. The paper's values are shown of the knobs that it knows."""
    own, weights = knobs(staged.method.recipe), _weights(staged, space)
    fixed = {**{knob: own[knob] for knob in weights if knob not in space}, **fixed}
    narrow = space if "start" in declared else {}
    published = {
        knob: value
        for knob, value in staged.published.items()
        if (knob in space or knob in fixed) and (knob not in narrow or _holds(staged, narrow[knob], knob, value))
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


def _weights(staged: StagedSearch, space: Mapping[str, Any]) -> tuple[str, ...]:
    """The weights of the one loss that a search moves; none where it moves several, whose weights have no one sum."""
    losses = {knob.rpartition(".")[0] for knob in staged.weights if knob in space}
    return tuple(knob for knob in staged.weights if {knob.rpartition(".")[0]} == losses)


def _holds(staged: StagedSearch, domain: Any, knob: str, value: Any) -> bool:
    held: bool = resolve_scale(domain, staged.scale, knob).holds(resolve_scale(value, staged.scale, knob))
    return held


def _first_stage(staged: StagedSearch, groups: Iterable[Group], point: Mapping[str, Any]) -> str:
    """The stage that comes first at `point` among those that the groups search; one that is switched off is none."""
    of = setup(staged.method, staged.task, point)
    order = [node.name for node in staged.method.pipeline(of.recipe, selection=staged.selection).nodes]
    found = {group.searched_stage for group in groups}
    return min(found & {*order}, key=order.index, default=staged.groups[-1].searched_stage)


def _require_groups(staged: StagedSearch) -> None:
    """Refuse groups that are none, share a name or a knob, or have not one metric.

    Raises:
        BadInput: they do.

    """
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


def _require_published(staged: StagedSearch) -> None:
    """Refuse a published value of a knob that no search knows.

    Raises:
        BadInput: there is one.

    """
    for knob in staged.published:
        if knob not in staged.domains and knob not in staged.fixed:
            msg = f"published value of {knob!r}, which is neither searched nor fixed; name it in one of the two"
            raise BadInput(msg)


def _require_weights(staged: StagedSearch) -> None:
    """Refuse a weight that is no knob of the method.

    Raises:
        BadInput: there is one.

    """
    known = knobs(staged.method.recipe)
    for knob in staged.weights:
        if knob not in known:
            near = difflib.get_close_matches(knob, list(known), n=1, cutoff=0.0)[0]
            msg = f"weights name {knob!r}, which is no knob of {staged.method.name}; did you mean {near!r}?"
            raise BadInput(msg)


def _require_refinement(staged: StagedSearch, refinement: Refinement) -> None:
    """Refuse a refinement that moves what nobody searched, or that nothing is tested of.

    Raises:
        BadInput: it does.

    """
    unknown = [knob for knob in refinement.knobs if knob not in staged.domains]
    if unknown:
        known = ", ".join(staged.domains)
        msg = f"the refinement moves {unknown[0]!r}, which no group searches; the groups search {known}"
        raise BadInput(msg)
    if min(_numbers(refinement.finalists)) < 1:
        msg = "the refinement has no finalists, so nothing is tested over seeds; give it one or more"
        raise BadInput(msg)
    if staged.groups[-1].scored_stage:
        msg = (
            f"the last group, {staged.groups[-1].name!r}, is scored by {staged.groups[-1].scored_stage!r}, but a "
            "refinement is tested, which takes every stage; leave its scored_stage out, or say refinement=None"
        )
        raise BadInput(msg)


def _numbers(of: Scaled[int]) -> list[int]:
    return list(of.values()) if isinstance(of, Mapping) else [of]
