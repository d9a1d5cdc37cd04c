"""Whether all that a home stores is as it was written: stages, prepared arrays, studies, and the databases beside them.

Nothing is changed. What is read of it is remembered, so that the studies that run next need not read it again.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import final

from medsearch.cohorts.atomic_folder import CASES, FILES
from medsearch.cohorts.atomic_folder import damages as array_damages
from medsearch.cohorts.atomic_folder import set_aside_damaged as set_arrays_aside
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import free
from medsearch.core.paths import DAMAGED, is_set_aside
from medsearch.core.records import SEAL, faulty_lines, read_json, read_record
from medsearch.core.remote import each
from medsearch.stages import sharing
from medsearch.stages.bucket import Bucket, outputs_folder
from medsearch.stages.index import INDEX, stage_names
from medsearch.stages.manifest import REMEDY, contents_in, decoded_manifest, is_sealed, read_manifest
from medsearch.stages.outputs import JOURNAL, LOCK, MANIFEST
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
    """What was looked at. stages, cohorts, studies: how many. unverifiable: how many stages and cohorts, and headers,
    are from before digests were kept. left: what was set aside in earlier days, and is still there. notes: what was not
    looked at, or will be ended by the next run; no damage.

    damaged_stages, damaged_cohorts: what would be set aside.
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


def verify(home: Path, store: Store, *, again: bool = True) -> Verification:
    """Look at all of a home. again: read also files that were read before and have not changed since.

    What cannot be read is a finding like any other, and the rest is looked at.

    Raises:
        Unreachable: the store's URI does not answer.

    """
    of = Verification()
    _look(of, store.root, lambda: _verify_stages(of, store, again=again))
    if store.bucket is not None:
        _verify_there(of, store.bucket)
    for folder in _folders(of, home / "cohorts"):
        _look(of, folder, partial(_verify_cohort, of, folder, again=again))
    for folder in _folders(of, home / "studies"):
        _verify_study(of, folder)
    if (home / HOME).exists():
        _look(of, home / HOME, lambda: stored_home_id(home))
    _look(of, home / "mlflow.db", lambda: _verify_database(of, home / "mlflow.db", TRACKING_REMEDY))
    of.left = sorted(
        path for place in ("", "stages/", "cohorts/", "studies/*/") for path in home.glob(f"{place}*{DAMAGED}*")
    )
    return of


def _folders(of: Verification, place: Path) -> list[Path]:
    """The folders in a folder, without what was set aside."""
    found: list[Path] = []
    if place.exists():
        _look(of, place, lambda: found.extend(path for path in sorted(place.iterdir()) if not is_set_aside(path.name)))
    return [path for path in found if path.is_dir()]


def _look(of: Verification, path: Path, look: Callable[[], object]) -> None:
    """Look at what lies at `path`; that it cannot be read is a finding."""
    try:
        look()
    except Damaged as error:
        of.findings.append(error)
    except OSError as error:
        of.findings.append(_unreadable(error, path))


def _unreadable(error: OSError, path: Path) -> Damaged:
    return Damaged(error.filename or path, f"cannot be read ({error.strerror or error})", UNREADABLE_REMEDY)


def set_aside(of: Verification, store: Store) -> Iterator[str]:
    """Set aside the stages and prepared arrays that were found damaged, so that they are made anew; a line for each.

    Each is looked at again while it is held: what was made anew meanwhile stays.
    """
    for key in sorted(of.damaged_stages):
        try:
            yield _set_stage_aside(store.folder(key))
        except OSError as error:
            yield f"stage {key} cannot be set aside ({error.strerror}): move it, as its owner"
        except BadInput as error:  # a link in the place of its lock
            yield f"stage {key} cannot be set aside: {error}"
    for folder in sorted(of.damaged_cohorts):
        damaged = set_arrays_aside(folder)
        if not folder.exists():
            yield f"{folder} was set aside"
        elif not damaged:
            yield f"{folder} is sound by now, and was left where it is"


def _set_stage_aside(folder: Path) -> str:
    with free(folder / LOCK) as mine:
        if not mine:
            return f"stage {folder.name} is held by a process, and was left where it is"
        if (found := sharing.set_aside_damaged(folder)) is None:
            return f"stage {folder.name} is sound by now, and was left where it is"
        return f"stage {folder.name} is in {found[1]} now"


