"""What a plan needs of every finished stage, read from one file instead of thousands.

`<root>/.index.jsonl` holds manifests that were found sound, without what grows with the cohort, each with the size,
inode and times of its file: one that has changed since is read and verified again, so the index never says anything
else than the manifests. It can be removed at any time: whoever reads it adds what it lacks and drops stages that are
gone.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, final

from medsearch.core.contents import State, state_of
from medsearch.core.errors import Damaged
from medsearch.core.paths import is_set_aside
from medsearch.core.records import SEAL, line_of, read_lines, warn_once, write_bytes
from medsearch.core.remote import each
from medsearch.stages.bucket import Bucket
from medsearch.stages.manifest import REMEDY, decoded_manifest, read_manifest
from medsearch.stages.outputs import MANIFEST

INDEX = ".index.jsonl"
LEFT_OUT = ("notes", "files", "digests", "key", "modules", SEAL)


@final
@dataclass(frozen=True)
class Entry:
    """What is known of a manifest. state: of its file; None: it lies at the URI alone. damage: empty if it is sound.

    manifest: without what `LEFT_OUT` names; empty if it is damaged.
    """

    state: State | None
    manifest: Mapping[str, Any]
    damage: str = ""


@final
class Index:
    """The manifests under `root`, each verified once as long as its file does not change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, Entry] | None = None
        self._there: dict[str, Entry] = {}
        self._written: dict[str, Entry] = {}

    def here(self, key: str) -> Entry | None:
        """Of the manifest of stage `key` under the root; None if there is none."""
        path = self.root / key / MANIFEST
        try:
            state = state_of(path)
        except OSError:
            return None
        known = self._entries().get(key)
        if known is None or known.state != state:
            known = self._entries()[key] = _read(path, key, state)
        return known

    def there(self, key: str, bucket: Bucket) -> Entry | None:
        """Of the manifest of stage `key` at the URI; None if there is none. A damaged one is read each time."""
        self._entries()
        known = self._there.get(key)
        if known is None or known.damage:
            content = bucket.manifest(key)
            if content is None:
                self._there.pop(key, None)
                return None
            known = self._there[key] = _decoded(content, key, bucket)
        return known

    def forget(self, key: str) -> None:
        """Stage `key` is not finished any more."""
        self._entries().pop(key, None)
        self._there.pop(key, None)

    def keys(self) -> set[str]:
        """Every stage that has a folder here, finished or not."""
        return stage_names(self.root)

    def summaries(self, bucket: Bucket | None) -> dict[str, dict[str, Any]]:
        """By key, the manifest of every finished stage without what `LEFT_OUT` names; damaged ones are named."""
        found = {key: entry for key in self.keys() if (entry := self.here(key)) is not None}
        if bucket is not None:
            there = bucket.keys()
            missing = sorted(key for key in there if key not in found or found[key].damage)
            fetched = each(lambda key: self.there(key, bucket), missing)
            found |= {key: entry for key, entry in zip(missing, fetched, strict=True) if entry is not None}
        for entry in found.values():
            if entry.damage:
                warn_once(entry.damage)
        sound = {key: entry for key, entry in sorted(found.items()) if not entry.damage}
        if sound != self._written or (sound and not (self.root / INDEX).exists()):
            self._write(sound)
        return {key: dict(entry.manifest) for key, entry in sound.items()}

    def _entries(self) -> dict[str, Entry]:
        if self._known is None:
            self._known = {}
            for line in read_lines(self.root / INDEX, fault=_fault):
                if "state" not in line:  # it is from before states were kept
                    continue
                state: Any = None if line["state"] is None else tuple(line["state"])
                entry = self._written[line["key"]] = Entry(state, line["manifest"])
                (self._there if state is None else self._known)[line["key"]] = entry
        return self._known

    def _write(self, found: Mapping[str, Entry]) -> None:
        self._written = dict(found)
        lines = [line_of({"key": key, "state": of.state, "manifest": of.manifest}) for key, of in found.items()]
        with contextlib.suppress(OSError):  # another's home, a full disk: the next look costs as much as this one
            write_bytes(self.root / INDEX, b"".join(line + b"\n" for line in lines))


@cache
def index_of(root: Path) -> Index:
    """What this process knows of the manifests under `root`."""
    return Index(root)


def stage_names(root: Path) -> set[str]:
    """The names of the folders under `root` that stages have, whatever is in them."""
    entries = os.scandir(root) if root.exists() else ()
    return {one.name for one in entries if not one.name.startswith(".") and not is_set_aside(one.name) and one.is_dir()}


def _read(path: Path, key: str, state: State) -> Entry:
    try:
        return Entry(state, _shortened(read_manifest(path, key)))
    except Damaged as error:
        return Entry(state, {}, str(error))
    except OSError as error:
        return Entry(state, {}, f"{path} cannot be read ({error.strerror}); {REMEDY}")


def _decoded(content: bytes, key: str, bucket: Bucket) -> Entry:
    try:
        return Entry(None, _shortened(decoded_manifest(content, key, bucket.where(key))))
    except Damaged as error:
        return Entry(None, {}, str(error))


def _shortened(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in manifest.items() if name not in LEFT_OUT}


def _fault(line: Mapping[str, Any]) -> str:
    if not isinstance(line.get("key"), str) or not isinstance(line.get("manifest"), dict):
        return "names no stage with its manifest"
    state = line.get("state")
    if state is not None and not (isinstance(state, list) and all(type(part) is int for part in state)):
        return "has no state of a file"
    return ""
