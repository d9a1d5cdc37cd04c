"""The header of a staged search: what each group searched, what it froze and why.

It says what the ledgers of the groups' own studies amount to, and can be written again from them at any moment.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.recipes import plain
from medsearch.study.conducting import StudyFailed
from medsearch.study.freezing import Frozen, freeze, standing
from medsearch.study.identity import domain_of
from medsearch.study.jobs import Planner, Workplace
from medsearch.study.ledger import Ledger
from medsearch.study.search import Search
from medsearch.study.setups import settle
from medsearch.study.staged import StagedSearch, refinement_of, search_of

KIND = "staged"


def frozen_by_now(staged: StagedSearch, place: Workplace) -> tuple[tuple[Frozen, ...], str]:
    """What the groups have frozen, in their order, and why the next one cannot be where its trials are there."""
    frozen: list[Frozen] = []
    for index, group in enumerate(staged.groups):
        search = search_of(staged, index, point_of(frozen))
        at = standing(Planner(search, place))
        if since := moved(staged, search, place):
            return tuple(frozen), f"study {search.name!r} stands on other frozen values: {since}; remove its folder"
        if not at.ended:
            break
        try:
            frozen.append(freeze(search, group.freeze, at, place.store))
        except StudyFailed as refusal:
            return tuple(frozen), str(refusal)
    return tuple(frozen), ""


def moved(staged: StagedSearch, search: Search, place: Workplace) -> str:
    """In which frozen values `search` differs from what its folder was begun with; empty if in none, or not begun."""
    header = Ledger(place.study(search.name)).header()
    stood = {**header.get("fixed", {}), **header.get("start", {})}
    stands = plain({**search.settled.fixed, **search.settled.start})
    before = staged.groups[: staged.studies.index(search.name)]
    frozen = [knob for group in before for knob in group.space if knob in stood and knob in stands]
    told = (f"{knob} = {_shown(stands[knob])} instead of {_shown(stood[knob])}" for knob in frozen)
    return ", ".join(line for knob, line in zip(frozen, told, strict=True) if stands[knob] != stood[knob])


def parts(header: Mapping[str, Any]) -> tuple[str, ...]:
    """The studies that a header speaks of: the searches of a staged search; none of any other kind."""
    if header.get("kind") != KIND:
        return ()
    last = [header["refinement"]["study"]] if header["refinement"] else []
    return (*(group["study"] for group in header["groups"]), *last)


def point_of(frozen: Iterable[Frozen]) -> dict[str, Any]:
    """The values of all knobs that are frozen."""
    return {knob: value for one in frozen for knob, value in one.knobs.items()}


def describe(staged: StagedSearch, place: Workplace) -> None:
    """Bring the header up to date.

    Raises:
        BadInput: the folder is that of another kind of study, scale or cohort.

    """
    ledger = Ledger(place.study(staged.name))
    old = ledger.header()
    header = {**_header(staged, place), "begun": old.get("begun", time.time())}
    theirs, ours = old.get("identity"), header["identity"]
    if old and theirs != ours:
        parts = ", ".join(part for part in ours if (theirs or {}).get(part) != ours[part])
        msg = (
            f"study {staged.name!r} in {ledger.folder} was begun with another {parts}; "
            "choose another --home or study name, or remove the folder"
        )
        raise BadInput(msg)
    if old != header:
        ledger.write_header(header)


def _header(staged: StagedSearch, place: Workplace) -> dict[str, Any]:
    frozen, refusal = frozen_by_now(staged, place)
    point = point_of(frozen)
    declared: dict[str, Any] = plain(
        {
            "kind": KIND,
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
            "fixed": {knob: settle(value, staged.scale, knob) for knob, value in staged.fixed.items()},
            "published": {knob: settle(value, staged.scale, knob) for knob, value in staged.published.items()},
            "published_in": staged.published_in,
            "weights": staged.weights,
            "groups": [_group(staged, index, point, frozen[index : index + 1]) for index in range(len(staged.groups))],
            "refused": refusal,
            "refinement": _refinement(staged, point),
            "identity": {"kind of study": KIND, "scale": staged.scale, "cohort": place.cohort},
        }
    )
    return declared


def _group(staged: StagedSearch, index: int, point: Mapping[str, Any], frozen: Sequence[Frozen]) -> dict[str, Any]:
    group, search = staged.groups[index], search_of(staged, index, {**staged.stand_in, **point})
    here = search.settled
    own = group.at(staged.scale).fixed
    return {
        "name": group.name,
        "study": search.name,
        "metric": search.metric,
        "direction": search.objectives[search.metric],
        "scored_stage": group.scored_stage,
        "space": {knob: domain_of(domain) for knob, domain in here.space.items()},
        "fixed": own,
        "trials": here.trials,
        "finalists": here.finalists,
        "rule": str(group.freeze),
        "frozen": frozen[0] if frozen else None,
    }


def _refinement(staged: StagedSearch, point: Mapping[str, Any]) -> dict[str, Any] | None:
    if staged.refinement is None:
        return None
    search = refinement_of(staged, {**staged.stand_in, **point})
    return {
        "study": search.name,
        "metric": search.metric,
        "direction": search.objectives[search.metric],
        "trials": search.settled.trials,
        "finalists": search.settled.finalists,
        "factor": staged.refinement.factor,
        "knobs": list(search.settled.space),
    }


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
