"""Folders of prepared arrays: made once, verified where they are used, and copied once to each node.

Whoever asks first writes, the others wait, and a kill leaves no half. `FILES` says what every other file of the folder
holds. A file that is not as it was written puts the folder aside, as <name>.damaged-<time>, and it is made anew.
Folders from before they had `FILES` are taken as they are.

A cluster without a shared disk publishes its arrays to a bucket; on every node the first process that needs them
fetches them, the others wait for it and map the same copy into memory. Folders of prepared arrays are named by their
content, so a copy is never out of date. Copies are never removed: they lie in `<cache>/<name>`, for the user to remove.
A cache often lies in a folder that every user of the node can write to, and holds arrays of patients: it is made for
this user alone, and one that somebody else made, or can write to, is refused.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from medsearch.core import paths
from medsearch.core.contents import Content, State, digests_of, fault, recorded, state_of, verified_in
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import locked
from medsearch.core.ownership import private_folder
from medsearch.core.paths import below
from medsearch.core.records import parsed_json, read_record, sealed, sync_directory, unsealed, warn_once, write_sealed
from medsearch.core.remote import each, local_sizes, remote_at

CASES = "cases.json"
"""What was measured of each case; of the files that a folder of arrays must have, the one that is written last."""
FILES = "files.json"
"""Bytes and digest of every other file of a folder, sealed; written last."""

REMEDY = "run again: its folder is set aside and made anew"


def made_once(directory: Path, record: str, write: Callable[[Path], None]) -> None:
    """See to it that `directory` is there with its `record`, the file that `write` writes last, and undamaged.

    `write` fills a folder aside, which then takes its name. Each file is read for that once on a node, and again only
    when it has changed.
    """
    folder = directory.parent
    if (directory / record).exists() and not damages(directory):
        return
    with locked(folder / f".{directory.name}.lock"):
        if (directory / record).exists():
            damaged = damages(directory)
            if not damaged:
                return
            set_aside(directory, damaged[0])
        aside = folder / f".{directory.name}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write(aside)
        contents = record_contents(aside)
        shutil.rmtree(directory, ignore_errors=True)  # without its record it is worth nothing
        aside.rename(directory)
        sync_directory(folder)
        verified_in(folder).note({f"{directory.name}/{name}": content for name, content in contents.items()})


def record_contents(folder: Path) -> dict[str, Content]:
    """Write down what the files of a folder hold."""
    contents = digests_of(folder, [name for name in local_sizes(folder) if name != FILES])
    write_sealed(folder / FILES, _as_record(contents))
    return contents


def _as_record(contents: Mapping[str, Content]) -> dict[str, Any]:
    """What `FILES` holds, without its seal."""
    sizes = {name: content.size for name, content in contents.items()}
    return {"files": sizes, "digests": {name: content.digest for name, content in contents.items()}}


def _sizes_and_digests(record: Mapping[str, Any]) -> tuple[Any, Any]:
    """Of a record of files, by their names; no digests where it was written before they were kept."""
    files = record.get("files")
    return (files, record.get("digests", {})) if isinstance(files, dict) else (record, {})


def contents_of(folder: Path) -> dict[str, Content]:
    """What the files of a folder should hold; empty where it was made before that was written down.

    Raises:
        Damaged: the record of it is.

    """
    try:
        return _read(folder / FILES, state_of(folder / FILES))
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=64)
def _read(path: Path, state: State) -> dict[str, Content]:  # noqa: ARG001 - a record that was changed is another one
    """An array is opened often, and its record may list thousands."""
    record = read_record(path, remedy=REMEDY, fault=lambda record: fault(*_sizes_and_digests(record)))
    return recorded(*_sizes_and_digests(record))


def damages(directory: Path, *, again: bool = False) -> list[Damaged]:
    """Every file of a folder that is not as it was written. again: read also what was verified before."""
    try:
        contents = contents_of(directory)
    except Damaged as error:
        return [error]
    verified, damaged = verified_in(directory.parent), []
    for name, content in contents.items():
        if problem := verified.problem(f"{directory.name}/{name}", content, again=again):
            damaged.append(Damaged(directory / name, problem, REMEDY))
    return damaged


def verified_file(directory: Path, name: str) -> Path:
    """The path of one file of a folder.

    Raises:
        Damaged: it is not as it was written; its folder has been set aside, so that it is made anew.

    """
    path = below(directory, name)
    try:
        content = contents_of(directory).get(name)
        if content is not None and (
            problem := verified_in(directory.parent).problem(f"{directory.name}/{name}", content)
        ):
            raise Damaged(path, problem, REMEDY)
    except Damaged as error:
        set_aside(directory, error)
        raise
    return path


def set_aside_damaged(directory: Path) -> bool:
    """Set a folder aside if it is damaged, while nobody makes it; whether it was."""
    with locked(directory.parent / f".{directory.name}.lock"):
        damaged = damages(directory)
        if damaged:
            set_aside(directory, damaged[0])
    return bool(damaged)


def set_aside(directory: Path, damage: Damaged) -> None:
    """Set a damaged folder aside, and say so."""
    try:
        there = paths.set_aside(directory)
    except FileNotFoundError:  # another process was faster
        return
    except OSError as error:  # another user's, or a file system that is read only: the damage is what must be told
        warn_once(f"{directory} holds a damaged file and cannot be set aside ({error.strerror}); move it, as its owner")
        return
    warn_once(f"{damage.what} {damage.problem}; its folder is {there} now and made anew")


def publish(prepared: Path, uri: str) -> str:
    """Upload prepared arrays below `uri` unless they are there; the URI to give to `local_copy`.

    Raises:
        Unreachable: `uri` does not answer, or refuses.

    """
    base, separator, options = uri.partition("?")
    there = f"{base.rstrip('/')}/{prepared.name}{separator}{options}"
    remote = remote_at(there)
    if not remote.exists(FILES):
        contents = _arrays_in(prepared)
        each(lambda name: remote.upload(prepared / name, name), contents)
        remote.write(FILES, json.dumps(sealed(_as_record(contents)), indent=1).encode())
    return there


def _arrays_in(folder: Path) -> Mapping[str, Content]:
    """By name, what the files of a folder hold; of one from before digests were kept, their sizes alone."""
    if not (folder / CASES).exists():
        msg = f"no prepared arrays in {folder}: it has no {CASES}; prepare the cohort first"
        raise BadInput(msg)
    known = contents_of(folder)
    return known or {name: Content(size) for name, size in local_sizes(folder).items() if name != FILES}


def local_copy(prepared: str | Path, cache: Path | None) -> Path:
    """The folder to read prepared arrays from: a copy under `cache` on this node, made now if need be.

    prepared: a folder, or what `publish` returned. cache: None: a folder is read where it lies.

    Raises:
        BadInput: there are no arrays, no room for them, no cache to fetch them to, or others can write to the cache.
        Damaged: they are not as they were written where they come from, and have been set aside there.
        Unreachable: the URI does not answer.

    """
    where = str(prepared)
    if cache is None:
        if "://" in where:
            msg = f"prepared arrays at {remote_at(where).shown} must be copied to be read; give a cache folder"
            raise BadInput(msg)
        return Path(prepared)
    private_folder(cache)
    copy = cache / where.partition("?")[0].rstrip("/").rpartition("/")[2]
    if (copy / FILES).exists() and not damages(copy):
        return copy
    with locked(cache / f".{copy.name}.lock"):
        damaged = damages(copy)
        if (copy / FILES).exists() and not damaged:
            return copy
        if damaged:
            set_aside(copy, damaged[0])
        try:
            _copy(where, copy)
        except Damaged as error:
            if "://" not in where:
                set_aside(Path(where), error)
                raise
            # Whoever publishes the arrays next then finds that they are not all there.
            remote, aside = remote_at(where), f"damaged-{time.strftime('%Y%m%d-%H%M%S')}.json"
            remote.write(aside, remote.read(FILES) or b"")
            remote.remove(FILES)
            now = f"{remote.shown}/{FILES} is {aside} now, the arrays are published anew"
            warn_once(f"{error.what} {error.problem}; {now}")
            raise
    return copy


def _copy(where: str, copy: Path) -> None:
    """Fill `copy` with the arrays of a folder or a URI; whole files that a kill left of it are not copied again."""
    aside = copy.with_name(f".{copy.name}")
    aside.mkdir(parents=True, exist_ok=True)
    remote = remote_at(where)
    if "://" in where:
        content, record = remote.read(FILES), f"{remote.shown}/{FILES}"
        if content is None:
            msg = f"no prepared arrays at {remote.shown}, or not all of them yet; publish them"
            raise BadInput(msg)
        files = _sizes_and_digests(unsealed(parsed_json(content, record, remedy=REMEDY), record, remedy=REMEDY))
        if problem := fault(*files):
            raise Damaged(record, problem, REMEDY)
        contents: Mapping[str, Content] = recorded(*files)
    else:
        contents = _arrays_in(Path(where))
    verified = verified_in(copy.parent)
    missing = {name: file for name, file in contents.items() if verified.problem(f"{aside.name}/{name}", file)}
    needed, free = sum(file.size for file in missing.values()), shutil.disk_usage(copy.parent).free
    if needed > free:
        room = f"needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room"
        msg = f"{copy.parent}: a copy of {copy.name} {room}"
        raise BadInput(msg)
    each(lambda name: remote.download(name, below(aside, name), wanted=contents[name]), missing)
    write_sealed(aside / FILES, _as_record(contents))
    shutil.rmtree(copy, ignore_errors=True)  # what is not whole is worth nothing
    aside.rename(copy)
    sync_directory(copy.parent)
    verified.note({f"{copy.name}/{name}": content for name, content in contents.items()})
