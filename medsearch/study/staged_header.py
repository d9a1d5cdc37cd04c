"""The header of a staged search: what each group searched, what it froze and why.

It says what the ledgers of the groups' own studies amount to, and remembers what each group froze (`pinning`).
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.recipes import plain
from medsearch.study.course import Part, course
from medsearch.study.groups import Group, settled
from medsearch.study.identity import ELSEWHERE, domain_of, note_frozen
from medsearch.study.jobs import Workplace
from medsearch.study.ledger import Ledger
from medsearch.study.rules import Reaching
from medsearch.study.search import Search
from medsearch.study.setups import settle
from medsearch.study.staged import StagedSearch


def parts(header: Mapping[str, Any]) -> tuple[str, ...]:
    """The studies that a header speaks of: the searches of a staged search; none of any other kind."""
    if header.get("kind") != "staged":
        return ()
    last = [header["refinement"]["study"]] if header["refinement"] else []
    return (*(group["study"] for group in header["groups"]), *last)


def describe(staged: StagedSearch, place: Workplace) -> None:
    """Bring the header up to date, and note in those of the groups' studies which trial is frozen.

    Raises:
        BadInput: the folder is that of another kind of study, scale or cohort, or a search of it has been declared
            otherwise since it was begun: the header then stays as it is.

    """
    ledger = Ledger(place.study(staged.name))
    old = ledger.header()
    identity = {"kind of study": "staged", "scale": staged.scale, "cohort": place.cohort}
    theirs = old.get("identity") or {}
    others = ", ".join(part for part in identity if theirs.get(part) != identity[part]) if old else ""
    if others:
        msg = f"study {staged.name!r} in {ledger.folder} was begun with another {others}; {ELSEWHERE}"
        raise BadInput(msg)
    course_of = tuple(course(staged, place))
    for part in course_of:
        if part.edited and part.refusal:
            raise part.refusal
    header = {**_header(staged, place, course_of), "identity": identity, "begun": old.get("begun", time.time())}
    if old != header:
        ledger.write_header(header)
    for part in course_of:
        if part.group and not part.waits and not part.foreign:
            note_frozen(Ledger(place.study(part.search.name)), part.frozen.number if part.frozen else None)


def _header(staged: StagedSearch, place: Workplace, course_of: Sequence[Part]) -> dict[str, Any]:
    declared: dict[str, Any] = plain(
        {
            "kind": "staged",
            "name": staged.name,
            "question": staged.question,
            "cost": staged.cost,
            "method": staged.method.name,
            "scale": staged.scale,
            "selection": staged.selection,
            "task": staged.task,
            "layout": staged.task.layout,
            "cohort": place.cohort,
            "subjects": len(place.roster.subjects),
            "about": place.about,
            "commit": place.about.get("git_commit"),
            "seeds": settle(staged.seeds, staged.scale, "seeds"),
            "fixed": settled(staged.fixed, staged.scale),
            "published": settled(staged.published, staged.scale),
            "published_in": staged.published_in,
            "weights": staged.weights,
            "groups": [_group(staged, part.group, part) for part in course_of if part.group],
            "refused": next((str(part.refusal) for part in course_of if part.refusal), ""),
            "refinement": _refinement(staged, course_of[-1].search),
        }
    )
    return declared


def _group(staged: StagedSearch, group: Group, part: Part) -> dict[str, Any]:
    search, here = part.search, part.search.settled
    return {
        "name": group.name,
        "study": search.name,
        "metric": search.metric,
        "direction": search.objectives[search.metric],
        "scored_stage": group.scored_stage,
        "space": {knob: domain_of(domain) for knob, domain in here.space.items()},
        "fixed": settled(group.fixed, staged.scale),
        "trials": here.trials,
        "finalists": here.finalists,
        "rule": str(group.freeze),
        "bound": group.freeze if isinstance(group.freeze, Reaching) else None,
        "frozen": part.frozen,
        "overtaken": part.overtaken,
        "pinned": part.pin,
    }


def _refinement(staged: StagedSearch, search: Search) -> dict[str, Any] | None:
    if staged.refinement is None:
        return None
    return {
        "study": search.name,
        "metric": search.metric,
        "direction": search.objectives[search.metric],
        "trials": search.settled.trials,
        "finalists": search.settled.finalists,
        "factor": staged.refinement.factor,
        "knobs": list(search.settled.space),
    }
