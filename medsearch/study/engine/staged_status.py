"""How far a staged search is: its searches in their order, what each froze, and the header that says so.

A search whose folder was begun with another question is refused before anything of it is read or run; one that may go
on is run where that is asked for, and once it has ended its group is frozen, which sets the point for the next one.

What a group froze stands as long as what it was decided from does. A run that failed is tried again when its study is,
and if it succeeds then, another trial may come to rank first. Later groups stand on the earlier decision, so it is
taken again only where a declared number has changed, or the group's folder has been begun anew. The memory is the
header of the staged search, which is kept twice (`ledger`).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.core.errors import BadInput, MedsearchError, StudyFailed
from medsearch.core.recipes import plain
from medsearch.study.declare.rules import Reaching, Rule
from medsearch.study.declare.search import Search
from medsearch.study.declare.setups import resolve_knobs, resolve_scale
from medsearch.study.declare.staged import Group, StagedSearch, refinement_of, search_of
from medsearch.study.engine.identity import ELSEWHERE, MAY_GROW, axes, data_fields, differs, note, question_fields
from medsearch.study.engine.jobs import SearchJobs, StudyEnvironment
from medsearch.study.engine.search_status import SearchStatus, freeze, option, search_status
from medsearch.study.record import headers
from medsearch.study.record.headers import Frozen, Pin, SearchHeader, StagedHeader
from medsearch.study.record.ledger import Ledger


@final
@dataclass(frozen=True, kw_only=True)
class GroupStatus:
    """How far a search of a staged search is. group: None for the refinement.

    waits: what must be frozen before it; until then it has stand-ins for frozen values. pin: the group's last decision.
    refusal: why it cannot be run or frozen. foreign: in what its folder is another question's. edited: whether by its
    own declaration, and not by what the groups before it froze. overtaken: what would be decided otherwise by now.
    """

    search: Search
    group: Group | None = None
    waits: str = ""
    at: SearchStatus = field(default_factory=SearchStatus)
    frozen: Frozen | None = None
    pin: Pin | None = None
    refusal: MedsearchError | None = None
    foreign: str = ""
    edited: bool = False
    overtaken: str = ""


def staged_status(
    staged: StagedSearch, environment: StudyEnvironment | None, run: Callable[[Search], None] | None = None
) -> Iterator[GroupStatus]:
    """Every search in its order, the refinement last. `run` is called with each that may run, before its ledger is
    read. Without an environment nothing has run.
    """
    known = pins(staged.name, environment) if environment else {}
    point: dict[str, Any] = dict(staged.stand_in)
    waits = ""
    for index, group in enumerate((*staged.groups, *([None] if staged.refinement else []))):
        search = search_of(staged, index, point) if group else refinement_of(staged, point)
        status = GroupStatus(search=search, group=group, waits=waits, pin=known.get(search.name))
        if environment is not None:
            jobs = SearchJobs(search, environment)
            if not waits:
                status = _refused(staged, status, jobs)
            if not status.refusal:
                if run and not waits:
                    run(search)
                status = _frozen(replace(status, at=search_status(jobs)), environment)
        if status.frozen:
            point |= status.frozen.knobs
        else:
            waits = f"after group {index + 1} is frozen"
        yield status


def frozen_by_now(staged: StagedSearch, environment: StudyEnvironment) -> tuple[tuple[Frozen, ...], str]:
    """What the groups have frozen, in their order, and why it cannot go on; empty if it can."""
    groups = tuple(staged_status(staged, environment))
    refusals = (str(status.refusal) for status in groups if status.refusal)
    return tuple(status.frozen for status in groups if status.frozen), next(refusals, "")


def _refused(staged: StagedSearch, status: GroupStatus, jobs: SearchJobs) -> GroupStatus:
    """With a refusal if the search may not go on in its folder: it was begun on other frozen values, or with another
    question.
    """
    search, environment = status.search, jobs.environment
    folder = environment.study(search.name)
    header, other = Ledger(folder).header(SearchHeader), ", ".join(differs(jobs, Ledger(folder).header()))
    old = {**header.fixed, **header.start} if header else {}
    new = plain({**search.resolved.fixed, **search.resolved.start})
    index = staged.studies.index(search.name)
    moved = ", ".join(
        f"{knob} = {_shown(new[knob])} instead of {_shown(old[knob])}"
        for group in staged.groups[:index]
        for knob in group.space
        if knob in old and knob in new and old[knob] != new[knob]
    )
    if not moved and not other:
        return status
    why = f"stands on other frozen values: {moved}"
    if not moved:
        why = f"was begun with another {other}; only {MAY_GROW} may change"
    msg = (
        f"study {search.name!r} in {folder} {why}: choose another --home or study name, or remove the folders of "
        f"{', '.join(staged.studies[index:])} (what they trained stays in the store)"
    )
    return replace(status, refusal=BadInput(msg), foreign=why, edited=not moved)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _frozen(status: GroupStatus, environment: StudyEnvironment) -> GroupStatus:
    """With what its group has frozen, if it may be frozen by now, or with why its rule allows none of the trials."""
    if status.group is None or status.waits:
        return status
    rule, search, now = status.group.freeze, status.search, None
    kept = pinned(status.pin, search, rule, environment)
    if status.at.ended:
        try:
            now = freeze(search, rule, status.at, environment.store)
        except StudyFailed as refusal:
            if kept is None:
                return replace(status, refusal=refusal)
    if kept is not None:
        return replace(status, frozen=kept, overtaken=overtaken(kept, now) if now else "")
    if now is None:
        return status
    return replace(status, frozen=now, pin=Pin(frozen=now, decided=decided(search, rule, environment)))


def pins(staged: str, environment: StudyEnvironment) -> dict[str, Pin]:
    """The pins of the staged search of that name, by the names of its groups' studies."""
    header = Ledger(environment.study(staged)).header(StagedHeader)
    return {group.study: group.pinned for group in (header.groups if header else ()) if group.pinned}


