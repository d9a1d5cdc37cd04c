"""Which stages the studies of a home mention, and which of them no report needs whole.

A search that has ended needs the weights of its finalists, references and prefixes, and of the trial that a staged
search froze; its other trials only have to be shown. The same holds for the candidates of a row that were not chosen.
A study that has not ended, or is being run, may still need everything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import final

from medsearch.core.errors import BadInput
from medsearch.core.locks import free
from medsearch.core.paths import DAMAGED
from medsearch.study.record.headers import AblationHeader, Candidate, Cell, Header, SearchHeader, Started
from medsearch.study.record.ledger import HEADER, Ledger, RunRecord, fold

DRIVER_LOCK = "driver.lock"


@final
@dataclass(frozen=True)
class ReferencedStages:
    """Stage keys: all that a study names, and those among them of which only numbers and pictures are needed."""

    keys: frozenset[str]
    spare: frozenset[str]


def referenced_stages(home: Path) -> ReferencedStages:
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
    return ReferencedStages(frozenset(keys), frozenset(keys - needed))


def _of(folder: Path) -> ReferencedStages:
    ledger = Ledger(folder)
    _require_whole(ledger)
    header, events = ledger.header(), list(ledger.events())
    listed = {stage.key for event in events if isinstance(event, Started) for stage in event.stages}
    if isinstance(header, AblationHeader):
        listed |= header.owners.keys()
    spare = _spare(header, list(fold(events).values())) if _rests(folder) else set()
    return ReferencedStages(frozenset(listed), frozenset(spare))


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


def _spare(header: Header | None, runs: Sequence[RunRecord]) -> set[str]:
    """What is listed by nothing but trials, or candidates, that lost."""
    if isinstance(header, AblationHeader):
        decided = {(one.row, one.column) for one in header.candidates if one.chosen}

        def lost(one: RunRecord | Cell | Candidate) -> bool:
            return isinstance(one, Candidate) and not one.chosen and (one.row, one.column) in decided

        owners: tuple[Cell | Candidate, ...] = (*header.cells, *header.candidates)
        return _keys(filter(lost, owners)) - _keys(filterfalse(lost, owners))
    if not isinstance(header, SearchHeader):
        return set()
    trials = {run.number: run for run in runs if run.role == "trial" and run.state != "running"}
    if not header.chosen or not trials.keys() >= set(range(header.trials)):
        return set()
    spared = {run.run for number, run in trials.items() if number not in (*header.chosen, header.frozen)}
    return _keys(run for run in runs if run.run in spared) - _keys(run for run in runs if run.run not in spared)


def _keys(of: Iterable[RunRecord | Cell | Candidate]) -> set[str]:
    return {key for one in of for _, key in one.stages}