def _verify_stages(of: Verification, store: Store, *, again: bool) -> None:
    def one(key: str) -> tuple[str, list[Damaged], bool]:
        try:
            return _verified_stage(store, key, again=again)
        except IsADirectoryError as error:  # in the place of a file of its own
            return key, [Damaged(error.filename, "is a folder in the place of a file", REMEDY)], True
        except OSError as error:
            return "", [_unreadable(error, store.root / key)], True

    keys = sorted(stage_names(store.root))
    for damaged, found, sealed in each(one, keys):
        of.findings += found
        of.unverifiable += not sealed
        of.damaged_stages |= {damaged} - {""}
    of.stages += len(keys)
    of.findings += faulty_lines(store.root / INDEX, passed_over=INDEX_REMEDY)


def _verified_stage(store: Store, key: str, *, again: bool) -> tuple[str, list[Damaged], bool]:
    """The key if the stage would be set aside, else nothing; what is damaged of it; and whether it can be verified."""
    folder = store.folder(key)
    try:
        manifest = read_manifest(folder / MANIFEST, key)
    except FileNotFoundError:
        return "", faulty_lines(folder / JOURNAL, fault=journal_fault, passed_over=EPOCH_LOST), True
    except Damaged as error:
        return key, [error], True
    damage = sharing.damages(folder, manifest, again=again)
    return (key if damage else ""), damage, is_sealed(manifest)


def _verify_there(of: Verification, bucket: Bucket) -> None:
    """Manifests at the URI, and the bytes of what they name; what these hold is verified when it is fetched."""
    sizes = bucket.remote.sizes("outputs")

    def one(key: str) -> list[Damaged]:
        content = bucket.manifest(key)
        if content is None:
            return []
        try:
            manifest = decoded_manifest(content, key, bucket.where(key))
        except Damaged as error:
            return [error]
        found, where = [], outputs_folder(key, manifest).removeprefix("outputs/")
        for name, wanted in contents_in(manifest).items():
            there = sizes.get(f"{where}/{name}")
            if there != wanted.size:
                problem = "is not there" if there is None else f"has {there} bytes, {wanted.size} were stored"
                found.append(Damaged(f"{bucket.remote.shown}/outputs/{where}/{name}", problem, URI_REMEDY))
        return found

    keys = sorted(bucket.keys())
    of.findings += [damage for found in each(one, keys) for damage in found]
    of.stages += len(keys)


def _verify_cohort(of: Verification, folder: Path, *, again: bool) -> None:
    if not (folder / CASES).exists():
        return
    of.cohorts += 1
    found = array_damages(folder, again=again)
    if not (folder / FILES).exists():
        of.unverifiable += 1
    of.findings += found
    if found:
        of.damaged_cohorts.add(folder)


def _verify_study(of: Verification, folder: Path) -> None:
    of.studies += 1
    ledger = Ledger(folder)
    _look(of, folder / HEADER, lambda: _verify_header(of, ledger))
    _look(of, ledger.path, lambda: of.findings.extend(ledger.faulty()))
    for path in sorted([*folder.glob("*.json"), *folder.glob("tracking/*.json")]):
        if path.name != HEADER:
            _look(of, path, partial(_verify_record, path))
    database = folder / "optuna.db"
    _look(of, database, lambda: _verify_database(of, database, SAMPLER_REMEDY))


def _verify_header(of: Verification, ledger: Ledger) -> None:
    header = ledger.folder / HEADER
    ledger.header()
    if header.exists() and SEAL not in read_json(header):
        of.unverifiable += 1


def _verify_record(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # a running study replaces it
        read_record(path, remedy="run its study again: it is written anew")


def _verify_database(of: Verification, path: Path, remedy: str) -> None:
    """SQLite's own check, which changes nothing: a database that a process is writing, or was killed in, is noted."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        kind = error.sqlite_errorcode & 0xFF  # of an extended code
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            of.notes.append(
                f"{path} is being written by a process, and was not looked at; verify again when it has ended"
            )
        elif kind == sqlite3.SQLITE_READONLY:  # its journal would have to be rolled back before it can be read
            of.notes.append(f"{path} has an unfinished transaction, which the next run ends; verify again after it")
        else:
            of.findings.append(Damaged(path, f"cannot be read ({error})", UNREADABLE_REMEDY))
        return
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        of.findings.append(Damaged(path, f"is no whole database ({answer})", remedy))
