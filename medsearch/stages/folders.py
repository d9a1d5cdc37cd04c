"""The folder of a finished stage on this node: checked, set aside, sent to a URI, fetched from there, trained anew.

A node holds of a stage that others trained its light outputs and its manifest, which says what else there is. An output
that is not there as it was sent makes the stage one that is not finished, here and there, so that it is trained anew.

Of a stage that is trained anew, what it was is kept in its folder until the new one is finished. Whoever holds the
stage moves manifest, outputs and journal to `.replaced`, the manifest first: from then on the stage is an unfinished
one, which is trained, interrupted and resumed as any other. A mark says that the move has begun, so that whoever holds
the stage after a kill ends it. The new manifest names what it replaces.
"""

import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from medsearch.core import paths
from medsearch.core.codec import encoded
from medsearch.core.contents import digests_of, verified_in
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import free, locked
from medsearch.core.paths import below, name_aside
from medsearch.core.records import sync_directory, warn_once, write_bytes, write_sealed
from medsearch.stages.bucket import Bucket
from medsearch.stages.index import INDEX, index_of
from medsearch.stages.manifest import (
    ASIDE,
    FETCHING,
    JOURNAL,
    LOCK,
    MANIFEST,
    OUTPUT_REMEDY,
    REMEDY,
    REPLACED,
    THINNED,
    Manifest,
    Replaced,
    decoded_manifest,
    is_light,
    read_manifest,
    stored_manifest,
)

UNSENT = ".unsent.json"
"""The manifest of a stage whose outputs are not all at the URI yet."""
MOVING = ".replacing"
"""Marks that what a finished stage is has begun to be moved to `.replaced`."""


def described(folder: Path, manifest: Manifest, outputs: Iterable[str]) -> Manifest:
    """The manifest with the stage's key, and what every output and the journal hold, which is noted as verified."""
    contents = digests_of(folder, [*outputs, *([JOURNAL] if (folder / JOURNAL).exists() else [])])
    verified_in(folder.parent).note({f"{folder.name}/{name}": content for name, content in contents.items()})
    files = {name: content.size for name, content in contents.items()}
    digests = {name: content.digest for name, content in contents.items()}
    return replace(manifest, key=folder.name, files=files, digests=digests)


def is_whole(folder: Path) -> bool:
    """Whether every output of a finished stage lies in its folder as it was written.

    A mirror of a URI may hold the light ones alone. What is there but damaged is said: whoever takes it trains it anew.
    """
    manifest = None if (folder / THINNED).exists() else _manifest_here(folder)
    if manifest is None:
        return False
    damage = damages(folder, manifest)
    for error in damage:
        warn_once(f"{error.what} {error.problem}; where a stage takes it, it is trained anew")
    return not damage and all((folder / name).exists() for name in manifest.files)


def damages(
    folder: Path, manifest: Manifest, *, names: Iterable[str] | None = None, again: bool = False
) -> list[Damaged]:
    """Every output in a stage's folder that is not as its manifest says; of `names`, also those that are not there.

    again: read also what has not changed since it was read last.
    """
    if names is None:
        names = [name for name in manifest.files if (folder / name).exists()]
    verified, found = verified_in(folder.parent), []
    for name in names:
        try:
            below(folder, name)
        except BadInput:
            problem = "is reached by a link that leads out of the stage's folder"
        else:
            problem = verified.problem(f"{folder.name}/{name}", manifest.contents[name], again=again)
        if problem:
            found.append(Damaged(folder / name, problem, OUTPUT_REMEDY))
    return found