def pinned(pin: Pin | None, search: Search, rule: Rule, environment: StudyEnvironment) -> Frozen | None:
    """What was frozen, with choices as they are declared; None where it was decided from something else."""
    if pin is None or pin.decided != decided(search, rule, environment):
        return None
    knobs = {knob: option(search, knob, value) for knob, value in pin.frozen.knobs.items()}
    return replace(pin.frozen, knobs=knobs)


def decided(search: Search, rule: Rule, environment: StudyEnvironment) -> dict[str, Any]:
    """What a decision rests on beside the runs: declared numbers, the rule, and when the group's folder was begun."""
    here = search.resolved
    header = Ledger(environment.study(search.name)).header()
    begun = header.begun if header else None
    numbers = {"trials": here.trials, "finalists": here.finalists, "seeds": here.seeds}
    return dict(plain({**numbers, "rule": str(rule), "begun": begun}))


def overtaken(pinned: Frozen, now: Frozen) -> str:
    """What would be decided otherwise by now; empty if nothing would."""
    if (now.number, now.value, now.seeds) == (pinned.number, pinned.value, pinned.seeds):
        return ""
    since = "runs that had failed were repeated since then"
    value = f"{now.value:.4g} (n={now.seeds})"
    if now.number == pinned.number:
        return f"{since}, and trial {now.number} has {value} by now"
    return (
        f"{since}, and trial {now.number} would be frozen by now with {value}; trial {pinned.number} stands until "
        "other trials, finalists, seeds or another rule are declared"
    )


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
    statuses = tuple(staged_status(staged, environment))
    for status in statuses:
        if status.edited and status.refusal:
            raise status.refusal
    last, refinement = statuses[-1].search, None
    if staged.refinement is not None:
        refinement = headers.Refinement(
            study=last.name,
            metric=last.metric,
            direction=last.objectives[last.metric],
            trials=last.resolved.trials,
            finalists=last.resolved.finalists,
            factor=staged.refinement.factor,
            knobs=tuple(last.resolved.space),
        )
    ledger.write_header(
        StagedHeader(
            **question_fields(staged, environment),
            **data_fields(staged.task, environment),
            selection=staged.selection,
            seeds=tuple(resolve_scale(staged.seeds, staged.scale, "seeds")),
            fixed=plain(resolve_knobs(staged.fixed, staged.scale)),
            published=plain(resolve_knobs(staged.published, staged.scale)),
            published_in=staged.published_in,
            weights=tuple(staged.weights),
            groups=tuple(_group(staged, status.group, status) for status in statuses if status.group),
            refused=next((str(status.refusal) for status in statuses if status.refusal), ""),
            refinement=refinement,
            identity=identity,
            begun=old.begun if old else time.time(),
        )
    )
    for status in statuses:
        if status.group and not status.waits and not status.foreign:
            number = status.frozen.number if status.frozen else None
            note(Ledger(environment.study(status.search.name)), frozen=number)


def _group(staged: StagedSearch, group: Group, status: GroupStatus) -> headers.Group:
    search, here, rule = status.search, status.search.resolved, group.freeze
    return headers.Group(
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
        bound=rule.bound if isinstance(rule, Reaching) else None,
        frozen=status.frozen,
        overtaken=status.overtaken,
        pinned=status.pin,
    )
