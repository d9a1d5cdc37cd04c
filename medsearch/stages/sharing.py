"""Between a stage's folder on this node and its outputs at a URI: sent when it is finished, fetched when asked for.

A node holds of a stage that others trained its light outputs and its manifest, which says what else there is. An output
that is not there as it was sent makes the stage one that is not finished, here and there, so that it is trained anew.
"""

import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from medsearch.core import paths
from medsearch.core.contents import Content, digests_of, verified_in
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import free, locked
from medsearch.core.paths import below, name_aside
from medsearch.core.records import sync_directory, warn_once, write_bytes, write_sealed
from medsearch.core.remote import local_sizes
from medsearch.stages import renewal
from medsearch.stages.bucket import Bucket
from medsearch.stages.index import index_of
from medsearch.stages.manifest import (
    OUTPUT_REMEDY,
    REMEDY,
    contents_in,
    decoded_manifest,
    read_manifest,
    stored_manifest,
    with_contents,
)
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

    A mirror of a URI may hold the light ones alone. What is there but damaged is said: whoever takes it trains it anew.
    """
    if (folder / THINNED).exists():
        return False
    manifest = _manifest_here(folder)
    if manifest is None:
        return False
    damage = damages(folder, manifest)
    for error in damage:
        warn_once(f"{error.what} {error.problem}; where a stage takes it, it is trained anew")
    return not damage and all((folder / name).exists() for name in contents_in(manifest))


def damages(folder: Path, manifest: Mapping[str, Any], *, again: bool = False) -> list[Damaged]:
    """Every output in a stage's folder that is there, but not as its manifest says.

    again: read also what has not changed since it was read last.
    """
    contents = contents_in(manifest)
    return _damages(folder, {name: of for name, of in contents.items() if (folder / name).exists()}, again=again)


def _damages(folder: Path, contents: Mapping[str, Content], *, again: bool = False) -> list[Damaged]:
    problems = {name: _problem(folder, name, content, again=again) for name, content in contents.items()}
    return [Damaged(folder / name, problem, OUTPUT_REMEDY) for name, problem in problems.items() if problem]


def _problem(folder: Path, name: str, wanted: Content, *, again: bool) -> str:
    try:
        below(folder, name)
    except BadInput:
        return "is reached by a link that leads out of the stage's folder"
    return verified_in(folder.parent).problem(f"{folder.name}/{name}", wanted, again=again)


def require_no_links(folder: Path, key: str) -> None:
    """Refuse outputs that are links: what they lead to is not the stage's, and may change or go at any time.

    Raises:
        BadInput: one is.

    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            remedy = "have it write the file itself, or a copy of it (shutil.copyfile)"
            msg = f"stage {key} leaves {path.relative_to(folder)}, which is a link to {path.readlink()}; {remedy}"
            raise BadInput(msg)


def set_aside_damaged(folder: Path) -> tuple[Damaged, Path] | None:
    """Set a stage aside if its manifest or an output is damaged: what is, and where it is now; for whoever holds it.

    An output that is not there is no damage. None where all is sound, or the stage is not finished.
    """
    try:
        damage = damages(folder, read_manifest(folder / MANIFEST, folder.name))
    except FileNotFoundError:
        return None
    except Damaged as error:
        damage = [error]
    except OSError as error:
        damage = [Damaged(folder / MANIFEST, f"cannot be read ({error.strerror})", REMEDY)]
    return (damage[0], set_aside(folder)) if damage else None


def set_aside(folder: Path) -> Path:
    """Move all that a stage's folder holds, but for its locks, to a folder beside it; the stage is finished no more."""
    aside = name_aside(folder)
    aside.mkdir()
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name != MANIFEST):  # the manifest first
        if entry.name not in (LOCK, FETCHING, ASIDE):
            entry.rename(aside / entry.name)
    sync_directory(folder)
    sync_directory(aside)
    index_of(folder.parent).forget(folder.name)
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
        manifest = read_manifest(unsent, folder.name, sent=True)
        if damage := damages(folder, manifest):
            raise damage[0]
    except Damaged as error:
        warn_once(f"{error}; set aside as {paths.set_aside(unsent).name}")
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
            renewal.supersede(folder)
            shutil.rmtree(folder / REPLACED, ignore_errors=True)
        if _manifest_here(folder) is None:
            _fetch(bucket, folder, manifest, [name for name in contents_in(manifest) if is_light(name)])
            write_bytes(folder / MANIFEST, content)


def bring(bucket: Bucket | None, folder: Path, name: str) -> None:
    """See to it that the output `name`, or all in the folder of that name, lies here as it was written.

    Raises:
        BadInput: it was pruned, and the URI does not have it.
        Damaged: it is not as it was written, here or at the URI; its stage is set aside where nobody holds it.
        Unreachable: the URI does not answer.

    """
    manifest = _sent_manifest(bucket, folder) if bucket is not None else None
    if bucket is not None and manifest is not None:
        with locked(folder / FETCHING):
            _fetch(bucket, folder, manifest, _within(manifest, name))
        return
    if (folder / THINNED).exists() and not (folder / name).exists():
        msg = f"{name} of stage {folder.name} in {folder.parent} was pruned; run its study again to have it trained"
        raise BadInput(msg)
    manifest = stored_manifest(folder)
    contents = contents_in(manifest)
    if damage := _damages(folder, {one: contents[one] for one in _within(manifest, name)}):
        raise _set_aside_if_free(folder, damage[0])


def _set_aside_if_free(folder: Path, damage: Damaged) -> Damaged:
    """Set a stage aside of which somebody asks for a damaged output; `damage`, with what is to be done now."""
    found = None
    # another user's, or where nothing can be written or locked: it stays, and the damage is told all the same
    with suppress(OSError, BadInput), free(folder / LOCK) as mine:
        if mine:
            found = set_aside_damaged(folder)
    if found is None:
        return damage
    remedy = f"its stage is in {found[1]} now: run its study again, and it is trained anew"
    return Damaged(damage.what, damage.problem, remedy)


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
