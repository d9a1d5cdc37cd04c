"""`medsearch verify`: whether all that a home stores is as it was written: stages, prepared arrays, studies, databases.

Nothing is changed. What is read of it is remembered, so that the studies that run next need not read it again.
"""

import argparse
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import final

from medsearch.cohorts.atomic_folder import CASES, FILES
from medsearch.cohorts.atomic_folder import damages as array_damages
from medsearch.cohorts.atomic_folder import set_aside_damaged as set_arrays_aside
from medsearch.core.errors import BadInput, Damaged, printable
from medsearch.core.locks import free
from medsearch.core.paths import DAMAGED, is_set_aside
from medsearch.core.records import SEAL, faulty_lines, read_json, read_record
from medsearch.core.remote import each
from medsearch.core.terminal import say
from medsearch.reporting.wording import counted
from medsearch.stages.bucket import Bucket, outputs_folder
from medsearch.stages.folders import damages, set_aside_damaged
from medsearch.stages.index import INDEX, stage_names
from medsearch.stages.manifest import JOURNAL, LOCK, MANIFEST, REMEDY, decoded_manifest, read_manifest
from medsearch.stages.store import EPOCH_LOST, Store, journal_fault
from medsearch.study.record.ledger import HEADER, Ledger
from medsearch.tracking.origin import HOME, stored_home_id

INDEX_REMEDY = "nothing is lost: whoever reads the index next takes what it lacks from the manifests"
URI_REMEDY = "run its study again: where a stage takes it, it is trained anew"
SAMPLER_REMEDY = "bring it back from a copy, or move it aside and run its study again: it is filled from the ledger"
TRACKING_REMEDY = (
    "bring it back from a copy, or move it aside, then `medsearch sync` each study: runs are written anew, what "
    "somebody noted or tagged there by hand is not"
)
UNREADABLE_REMEDY = "see who may read it, and look at the disk"


@final
@dataclass
class Verification:
    """What was found in a home.

    findings: what is damaged, with a remedy each. damaged_stages, damaged_cohorts: keys and folders of what would be
    set aside.
    stages, cohorts, studies: how many were looked at. unverifiable: how many stages, cohorts and headers are from
    before digests were kept.
    left: what was set aside in earlier days, and is still there. notes: what was not looked at, or will be ended by the
    next run; no damage.
    """

    findings: list[Damaged] = field(default_factory=list)
    stages: int = 0
    cohorts: int = 0
    studies: int = 0
    unverifiable: int = 0
    left: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damaged_stages: set[str] = field(default_factory=set)
    damaged_cohorts: set[Path] = field(default_factory=set)


def print_verification(options: argparse.Namespace) -> int:
    """Say what is damaged, and set it aside if asked to; returns the exit code.

    Raises:
        BadInput: there is no such home.

    """
    home, began = options.home.resolve(), time.monotonic()
    if not home.is_dir():
        msg = f"no home {home}; name the folder that studies were run with: --home DIR"
        raise BadInput(msg)
    store = Store(home / "stages", options.store)
    verification = verify(home, store, again=not options.quick)
    lines = [f"error: {finding}" for finding in verification.findings]
    lines += [f"note: {note}" for note in verification.notes]
    for line in lines:
        say(printable(line))
    if options.set_aside:
        for line in set_aside(verification, store):
            say(printable(line))
    looked = f"{counted(verification.stages, 'stage')}, {counted(verification.cohorts, 'prepared cohort')}"
    studies = f"{verification.studies} {'study' if verification.studies == 1 else 'studies'}"
    seconds, count = time.monotonic() - began, counted(len(verification.findings), "finding")
    say(printable(f"{looked}, {studies} in {seconds:.1f} s: {count}"))
    if unknown := verification.unverifiable:
        say(f"from before digests were kept, so that nobody can tell if they changed: {unknown}")
    if left := verification.left:
        shown = ", ".join(map(str, left[:3])) + (", ..." if len(left) > 3 else "")
        say(printable(f"set aside, to be looked at and removed: {len(left)} ({shown})"))
    return BadInput.exit_code if verification.findings else 0


def verify(home: Path, store: Store, *, again: bool = True) -> Verification:
    """Look at all of a home. again: read also files that were read before and have not changed since.

    What cannot be read is a finding like any other, and the rest is looked at.

    Raises:
        Unreachable: the store's URI does not answer.

    """
    verification = Verification()
    _look(verification, store.root, lambda: _verify_stages(verification, store, again=again))
    if store.bucket is not None:
        _verify_bucket(verification, store.bucket)
    for folder in _folders(verification, home / "cohorts"):
        _look(verification, folder, partial(_verify_cohort, verification, folder, again=again))
    for folder in _folders(verification, home / "studies"):
        _verify_study(verification, folder)
    if (home / HOME).exists():
        _look(verification, home / HOME, lambda: stored_home_id(home))
    database = home / "mlflow.db"
    _look(verification, database, lambda: _verify_database(verification, database, TRACKING_REMEDY))
    verification.left = sorted(
        path for place in ("", "stages/", "cohorts/", "studies/*/") for path in home.glob(f"{place}*{DAMAGED}*")
    )
    return verification


def _folders(verification: Verification, parent: Path) -> list[Path]:
    """The folders in a folder, without what was set aside."""
    paths: list[Path] = []
    if parent.exists():
        _look(verification, parent, lambda: paths.extend(sorted(parent.iterdir())))
    return [path for path in paths if not is_set_aside(path.name) and path.is_dir()]


def _look(verification: Verification, path: Path, look: Callable[[], object]) -> None:
    """Look at what lies at `path`; that it cannot be read is a finding."""
    try:
        look()
    except Damaged as error:
        verification.findings.append(error)
    except OSError as error:
        verification.findings.append(_unreadable(error, path))


