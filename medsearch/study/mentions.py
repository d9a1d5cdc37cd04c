"""Which stages the studies of a home mention, and which of them no report needs whole.

A search that has ended needs the weights of its finalists, references and prefixes, and of the trial that a staged
search froze; its other trials only have to be shown. The same holds for the candidates of a row that were not chosen.
A study that has not ended, or is being run, may still need everything.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import BadInput
from medsearch.core.locks import free
from medsearch.core.paths import DAMAGED
from medsearch.study.ledger import HEADER, Ledger, RunRecord, fold

DRIVER_LOCK = "driver.lock"


@final
@dataclass(frozen=True)
class Mentions:
    """Stage keys: all that a study names, and those among them of which only numbers and pictures are needed."""

    keys: frozenset[str]
    spare: frozenset[str]


def mentions(home: Path) -> Mentions:
    """Of all studies in `home`.

    Raises:
        BadInput: a study's header cannot be read, or has been set aside, or a line of its ledger cannot be read: nobody
            knows what the study needs.

    """
    keys: set[str] = set()
    needed: set[str] = set()
    for folder in sorted(path for path in (home / "studies").glob("*") if path.is_dir()):
        found = _of(folder)
        keys |= found.keys
        needed |= found.keys - found.spare
    return Mentions(frozenset(keys), frozenset(keys - needed))


def _of(folder: Path) -> Mentions:
    ledger = Ledger(folder)
    _require_whole(ledger)
    try:
        header, events = ledger.header(), list(ledger.events())
        listed = {stage["key"] for event in events for stage in event.get("stages", ())}
        listed |= {key for owner in _owners(header) for _, key in owner["stages"]}
        spare = _spare(header, fold(events).values()) if _rests(folder) else set()
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"{folder / HEADER} or the ledger beside it cannot be read ({error!r}); mend it, or remove {folder}"
        raise BadInput(msg) from error
    return Mentions(frozenset(listed), frozenset(spare))


def _require_whole(ledger: Ledger) -> None:
    """Refuse a study of which something is lost that may have mentioned a stage.

    Raises:
        BadInput: such as a ledger of which a line is faulty.

    """
    folder, lost = ledger.folder, [f"{error.what} {error.problem}" for error in ledger.unrecovered()]
    if not (folder / HEADER).exists():
        lost += [f"{path} was set aside as damaged" for path in sorted(folder.glob(f"{HEADER}{DAMAGED}*"))]
    if lost:
        msg = (
            f"{lost[0]}, so stages of study {folder.name!r} may look as if nothing needed them: run the study again "
            f"first, to its end; or, if it is not wanted any more, remove {folder}"
        )
        raise BadInput(msg)


def _rests(folder: Path) -> bool:
    """Whether nobody runs the study now."""
    if not (folder / DRIVER_LOCK).exists():
        return True
    with free(folder / DRIVER_LOCK) as mine:
        return mine


def _owners(header: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from header.get("cells", ())
    yield from header.get("candidates", ())


def _spare(header: Mapping[str, Any], runs: Iterable[RunRecord]) -> set[str]:
    """What is listed by nothing but trials, or candidates, that lost."""
    if header.get("kind", "search") == "ablation":
        lost, others = _candidates(header)
    else:
        lost, others = _trials(header, list(runs))
    return lost - others


def _candidates(header: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    decided = {(one["variant"], one["task"]) for one in header["candidates"] if one["chosen"]}
    lost: set[str] = set()
    others: set[str] = set()
    for one in _owners(header):
        is_lost = not one.get("chosen", True) and (one["variant"], one["task"]) in decided
        (lost if is_lost else others).update(key for _, key in one["stages"])
    return lost, others


def _trials(header: Mapping[str, Any], runs: list[RunRecord]) -> tuple[set[str], set[str]]:
    chosen, frozen = header.get("chosen", ()), header.get("frozen")
    trials = {run.number: run.state for run in runs if run.role == "trial"}
    ended = bool(chosen) and all(trials.get(number, "running") != "running" for number in range(header["trials"]))
    lost: set[str] = set()
    others: set[str] = set()
    for run in runs:
        is_lost = ended and run.role == "trial" and run.number not in (*chosen, frozen) and run.state != "running"
        (lost if is_lost else others).update(key for _, key in run.stages)
    return lost, others
