"""What a plan needs of every finished stage, read from one file instead of thousands.

`<root>/.index.jsonl` holds manifests that were found sound, without what grows with the cohort, each with the size,
inode and times of its file: one that has changed since is read and verified again, so the index never says anything
else than the manifests. It can be removed at any time: whoever reads it adds what it lacks and drops stages that are
gone.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import final

from medsearch.core.codec import encoded, validated
from medsearch.core.contents import State, state_of
from medsearch.core.errors import Damaged
from medsearch.core.paths import is_set_aside
from medsearch.core.records import SEAL, checked_lines, intact, line_of, parsed_line, sound, warn_once, write_bytes
from medsearch.core.remote import each
from medsearch.stages.bucket import Bucket
from medsearch.stages.manifest import MANIFEST, REMEDY, Manifest, decoded_manifest, read_manifest

INDEX = ".index.jsonl"
LEFT_OUT = ("notes", "files", "digests", "key", "modules", SEAL)


@final
@dataclass(frozen=True)
class Entry:
    """What is known of a manifest. state: of its file; None: it lies at the URI alone. damage: in words.

    manifest: without what `LEFT_OUT` names; None if it is damaged.
    """

    state: State | None
    manifest: Manifest | None
    damage: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class _Line:
    """A line of the index. state: None of a manifest at the URI; empty in a line from before states were kept."""

    key: str
    state: State | tuple[()] | None = ()
    manifest: Manifest


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
            try:
                known = Entry(state, _shortened(read_manifest(path, key)))
            except Damaged as error:
                known = Entry(state, None, str(error))
            except OSError as error:
                known = Entry(state, None, f"{path} cannot be read ({error.strerror}); {REMEDY}")
            self._entries()[key] = known
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
            try:
                known = Entry(None, _shortened(decoded_manifest(content, key, bucket.where(key))))
            except Damaged as error:
                known = Entry(None, None, str(error))
            self._there[key] = known
        return known

    def forget(self, key: str) -> None:
        """Stage `key` is not finished any more."""
        self._entries().pop(key, None)
        self._there.pop(key, None)

    def summaries(self, bucket: Bucket | None) -> dict[str, Manifest]:
        """By key, the manifest of every finished stage without what `LEFT_OUT` names; damaged ones are named."""
        found = {key: entry for key in stage_names(self.root) if (entry := self.here(key)) is not None}
        if bucket is not None:
            there = bucket.keys()
            missing = sorted(key for key in there if key not in found or found[key].damage)
            fetched = each(lambda key: self.there(key, bucket), missing)
            found |= {key: entry for key, entry in zip(missing, fetched, strict=True) if entry is not None}
        for entry in found.values():
            if entry.damage:
                warn_once(entry.damage)
        undamaged = {key: entry for key, entry in sorted(found.items()) if not entry.damage}
        if undamaged != self._written or (undamaged and not (self.root / INDEX).exists()):
            self._write(undamaged)
        return {key: entry.manifest for key, entry in undamaged.items() if entry.manifest is not None}

    def _entries(self) -> dict[str, Entry]:
        """Of manifests under the root, by key; read from the file when they are first asked for."""
        if self._known is None:
            self._known = {}
            for line in sound(checked_lines(self.root / INDEX, index_line)):
                if line.state == ():
                    continue
                entry = self._written[line.key] = Entry(line.state or None, line.manifest)
                (self._there if line.state is None else self._known)[line.key] = entry
        return self._known

    def _write(self, entries: Mapping[str, Entry]) -> None:
        self._written = dict(entries)
        lines = []
        for key, entry in entries.items():
            fields = {name: of for name, of in encoded(entry.manifest).items() if name not in LEFT_OUT}
            lines.append(line_of({"key": key, "state": entry.state, "manifest": fields}))
        with contextlib.suppress(OSError):  # another's home, a full disk: the next look costs as much as this one
            write_bytes(self.root / INDEX, b"".join(line + b"\n" for line in lines))


@cache
def index_of(root: Path) -> Index:
    """What this process knows of the manifests under `root`."""
    return Index(root)


def index_line(line: bytes) -> _Line:
    """A line of the index.

    Raises:
        ValueError: it is not whole, was changed, or lacks something.

    """
    if not intact(line):
        parsed_line(line)  # says what is wrong, if anything is: it may be from before lines had a CRC
    return validated(_Line, line)


def stage_names(root: Path) -> set[str]:
    """The names of the folders under `root` that stages have, whatever is in them."""
    entries = os.scandir(root) if root.exists() else ()
    names = {entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()}
    return {name for name in names if not is_set_aside(name)}


def _shortened(manifest: Manifest) -> Manifest:
    return replace(manifest, notes={}, files={}, digests={}, key="", modules={})
