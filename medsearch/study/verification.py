"""Whether all that a home stores is as it was written: stages, prepared arrays, studies, and the databases beside them.

Nothing is changed. What is read of it is remembered, so that the studies that run next need not read it again.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from medsearch.core.errors import Damaged
from medsearch.core.locks import free
from medsearch.core.paths import DAMAGED, is_set_aside
from medsearch.core.records import SEAL, faulty_lines, read_json, read_record
from medsearch.core.remote import each
from medsearch.data.once import FILES
from medsearch.data.once import damages as array_damages
from medsearch.data.once import put_aside as put_arrays_aside
from medsearch.data.prepared import CASES
from medsearch.stages import sharing
from medsearch.stages.bucket import Bucket, outputs_folder
from medsearch.stages.index import INDEX, stage_names
from medsearch.stages.manifest import contents_in, decoded_manifest, is_sealed, read_manifest
from medsearch.stages.outputs import JOURNAL, LOCK, MANIFEST
from medsearch.stages.store import Store, journal_fault
from medsearch.study.ledger import HEADER, Ledger, event_fault

INDEX_REMEDY = "nothing is lost: whoever reads the index next takes what it lacks from the manifests"
SAMPLER_REMEDY = "remove it and run its study again: what the ledger has ended stays ended"
TRACKING_REMEDY = "remove it, then `medsearch sync` each study: everything in it is written anew"


@final
@dataclass
class Verification:
    """What was looked at. stages, cohorts, studies: how many. unverifiable: how many stages and cohorts, and headers,
    are from before digests were kept. left: what was set aside in earlier days, and is still there.

    damaged_stages, damaged_cohorts: what would be set aside.
    """

    findings: list[Damaged] = field(default_factory=list)
    stages: int = 0
    cohorts: int = 0
    studies: int = 0
    unverifiable: int = 0
    left: list[Path] = field(default_factory=list)
    damaged_stages: set[str] = field(default_factory=set)
    damaged_cohorts: dict[Path, Damaged] = field(default_factory=dict)


def verify(home: Path, store: Store, *, again: bool = True) -> Verification:
    """Look at all of a home. again: read also files that were read before and have not changed since.

    Raises:
        Unreachable: the store's URI does not answer.

    """
    of = Verification()
    _verify_stages(of, store, again=again)
    if store.bucket is not None:
        _verify_there(of, store.bucket)
    for folder in sorted(path for path in (home / "cohorts").glob("*") if (path / CASES).exists()):
        if not is_set_aside(folder.name):
            _verify_cohort(of, folder, again=again)
    for folder in sorted(path for path in (home / "studies").glob("*") if path.is_dir()):
        _verify_study(of, folder)
    _verify_database(of, home / "mlflow.db", TRACKING_REMEDY)
    of.left = sorted(path for place in ("stages", "cohorts", "studies/*") for path in home.glob(f"{place}/*{DAMAGED}*"))
    return of


def put_aside(of: Verification, store: Store) -> Iterator[str]:
    """Set aside the stages and prepared arrays that were found damaged, so that they are made anew; a line for each."""
    for key in sorted(of.damaged_stages):
        lock = store.folder(key) / LOCK
        lock.touch()
        with free(lock) as mine:
            if mine:
                yield f"stage {key} is in {sharing.put_aside(store.folder(key))} now"
            else:
                yield f"stage {key} is held by a process, and was left where it is"
    for folder, damage in of.damaged_cohorts.items():
        put_arrays_aside(folder, damage)
        yield f"{folder} was set aside"


def _verify_stages(of: Verification, store: Store, *, again: bool) -> None:
    def one(key: str) -> tuple[str, list[Damaged], bool]:
        folder = store.folder(key)
        found = faulty_lines(folder / JOURNAL, fault=journal_fault) if not (folder / MANIFEST).exists() else []
        try:
            manifest = read_manifest(folder / MANIFEST, key)
        except FileNotFoundError:
            return "", found, True
        except Damaged as error:
            return key, [*found, error], True
        damage = sharing.damages(folder, manifest, again=again)
        return (key if damage else ""), [*found, *damage], is_sealed(manifest)

    keys = sorted(stage_names(store.root))
    for damaged, found, sealed in each(one, keys):
        of.findings += found
        of.unverifiable += not sealed
        of.damaged_stages |= {damaged} - {""}
    of.stages += len(keys)
    index = store.root / INDEX
    of.findings += [Damaged(error.what, error.problem, INDEX_REMEDY) for error in faulty_lines(index)]


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
                remedy = "run its study again where the stage is taken: it is trained anew"
                found.append(Damaged(f"{bucket.remote.shown}/outputs/{where}/{name}", problem, remedy))
        return found

    keys = sorted(bucket.keys())
    of.findings += [damage for found in each(one, keys) for damage in found]
    of.stages += len(keys)


def _verify_cohort(of: Verification, folder: Path, *, again: bool) -> None:
    of.cohorts += 1
    found = array_damages(folder, again=again)
    if not (folder / FILES).exists():
        of.unverifiable += 1
    of.findings += found
    if found:
        of.damaged_cohorts[folder] = found[0]


def _verify_study(of: Verification, folder: Path) -> None:
    of.studies += 1
    ledger = Ledger(folder)
    try:
        ledger.header()
        if (folder / HEADER).exists() and SEAL not in read_json(folder / HEADER):
            of.unverifiable += 1
    except Damaged as error:
        of.findings.append(error)
    of.findings += faulty_lines(ledger.path, fault=event_fault)
    for path in sorted([*folder.glob("*.json"), *folder.glob("tracking/*.json")]):
        if path.name != HEADER:
            with contextlib.suppress(FileNotFoundError):
                _verify_record(of, path)
    _verify_database(of, folder / "optuna.db", SAMPLER_REMEDY)


def _verify_record(of: Verification, path: Path) -> None:
    try:
        read_record(path, remedy="run its study again: it is written anew")
    except Damaged as error:
        of.findings.append(error)


def _verify_database(of: Verification, path: Path, remedy: str) -> None:
    """SQLite's own check; a database that a process is writing is left to it."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return
        answer = str(error)
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        of.findings.append(Damaged(path, f"is no whole database ({answer})", remedy))