def _unreadable(error: OSError, path: Path) -> Damaged:
    return Damaged(error.filename or path, f"cannot be read ({error.strerror or error})", UNREADABLE_REMEDY)


def set_aside(verification: Verification, store: Store) -> Iterator[str]:
    """Set aside the stages and prepared arrays that were found damaged, so that they are made anew; a line for each.

    Each is looked at again while it is held: what was made anew meanwhile stays.
    """
    for key in sorted(verification.damaged_stages):
        folder = store.folder(key)
        try:
            with free(folder / LOCK) as mine:
                moved = set_aside_damaged(folder) if mine else None
            if moved:
                yield f"stage {key} is in {moved[1]} now"
            else:
                why = "sound by now" if mine else "held by a process"
                yield f"stage {key} is {why}, and was left where it is"
        except OSError as error:
            yield f"stage {key} cannot be set aside ({error.strerror}): move it, as its owner"
        except BadInput as error:  # a link in the place of its lock
            yield f"stage {key} cannot be set aside: {error}"
    for folder in sorted(verification.damaged_cohorts):
        damaged = set_arrays_aside(folder)
        if not folder.exists():
            yield f"{folder} was set aside"
        elif not damaged:
            yield f"{folder} is sound by now, and was left where it is"


def _verify_stages(verification: Verification, store: Store, *, again: bool) -> None:
    keys = sorted(stage_names(store.root))
    for damaged, findings, sealed in each(partial(_verified_stage, store, again=again), keys):
        verification.findings += findings
        verification.unverifiable += not sealed
        verification.damaged_stages |= {damaged} - {""}
    verification.stages += len(keys)
    verification.findings += faulty_lines(store.root / INDEX, passed_over=INDEX_REMEDY)


def _verified_stage(store: Store, key: str, *, again: bool) -> tuple[str, list[Damaged], bool]:
    """The key if the stage would be set aside, else nothing; what is damaged of it; and whether it can be verified."""
    folder = store.folder(key)
    try:
        try:
            manifest = read_manifest(folder / MANIFEST, key)
        except FileNotFoundError:
            return "", faulty_lines(folder / JOURNAL, fault=journal_fault, passed_over=EPOCH_LOST), True
        except Damaged as error:
            return key, [error], True
        damage = damages(folder, manifest, again=again)
        return (key if damage else ""), damage, bool(manifest.key)
    except IsADirectoryError as error:  # in the place of a file of its own
        return key, [Damaged(error.filename, "is a folder in the place of a file", REMEDY)], True
    except OSError as error:
        return "", [_unreadable(error, folder)], True


def _verify_bucket(verification: Verification, bucket: Bucket) -> None:
    """Manifests at the URI, and the bytes of what they name; what these hold is verified when it is fetched."""
    sizes = bucket.remote.sizes("outputs")

    def damages(key: str) -> list[Damaged]:
        content = bucket.manifest(key)
        if content is None:
            return []
        try:
            manifest = decoded_manifest(content, key, bucket.where(key))
        except Damaged as error:
            return [error]
        findings, where = [], outputs_folder(key, manifest).removeprefix("outputs/")
        for name, stored in manifest.contents.items():
            size = sizes.get(f"{where}/{name}")
            if size != stored.size:
                problem = "is not there" if size is None else f"has {size} bytes, {stored.size} were stored"
                findings.append(Damaged(f"{bucket.remote.shown}/outputs/{where}/{name}", problem, URI_REMEDY))
        return findings

    keys = sorted(bucket.keys())
    verification.findings += [damage for findings in each(damages, keys) for damage in findings]
    verification.stages += len(keys)


def _verify_cohort(verification: Verification, folder: Path, *, again: bool) -> None:
    if not (folder / CASES).exists():
        return
    verification.cohorts += 1
    verification.unverifiable += not (folder / FILES).exists()
    findings = array_damages(folder, again=again)
    verification.findings += findings
    if findings:
        verification.damaged_cohorts.add(folder)


def _verify_study(verification: Verification, folder: Path) -> None:
    verification.studies += 1
    ledger, path = Ledger(folder), folder / HEADER

    def header() -> None:
        ledger.header()
        verification.unverifiable += path.exists() and SEAL not in read_json(path)

    def record(path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # a running study replaces it
            read_record(path, remedy="run its study again: it is written anew")

    _look(verification, path, header)
    _look(verification, ledger.path, lambda: verification.findings.extend(ledger.faulty()))
    for written in sorted([*folder.glob("*.json"), *folder.glob("tracking/*.json")]):
        if written.name != HEADER:
            _look(verification, written, partial(record, written))
    database = folder / "optuna.db"
    _look(verification, database, lambda: _verify_database(verification, database, SAMPLER_REMEDY))


def _verify_database(verification: Verification, path: Path, remedy: str) -> None:
    """SQLite's own check, which changes nothing: a database that a process is writing, or was killed in, is noted."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        kind = error.sqlite_errorcode & 0xFF  # of an extended code
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            note = f"{path} is being written by a process, and was not looked at; verify again when it has ended"
            verification.notes.append(note)
        elif kind == sqlite3.SQLITE_READONLY:  # its journal would have to be rolled back before it can be read
            note = f"{path} has an unfinished transaction, which the next run ends; verify again after it"
            verification.notes.append(note)
        else:
            verification.findings.append(Damaged(path, f"cannot be read ({error})", UNREADABLE_REMEDY))
        return
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        verification.findings.append(Damaged(path, f"is no whole database ({answer})", remedy))
