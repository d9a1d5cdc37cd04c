"""Prepared arrays where they are read: copied once to each node, from a shared folder or from a URI.

A cluster without a shared disk publishes them to a bucket; on every node the first process that needs them fetches
them, the others wait for it and map the same copy into memory. Folders of prepared arrays are named by their content,
so a copy is never out of date. Copies are never removed: they lie in `<cache>/<name>`, for the user to remove.

A cache often lies in a folder that every user of the node can write to, and holds arrays of patients: it is made for
this user alone, and one that somebody else made, or can write to, is refused.
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from medsearch.cohorts.atomic_folder import (
    FILES,
    as_record,
    contents_of,
    damage_of,
    decoded_contents,
    set_aside,
    write_contents,
)
from medsearch.cohorts.prepared import CASES
from medsearch.core.contents import Content, verified_in
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import locked
from medsearch.core.ownership import private_folder
from medsearch.core.paths import below
from medsearch.core.records import sealed, sync_directory, warn_once
from medsearch.core.remote import Remote, each, local_sizes, remote_at


def publish(prepared: Path, uri: str) -> str:
    """Upload prepared arrays below `uri` unless they are there; the URI to give to `local_copy`.

    Raises:
        Unreachable: `uri` does not answer, or refuses.

    """
    base, separator, options = uri.partition("?")
    there = f"{base.rstrip('/')}/{prepared.name}{separator}{options}"
    remote = remote_at(there)
    if not remote.exists(FILES):
        contents = _contents(prepared)
        each(lambda name: remote.upload(prepared / name, name), contents)
        remote.write(FILES, json.dumps(sealed(as_record(contents)), indent=1).encode())
    return there


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
    if not _is_whole(copy):
        with locked(cache / f".{copy.name}.lock"):
            if not _is_whole(copy):
                _copied(where, copy)
    return copy


def _copied(where: str, copy: Path) -> None:
    if damage := damage_of(copy):
        set_aside(copy, damage)
    try:
        _copy(where, copy)
    except Damaged as error:
        if "://" in where:
            _set_aside_there(remote_at(where), error)
        else:
            set_aside(Path(where), error)
        raise


def _set_aside_there(remote: Remote, damage: Damaged) -> None:
    """Whoever publishes the arrays next then finds that they are not all there."""
    aside = f"damaged-{time.strftime('%Y%m%d-%H%M%S')}.json"
    remote.write(aside, remote.read(FILES) or b"")
    remote.remove(FILES)
    warn_once(f"{damage.what} {damage.problem}; {remote.shown}/{FILES} is {aside} now, the arrays are published anew")


def _copy(where: str, copy: Path) -> None:
    aside = copy.with_name(f".{copy.name}")  # what a kill left of it is used: whole files are not copied again
    aside.mkdir(parents=True, exist_ok=True)
    remote = remote_at(where)
    contents = _published(remote) if "://" in where else _contents(Path(where))
    verified = verified_in(copy.parent)
    missing = {name: of for name, of in contents.items() if verified.problem(f"{aside.name}/{name}", of)}
    _require_room(copy, sum(content.size for content in missing.values()))
    each(lambda name: remote.download(name, below(aside, name), wanted=contents[name]), missing)
    write_contents(aside, contents)
    shutil.rmtree(copy, ignore_errors=True)  # what is not whole is worth nothing
    aside.rename(copy)
    sync_directory(copy.parent)
    verified.note({f"{copy.name}/{name}": content for name, content in contents.items()})


def _published(remote: Remote) -> Mapping[str, Content]:
    content = remote.read(FILES)
    if content is None:
        msg = f"no prepared arrays at {remote.shown}, or not all of them yet; publish them"
        raise BadInput(msg)
    return decoded_contents(content, f"{remote.shown}/{FILES}")


def _contents(folder: Path) -> Mapping[str, Content]:
    """By name, what the files of a folder hold; of one from before digests were kept, their sizes alone."""
    if not (folder / CASES).exists():
        msg = f"no prepared arrays in {folder}: it has no {CASES}; prepare the cohort first"
        raise BadInput(msg)
    known = contents_of(folder)
    return known or {name: Content(size) for name, size in local_sizes(folder).items() if name != FILES}


def _is_whole(copy: Path) -> bool:
    return (copy / FILES).exists() and damage_of(copy) is None


def _require_room(copy: Path, needed: int) -> None:
    free = shutil.disk_usage(copy.parent).free
    if needed > free:
        msg = (
            f"{copy.parent}: a copy of {copy.name} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room"
        )
        raise BadInput(msg)
