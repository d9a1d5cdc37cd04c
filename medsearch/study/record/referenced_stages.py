"""Which stages the studies of a home mention, and which of them no report needs whole.

A search that has ended needs the weights of its finalists, references and prefixes, and of the trial that a staged
search froze; its other trials only have to be shown. The same holds for the candidates of a row that were not chosen.
A study that has not ended, or is being run, may still need everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """Keys of stages. keys: all that studies name; spare: those of which numbers and pictures alone are needed."""

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
        ledger = Ledger(folder)
        _require_whole(ledger)
        header, events = ledger.header(), list(ledger.events())
        listed = {stage.key for event in events if isinstance(event, Started) for stage in event.stages}
        if isinstance(header, AblationHeader):
            listed |= header.owners.keys()
        running = False
        if (folder / DRIVER_LOCK).exists():
            with free(folder / DRIVER_LOCK) as mine:
                running = not mine
        keys |= listed
        needed |= listed if running else listed - _spare(header, list(fold(events).values()))
    return ReferencedStages(frozenset(keys), frozenset(keys - needed))


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


def _spare(header: Header | None, runs: Sequence[RunRecord]) -> set[str]:
    """What is listed by nothing but trials, or candidates, that lost; nothing of a search that has not ended."""
    owners: Sequence[RunRecord | Cell | Candidate] = runs
    lost: list[RunRecord | Cell | Candidate] = []
    if isinstance(header, AblationHeader):
        owners = [*header.cells, *header.candidates]
        decided = {(candidate.row, candidate.column) for candidate in header.candidates if candidate.chosen}
        lost = [one for one in header.candidates if not one.chosen and (one.row, one.column) in decided]
    elif isinstance(header, SearchHeader) and header.chosen:
        trials = {run.number: run for run in runs if run.role == "trial" and run.state != "running"}
        if trials.keys() >= set(range(header.trials)):
            lost = [run for number, run in trials.items() if number not in (*header.chosen, header.frozen)]
    left = {id(owner) for owner in lost}
    others = {key for owner in owners if id(owner) not in left for _, key in owner.stages}
    return {key for owner in lost for _, key in owner.stages} - others