def set_aside_damaged(folder: Path) -> tuple[Damaged, Path] | None:
    """Set a stage aside if its manifest or an output is damaged: what is, and where it is now; for whoever holds it.

    An output that is not there is no damage. None where all is sound, or the stage is not finished. All that the folder
    holds, but for its locks, goes to a folder beside it.
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


def send(bucket: Bucket, folder: Path, manifest: Manifest) -> None:
    """Make a stage whose outputs lie in `folder` finished at the URI, and then here."""
    write_sealed(folder / UNSENT, encoded(replace(manifest, attempt=secrets.token_hex(6))))
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
        if instead_of is not None and is_of(folder / MANIFEST, instead_of):
            supersede(folder)
            shutil.rmtree(folder / REPLACED, ignore_errors=True)
        if _manifest_here(folder) is None:
            _fetch(bucket, folder, manifest, [name for name in manifest.files if is_light(name)])
            write_bytes(folder / MANIFEST, content)


def bring(bucket: Bucket | None, folder: Path, name: str) -> None:
    """See to it that the output `name`, or all in the folder of that name, lies here as it was written.

    Raises:
        BadInput: it was pruned, and the URI does not have it.
        Damaged: it is not as it was written, here or at the URI; its stage is set aside where nobody holds it.
        Unreachable: the URI does not answer.

    """
    manifest = None
    if bucket is not None:
        manifest = _manifest_here(folder)
        if manifest is None or not manifest.attempt:  # it neither came from the URI nor was sent there
            content = bucket.manifest(folder.name)
            where = bucket.where(folder.name)
            manifest = None if content is None else decoded_manifest(content, folder.name, where)
    if bucket is not None and manifest is not None:
        with locked(folder / FETCHING):
            _fetch(bucket, folder, manifest, _within(manifest, name))
        return
    if (folder / THINNED).exists() and not (folder / name).exists():
        msg = f"{name} of stage {folder.name} in {folder.parent} was pruned; run its study again to have it trained"
        raise BadInput(msg)
    manifest = stored_manifest(folder)
    damage = damages(folder, manifest, names=_within(manifest, name))
    if not damage:
        return
    moved = None
    # another user's, or where nothing can be written or locked: it stays, and the damage is told all the same
    with suppress(OSError, BadInput), free(folder / LOCK) as mine:
        if mine:
            moved = set_aside_damaged(folder)
    if moved is None:
        raise damage[0]
    remedy = f"its stage is in {moved[1]} now: run its study again, and it is trained anew"
    raise Damaged(damage[0].what, damage[0].problem, remedy)


def _within(manifest: Manifest, name: str) -> list[str]:
    """The output of that name, or all in the folder of that name."""
    return [output for output in manifest.files if output == name or output.startswith(f"{name}/")]


def _fetch(bucket: Bucket, folder: Path, manifest: Manifest, names: list[str]) -> None:
    try:
        bucket.fetch(folder.name, folder, manifest, names)
    except Damaged as error:
        aside = bucket.set_aside(folder.name)
        (folder / MANIFEST).unlink(missing_ok=True)
        warn_once(f"{error}; its manifest there is {aside} now")
        raise


def _manifest_here(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder / MANIFEST, folder.name)
    except (OSError, Damaged):  # whoever asks for the stage is told so
        return None


def manifest_at(path: Path) -> Manifest | None:
    """The manifest in a stage's folder, or of what it replaces; None if it is not there, or damaged: that is said."""
    folder = path.parent.parent if path.parent.name == REPLACED else path.parent
    try:
        return read_manifest(path, folder.name)
    except OSError:
        return None
    except Damaged as error:
        warn_once(str(error))
        return None


def is_of(path: Path, finished: float) -> bool:
    """Whether the manifest of a stage lies at `path` that was finished at that time, which tells it from any other."""
    manifest = manifest_at(path)
    return manifest is not None and manifest.finished == finished


def supersede(folder: Path) -> None:
    """Keep what a finished stage is in `.replaced`; it is not finished any more."""
    write_bytes(folder / MOVING, b"")
    shutil.rmtree(folder / REPLACED, ignore_errors=True)
    (folder / REPLACED).mkdir()
    (folder / MANIFEST).rename(folder / REPLACED / MANIFEST)
    sync_directory(folder)
    forget_summary(folder)
    end_move(folder)


def end_move(folder: Path) -> None:
    """End what `supersede` has begun. One that did not get as far as the manifest has not begun."""
    if not (folder / MOVING).exists():
        return
    if not (folder / MANIFEST).exists():
        for entry in sorted(folder.iterdir()):
            if entry.name != LOCK and not entry.name.startswith("."):
                entry.rename(folder / REPLACED / entry.name)
        sync_directory(folder / REPLACED)
    (folder / MOVING).unlink()


def replaced_time(folder: Path) -> float | None:
    """When the stage was finished that is, or was, trained anew (Unix seconds); None if there was none."""
    was = manifest_at(folder / REPLACED / MANIFEST)
    if was is not None and was.finished is not None:
        return was.finished
    now = manifest_at(folder / MANIFEST)
    return now.replaces.finished if now is not None and now.replaces is not None else None


def replaced(folder: Path) -> Replaced | None:
    """For the manifest of a stage that was trained anew: when and by which code it had been."""
    was = manifest_at(folder / REPLACED / MANIFEST)
    return Replaced(finished=was.finished, code=was.training_code.words) if was and was.finished else None


def forget_summary(folder: Path) -> None:
    """Have the index of all stages made anew: what it says of this one is not true any more."""
    index_of(folder.parent).forget(folder.name)
    (folder.parent / INDEX).unlink(missing_ok=True)
