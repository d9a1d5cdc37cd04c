"""Pinning: what a group froze stands as long as what it was decided from does.

A run that failed is tried again when its study is, and if it succeeds then, another trial may come to rank first. Later
groups stand on the earlier decision, so it is taken again only where a declared number has changed, or the group's
folder has been begun anew. The memory is the header of the staged search, which is kept twice (`ledger`).
"""

from dataclasses import replace
from typing import Any

from medsearch.core.recipes import plain
from medsearch.study.freezing import option
from medsearch.study.jobs import Workplace
from medsearch.study.ledger import Ledger
from medsearch.study.record import Frozen, Pin, StagedHeader
from medsearch.study.rules import Rule
from medsearch.study.search import Search


def pins(staged: str, place: Workplace) -> dict[str, Pin]:
    """The pins of the staged search of that name, by the names of its groups' studies."""
    header = Ledger(place.study(staged)).header(StagedHeader)
    return {group.study: group.pinned for group in (header.groups if header else ()) if group.pinned}


def pinned(pin: Pin | None, search: Search, rule: Rule, place: Workplace) -> Frozen | None:
    """What was frozen, with choices as they are declared; None where it was decided from something else."""
    if pin is None or pin.decided != decided(search, rule, place):
        return None
    knobs = {knob: option(search, knob, value) for knob, value in pin.frozen.knobs.items()}
    return replace(pin.frozen, knobs=knobs)


def decided(search: Search, rule: Rule, place: Workplace) -> dict[str, Any]:
    """What a decision rests on beside the runs: declared numbers, the rule, and when the group's folder was begun."""
    here = search.settled
    header = Ledger(place.study(search.name)).header()
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
