"""Between a stage's folder on this node and its outputs at a URI: sent when it is finished, fetched when asked for.

A node holds of a stage that others trained its light outputs and its manifest, which says what else there is. An output
that is not there as it was sent makes the stage one that is not finished, here and there, so that it is trained anew.
"""

import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medsearch.core.contents import digests_of, verified_in
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import locked
from medsearch.core.paths import below, name_aside, set_aside
from medsearch.core.records import sync_directory, warn_once, write_bytes, write_sealed
from medsearch.core.remote import local_sizes
from medsearch.stages import renewal
from medsearch.stages.bucket import Bucket
from medsearch.stages.manifest import REMEDY, contents_in, decoded_manifest, read_manifest, with_contents
from medsearch.stages.outputs import ASIDE, FETCHING, JOURNAL, LOCK, MANIFEST, REPLACED, THINNED, is_light, own_files

UNSENT = ".unsent.json"
"""The manifest of a stage whose outputs are not all at the URI yet."""


def found(folder: Path) -> list[str]:
    """The names of all outputs in a stage's folder."""
    return [name for name in local_sizes(folder) if not own_files(name)]


def described(folder: Path, manifest: Mapping[str, Any], outputs: Iterable[str]) -> dict[str, Any]:
    """The manifest with the stage's key, and what every output and the journal hold, which is noted as verified."""
    names = [*outputs, *([JOURNAL] if (folder / JOURNAL).exists() else [])]
    contents = digests_of(folder, names)
    verified_in(folder.parent).note({f"{folder.name}/{name}": content for name, content in contents.items()})
    return with_contents(manifest, folder.name, contents)


def is_whole(folder: Path) -> bool:
    """Whether every output of a finished stage lies in its folder as it was written.

    A mirror of a URI may hold the light ones alone. What is there but damaged is said.
    """
    if (folder / THINNED).exists():
        return False
    manifest = _manifest_here(folder)
    if manifest is None:
        return False
    damage = damages(folder, manifest)
    for error in damage:
        warn_once(str(error))
    return not damage and all((folder / name).exists() for name in contents_in(manifest))


def damages(folder: Path, manifest: Mapping[str, Any], *, again: bool = False) -> list[Damaged]:
    """Every output in a stage's folder that is there, but not as its manifest says.

    again: read also what has not changed since it was read last.
    """
    verified, problems = verified_in(folder.parent), []
    for name, content in contents_in(manifest).items():
        path = below(folder, name, source=f"the manifest of stage {folder.name}")
        if path.exists() and (problem := verified.problem(f"{folder.name}/{name}", content, again=again)):
            problems.append(Damaged(path, problem, REMEDY))
    return problems


def put_aside(folder: Path) -> Path:
    """Move all that a stage's folder holds, but for its locks, to a folder beside it; the stage is finished no more."""
    aside = name_aside(folder)
    aside.mkdir()
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name != MANIFEST):  # the manifest first
        if entry.name not in (LOCK, FETCHING, ASIDE):
            entry.rename(aside / entry.name)
    sync_directory(folder)
    sync_directory(aside)
    return aside


def send(bucket: Bucket, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Make a stage whose outputs lie in `folder` finished at the URI, and then here."""
    write_sealed(folder / UNSENT, {**manifest, "attempt": secrets.token_hex(6)})
    send_unsent(bucket, folder)


def send_unsent(bucket: Bucket, folder: Path) -> bool:
    """Go on with a `send` that was cut short; whether there was one. What is damaged of it is trained again instead."""
    unsent = folder / UNSENT
    if not unsent.exists():
        return False
    try:
        manifest = read_manifest(unsent, folder.name)
        if damage := damages(folder, manifest):
            raise damage[0]
    except Damaged as error:
        warn_once(f"{error}; set aside as {set_aside(unsent).name}")
        return False
    bucket.send(folder.name, folder, manifest, unsent.read_bytes())
    unsent.replace(folder / MANIFEST)
    sync_directory(folder)
    return True


def adopt(bucket: Bucket, folder: Path, *, instead_of: float | None = None) -> None:
    """Bring a stage here that is finished at the URI: its light outputs first, then its manifest.

    instead_of: when the stage was finished that has been trained anew since; what is here of it goes.

    Raises:
        Damaged: what lies there is not as it was sent.

    """
    content = bucket.manifest(folder.name)
    if content is None:
        return
    manifest = decoded_manifest(content, folder.name, bucket.where(folder.name))
    with locked(folder / FETCHING):
        if instead_of is not None and renewal.is_of(folder / MANIFEST, instead_of):
            renewal.put_aside(folder)
            shutil.rmtree(folder / REPLACED, ignore_errors=True)
        if _manifest_here(folder) is None:
            _fetch(bucket, folder, manifest, [name for name in contents_in(manifest) if is_light(name)])
            write_bytes(folder / MANIFEST, content)


def bring(bucket: Bucket | None, folder: Path, name: str) -> None:
    """See to it that the output `name`, or all in the folder of that name, lies here as it was written.

    Raises:
        BadInput: it was pruned, and the URI does not have it.
        Damaged: it is not as it was written, here or at the URI.

    """
    manifest = _sent_manifest(bucket, folder) if bucket is not None else None
    if bucket is not None and manifest is not None:
        with locked(folder / FETCHING):
            _fetch(bucket, folder, manifest, _within(manifest, name))
        return
    if (folder / THINNED).exists() and not (folder / name).exists():
        msg = f"{name} of stage {folder.name} in {folder.parent} was pruned; run its study again to have it trained"
        raise BadInput(msg)
    manifest, verified = read_manifest(folder / MANIFEST, folder.name), verified_in(folder.parent)
    contents = contents_in(manifest)
    for one in _within(manifest, name):
        path = below(folder, one, source=f"the manifest of stage {folder.name}")
        if problem := verified.problem(f"{folder.name}/{one}", contents[one]):
            raise Damaged(path, problem, REMEDY)


def _within(manifest: Mapping[str, Any], name: str) -> list[str]:
    return [one for one in contents_in(manifest) if one == name or one.startswith(f"{name}/")]


def _fetch(bucket: Bucket, folder: Path, manifest: Mapping[str, Any], names: list[str]) -> None:
    try:
        bucket.fetch(folder.name, folder, manifest, names)
    except Damaged as error:
        aside = bucket.set_aside(folder.name)
        (folder / MANIFEST).unlink(missing_ok=True)
        warn_once(f"{error}; its manifest there is {aside} now")
        raise


def _manifest_here(folder: Path) -> Mapping[str, Any] | None:
    try:
        return read_manifest(folder / MANIFEST, folder.name)
    except (OSError, Damaged):  # whoever asks for the stage is told so
        return None


def _sent_manifest(bucket: Bucket, folder: Path) -> Mapping[str, Any] | None:
    """The manifest here if it came from the URI or was sent there, else the one at the URI."""
    here = _manifest_here(folder)
    if here is not None and "attempt" in here:
        return here
    content = bucket.manifest(folder.name)
    return None if content is None else decoded_manifest(content, folder.name, bucket.where(folder.name))
