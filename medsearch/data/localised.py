"""Prepared arrays where they are read: copied once to each node, from a shared folder or from a URI.

A cluster without a shared disk publishes them to a bucket; on every node the first process that needs them fetches
them, the others wait for it and map the same copy into memory. Folders of prepared arrays are named by their content,
so a copy is never out of date. Copies are never removed: they lie in `<cache>/<name>`, for the user to remove.

A cache often lies in a folder that every user of the node can write to, and holds arrays of patients: it is made for
this user alone, and one that somebody else made, or can write to, is refused.
"""

import json
import shutil
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.ownership import private_folder
from medsearch.core.records import read_json, sync_directory, write_json
from medsearch.core.remote import Remote, each, local_sizes, remote_at
from medsearch.data.prepared import CASES

SIZES = "files.json"
"""Bytes of every file by name, beside the arrays; written last."""


def publish(prepared: Path, uri: str) -> str:
    """Upload prepared arrays below `uri` unless they are there; the URI to give to `localised`.

    Raises:
        Unreachable: `uri` does not answer, or refuses.

    """
    base, separator, options = uri.partition("?")
    there = f"{base.rstrip('/')}/{prepared.name}{separator}{options}"
    remote = remote_at(there)
    if not remote.exists(SIZES):
        sizes = _sizes(prepared)
        each(lambda name: remote.upload(prepared / name, name), sizes)
        remote.write(SIZES, json.dumps(sizes, indent=1).encode())
    return there


def localised(prepared: str | Path, cache: Path | None) -> Path:
    """The folder to read prepared arrays from: a copy under `cache` on this node, made now if need be.

    prepared: a folder, or what `publish` returned. cache: None: a folder is read where it lies.

    Raises:
        BadInput: there are no arrays, no room for them, no cache to fetch them to, or others can write to the cache.
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
                _copy(where, copy)
    return copy


def _copy(where: str, copy: Path) -> None:
    aside = copy.with_name(f".{copy.name}")  # what a kill left of it is used: whole files are not copied again
    aside.mkdir(parents=True, exist_ok=True)
    remote = remote_at(where)
    sizes = _published(remote) if "://" in where else _sizes(Path(where))
    missing = {name: size for name, size in sizes.items() if not _is_file(aside / name, size)}
    _require_room(copy, sum(missing.values()))
    each(lambda name: remote.download(name, aside / name, size=sizes[name]), missing)
    write_json(aside / SIZES, sizes)
    shutil.rmtree(copy, ignore_errors=True)  # what is not whole is worth nothing
    aside.rename(copy)
    sync_directory(copy.parent)


def _published(remote: Remote) -> dict[str, int]:
    content = remote.read(SIZES)
    if content is None:
        msg = f"no prepared arrays at {remote.shown}, or not all of them yet; publish them"
        raise BadInput(msg)
    return dict(json.loads(content))


def _sizes(folder: Path) -> dict[str, int]:
    if not (folder / CASES).exists():
        msg = f"no prepared arrays in {folder}: it has no {CASES}; prepare the cohort first"
        raise BadInput(msg)
    return {name: size for name, size in local_sizes(folder).items() if name != SIZES}


def _is_whole(copy: Path) -> bool:
    if not (copy / SIZES).exists():
        return False
    return all(_is_file(copy / name, size) for name, size in read_json(copy / SIZES).items())


def _is_file(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _require_room(copy: Path, needed: int) -> None:
    free = shutil.disk_usage(copy.parent).free
    if needed > free:
        msg = (
            f"{copy.parent}: a copy of {copy.name} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room"
        )
        raise BadInput(msg)
