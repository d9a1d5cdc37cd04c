"""The course of a staged search: its searches in their order, how far each is, and what it froze.

    search ── run, where it is asked for ──> standing ──> frozen, or pinned ──> the point on which the next one stands

A search whose folder was begun with another question is refused before anything of it is read or run.

What a group froze stands as long as what it was decided from does. A run that failed is tried again when its study is,
and if it succeeds then, another trial may come to rank first. Later groups stand on the earlier decision, so it is
taken again only where a declared number has changed, or the group's folder has been begun anew. The memory is the
header of the staged search, which is kept twice (`ledger`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from medsearch.core.errors import BadInput, MedsearchError, StudyFailed
from medsearch.core.recipes import plain
from medsearch.study.declare.rules import Rule
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import Group, StagedSearch, refinement_of, search_of
from medsearch.study.engine.identity import MAY_GROW, differs
from medsearch.study.engine.jobs import Planner, StudyEnvironment
from medsearch.study.engine.search_status import SearchStatus, freeze, option, search_status
from medsearch.study.record.headers import Frozen, Pin, SearchHeader, StagedHeader
from medsearch.study.record.ledger import Ledger


@final
@dataclass(frozen=True, kw_only=True)
class GroupStatus:
    """A search of a staged search. group: None for the refinement.

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
    """Every search in its order. `run` is called with each that may run, before its ledger is read.

    Without an environment nothing has run.
    """
    known = pins(staged.name, environment) if environment else {}
    point: dict[str, Any] = dict(staged.stand_in)
    waits = ""
    for index, group in enumerate(staged.groups):
        search = search_of(staged, index, point)
        part = GroupStatus(search=search, group=group, waits=waits, pin=known.get(search.name))
        part = _settled(_carried_out(staged, part, environment, run), environment)
        if part.frozen:
            point |= part.frozen.knobs
        else:
            waits = f"after group {index + 1} is frozen"
        yield part
    if staged.refinement:
        yield _carried_out(staged, GroupStatus(search=refinement_of(staged, point), waits=waits), environment, run)


def frozen_by_now(staged: StagedSearch, environment: StudyEnvironment) -> tuple[tuple[Frozen, ...], str]:
    """What the groups have frozen, in their order, and why it cannot go on; empty if it can."""
    found = tuple(staged_status(staged, environment))
    refusals = (str(part.refusal) for part in found if part.refusal)
    return tuple(part.frozen for part in found if part.frozen), next(refusals, "")


def moved(staged: StagedSearch, search: Search, environment: StudyEnvironment) -> str:
    """In which frozen values `search` differs from what its folder was begun with; empty if in none, or not begun."""
    header = Ledger(environment.study(search.name)).header(SearchHeader)
    stood = {**header.fixed, **header.start} if header else {}
    stands = plain({**search.resolved.fixed, **search.resolved.start})
    before = staged.groups[: staged.studies.index(search.name)]
    frozen = [knob for group in before for knob in group.space if knob in stood and knob in stands]
    told = (f"{knob} = {_shown(stands[knob])} instead of {_shown(stood[knob])}" for knob in frozen)
    return ", ".join(line for knob, line in zip(frozen, told, strict=True) if stands[knob] != stood[knob])


def _carried_out(
    staged: StagedSearch, part: GroupStatus, environment: StudyEnvironment | None, run: Callable[[Search], None] | None
) -> GroupStatus:
    """With its refusal, or as far as it has come."""
    if environment is None:
        return part
    planner = Planner(part.search, environment)
    if not part.waits and (refused := _refused(staged, planner)):
        return replace(part, **refused)
    if run and not part.waits:
        run(part.search)
    return replace(part, at=search_status(planner))


def _settled(part: GroupStatus, environment: StudyEnvironment | None) -> GroupStatus:
    """With what its group has frozen, if it may be frozen by now."""
    if environment is None or part.group is None or part.waits or part.refusal:
        return part
    rule, search = part.group.freeze, part.search
    kept = pinned(part.pin, search, rule, environment)
    now = _decision(part, rule, environment) if part.at.ended else None
    if kept is not None:
        since = overtaken(kept, now) if isinstance(now, Frozen) else ""
        return replace(part, frozen=kept, overtaken=since)
    if isinstance(now, Frozen):
        return replace(part, frozen=now, pin=Pin(frozen=now, decided=decided(search, rule, environment)))
    return replace(part, refusal=now)


def _decision(part: GroupStatus, rule: Any, environment: StudyEnvironment) -> Frozen | StudyFailed:
    try:
        return freeze(part.search, rule, part.at, environment.store)
    except StudyFailed as refusal:
        return refusal


def _refused(staged: StagedSearch, planner: Planner) -> Mapping[str, Any]:
    """Why the search may not go on in its folder; nothing if it may."""
    name, environment = planner.search.name, planner.environment
    since = moved(staged, planner.search, environment)
    parts = ", ".join(differs(planner, Ledger(environment.study(name)).header()))
    if not since and not parts:
        return {}
    why = f"stands on other frozen values: {since}"
    if not since:
        why = f"was begun with another {parts}; only {MAY_GROW} may change"
    after = ", ".join(staged.studies[staged.studies.index(name) :])
    msg = (
        f"study {name!r} in {environment.study(name)} {why}: choose another --home or study name, or remove the "
        f"folders of {after} (what they trained stays in the store)"
    )
    return {"refusal": BadInput(msg), "foreign": why, "edited": not since}


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


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
    told = f"{now.value:.4g} (n={now.seeds})"
    if now.number == pinned.number:
        return f"{since}, and trial {now.number} has {told} by now"
    return (
        f"{since}, and trial {now.number} would be frozen by now with {told}; trial {pinned.number} stands until other "
        "trials, finalists, seeds or another rule are declared"
    )
