"""The header of a staged search: what each group searched, what it froze and why.

It says what the ledgers of the groups' own studies amount to, and remembers what each group froze (`pinning`).
"""

import time
from collections.abc import Mapping, Sequence

from medsearch.core.errors import BadInput
from medsearch.core.recipes import plain
from medsearch.study.declare.rules import Reaching
from medsearch.study.declare.search import Search
from medsearch.study.declare.setups import resolve_knobs, resolve_scale
from medsearch.study.declare.staged import Group, StagedSearch
from medsearch.study.engine.identity import ELSEWHERE, axes, note_frozen
from medsearch.study.engine.jobs import StudyEnvironment
from medsearch.study.engine.staged_status import GroupStatus, staged_status
from medsearch.study.record import headers as record
from medsearch.study.record.headers import Refinement, StagedHeader
from medsearch.study.record.ledger import Ledger


def describe(staged: StagedSearch, environment: StudyEnvironment) -> None:
    """Bring the header up to date, and note in those of the groups' studies which trial is frozen.

    Raises:
        BadInput: the folder is that of another kind of study, scale or cohort, or a search of it has been declared
            otherwise since it was begun: the header then stays as it is.

    """
    ledger = Ledger(environment.study(staged.name))
    old, identity = ledger.header(), {"kind of study": "staged", "scale": staged.scale, "cohort": environment.cohort}
    others = ", ".join(part for part in identity if old.identity.get(part) != identity[part]) if old else ""
    if others:
        msg = f"study {staged.name!r} in {ledger.folder} was begun with another {others}; {ELSEWHERE}"
        raise BadInput(msg)
    parts = tuple(staged_status(staged, environment))
    for part in parts:
        if part.edited and part.refusal:
            raise part.refusal
    ledger.write_header(_header(staged, environment, parts, identity=identity, begun=old.begun if old else time.time()))
    for part in parts:
        if part.group and not part.waits and not part.foreign:
            note_frozen(Ledger(environment.study(part.search.name)), part.frozen.number if part.frozen else None)


def _header(
    staged: StagedSearch,
    environment: StudyEnvironment,
    parts: Sequence[GroupStatus],
    *,
    identity: Mapping[str, str],
    begun: float,
) -> StagedHeader:
    return StagedHeader(
        name=staged.name,
        question=staged.question,
        cost=staged.cost,
        method=staged.method.name,
        scale=staged.scale,
        selection=staged.selection,
        task=plain(staged.task),
        layout=staged.task.layout,
        cohort=environment.cohort,
        subjects=len(environment.roster.subjects),
        about=environment.about,
        commit=environment.about.git_commit,
        seeds=tuple(resolve_scale(staged.seeds, staged.scale, "seeds")),
        fixed=plain(resolve_knobs(staged.fixed, staged.scale)),
        published=plain(resolve_knobs(staged.published, staged.scale)),
        published_in=staged.published_in,
        weights=tuple(staged.weights),
        groups=tuple(_group(staged, part.group, part) for part in parts if part.group),
        refused=next((str(part.refusal) for part in parts if part.refusal), ""),
        refinement=_refinement(staged, parts[-1].search),
        identity=identity,
        begun=begun,
    )


def _group(staged: StagedSearch, group: Group, part: GroupStatus) -> record.Group:
    search, here, rule = part.search, part.search.resolved, group.freeze
    return record.Group(
        name=group.name,
        study=search.name,
        metric=search.metric,
        direction=search.objectives[search.metric],
        scored_stage=group.scored_stage,
        space=axes(here.space),
        fixed=plain(resolve_knobs(group.fixed, staged.scale)),
        trials=here.trials,
        finalists=here.finalists,
        rule=str(rule),
        bound=record.Bound(**plain(rule)) if isinstance(rule, Reaching) else None,
        frozen=part.frozen,
        overtaken=part.overtaken,
        pinned=part.pin,
    )


def _refinement(staged: StagedSearch, search: Search) -> Refinement | None:
    if staged.refinement is None:
        return None
    return Refinement(
        study=search.name,
        metric=search.metric,
        direction=search.objectives[search.metric],
        trials=search.resolved.trials,
        finalists=search.resolved.finalists,
        factor=staged.refinement.factor,
        knobs=tuple(search.resolved.space),
    )
