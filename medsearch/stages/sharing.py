"""Between a stage's folder on this node and its outputs at a URI: sent when it is finished, fetched when asked for.

A node holds of a stage that others trained its light outputs and its manifest, which says what else there is.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.records import read_json, sync_directory, write_bytes, write_json
from medsearch.core.remote import local_sizes
from medsearch.stages.bucket import Bucket
from medsearch.stages.outputs import JOURNAL, MANIFEST, THINNED, is_light, own_files

UNSENT = ".unsent.json"
"""The manifest of a stage whose outputs are not all at the URI yet."""
FETCHING = ".fetching"


def found(folder: Path) -> dict[str, int]:
    """The bytes of every output in a stage's folder."""
    return {name: size for name, size in local_sizes(folder).items() if not own_files(name)}


def sized(folder: Path, manifest: Mapping[str, Any], outputs: Mapping[str, int]) -> dict[str, Any]:
    """The manifest with `files`: the bytes of every output, and of the journal."""
    journal = folder / JOURNAL
    return {**manifest, "files": {**outputs, **({JOURNAL: journal.stat().st_size} if journal.exists() else {})}}


def is_whole(folder: Path) -> bool:
    """Whether every output of a finished stage lies in its folder; a mirror of a URI may hold the light ones alone."""
    if (folder / THINNED).exists():
        return False
    try:
        files = read_json(folder / MANIFEST).get("files", {})
    except (OSError, ValueError):  # whoever asks for the stage is told so
        return True
    return all((folder / name).exists() for name in files)


def send(bucket: Bucket, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Make a stage whose outputs lie in `folder` finished at the URI, and then here."""
    write_json(folder / UNSENT, {**manifest, "attempt": secrets.token_hex(6)})
    send_unsent(bucket, folder)


def send_unsent(bucket: Bucket, folder: Path) -> bool:
    """Go on with a `send` that was cut short; whether there was one."""
    unsent = folder / UNSENT
    if not unsent.exists():
        return False
    bucket.send(folder.name, folder, read_json(unsent), unsent.read_bytes())
    unsent.replace(folder / MANIFEST)
    sync_directory(folder)
    return True


def adopt(bucket: Bucket, folder: Path) -> None:
    """Bring a stage here that is finished at the URI: its light outputs first, then its manifest."""
    content = bucket.manifest(folder.name)
    if content is None:
        return
    with locked(folder / FETCHING):
        if not (folder / MANIFEST).exists():
            manifest = json.loads(content)
            bucket.fetch(folder.name, folder, manifest, filter(is_light, manifest["files"]))
            write_bytes(folder / MANIFEST, content)


def bring(bucket: Bucket | None, folder: Path, name: str) -> None:
    """See to it that the output `name`, or all in the folder of that name, lies in the stage's folder.

    Raises:
        BadInput: it was pruned, and the URI does not have it.

    """
    manifest = _sent_manifest(bucket, folder) if bucket is not None else None
    if bucket is not None and manifest is not None:
        names = [one for one in manifest["files"] if one == name or one.startswith(f"{name}/")]
        with locked(folder / FETCHING):
            bucket.fetch(folder.name, folder, manifest, names)
    elif (folder / THINNED).exists() and not (folder / name).exists():
        msg = f"{name} of stage {folder.name} in {folder.parent} was pruned; run its study again to have it trained"
        raise BadInput(msg)


def _sent_manifest(bucket: Bucket, folder: Path) -> Mapping[str, Any] | None:
    """The manifest here if it came from the URI or was sent there, else the one at the URI."""
    path = folder / MANIFEST
    here: dict[str, Any] = read_json(path) if path.exists() else {}
    if "attempt" in here:
        return here
    content = bucket.manifest(folder.name)
    return None if content is None else dict(json.loads(content))
