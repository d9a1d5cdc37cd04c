"""Folders that are made once, and verified where they are used.

Whoever asks first writes, the others wait, and a kill leaves no half. `FILES` says what every other file of the folder
holds. A file that is not as it was written puts the folder aside, as <name>.damaged-<time>, and it is made anew.
Folders from before they had `FILES` are taken as they are.
"""

import shutil
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from medsearch.core import paths
from medsearch.core.contents import Content, State, digests_of, fault, recorded, state_of, verified_in
from medsearch.core.errors import Damaged
from medsearch.core.locks import locked
from medsearch.core.paths import below
from medsearch.core.records import parsed_json, read_record, sync_directory, unsealed, warn_once, write_sealed
from medsearch.core.remote import local_sizes

FILES = "files.json"
"""Bytes and digest of every other file of a folder, sealed; written last."""

REMEDY = "run again: its folder is set aside and made anew"


def made_once(directory: Path, record: str, write: Callable[[Path], None]) -> None:
    """See to it that `directory` is there with its `record`, the file that `write` writes last, and undamaged.

    `write` fills a folder aside, which then takes its name. Each file is read for that once on a node, and again only
    when it has changed.
    """
    folder = directory.parent
    if (directory / record).exists() and damage_of(directory) is None:
        return
    with locked(folder / f".{directory.name}.lock"):
        if (directory / record).exists():
            damage = damage_of(directory)
            if damage is None:
                return
            set_aside(directory, damage)
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
    write_contents(folder, contents)
    return contents


def write_contents(folder: Path, contents: Mapping[str, Content]) -> None:
    """Write down what the files of a folder should hold."""
    write_sealed(folder / FILES, as_record(contents))


def as_record(contents: Mapping[str, Content]) -> dict[str, Any]:
    """What `FILES` holds, without its seal."""
    sizes = {name: content.size for name, content in contents.items()}
    return {"files": sizes, "digests": {name: content.digest for name, content in contents.items()}}


def contents_of(folder: Path) -> dict[str, Content]:
    """What the files of a folder should hold; empty where it was made before that was written down.

    Raises:
        Damaged: the record of it is.

    """
    try:
        return _read(folder / FILES, state_of(folder / FILES))
    except FileNotFoundError:
        return {}


def decoded_contents(content: bytes, where: str) -> dict[str, Content]:
    """As `contents_of`, for a record that was read from `where`."""
    record = unsealed(parsed_json(content, where, remedy=REMEDY), where, remedy=REMEDY)
    if problem := _fault(record):
        raise Damaged(where, problem, REMEDY)
    return _contents(record)


def damage_of(directory: Path) -> Damaged | None:
    """The first file of a folder that is not as it was written."""
    return next(iter(damages(directory)), None)


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
        damage = damage_of(directory)
        if damage is not None:
            set_aside(directory, damage)
    return damage is not None


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


@lru_cache(maxsize=64)
def _read(path: Path, state: State) -> dict[str, Content]:  # noqa: ARG001 - a record that was changed is another one
    """An array is opened often, and its record may list thousands."""
    return _contents(read_record(path, remedy=REMEDY, fault=_fault))


def _contents(record: Mapping[str, Any]) -> dict[str, Content]:
    if isinstance(record.get("files"), dict):
        return recorded(record["files"], record.get("digests", {}))
    return recorded(record, {})  # as it was written before digests were kept


def _fault(record: Mapping[str, Any]) -> str:
    if isinstance(record.get("files"), dict):
        return fault(record["files"], record.get("digests", {}))
    return fault(record, {})
