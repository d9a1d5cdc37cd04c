"""A store's stages at a URI, for clusters that share no disk.

    manifests/<key>.json                    written last: the stage is finished
    outputs/<key>/<attempt>/<name>          its outputs and journal; the manifest names the attempt and every size
    replaced/<key>-<time>.json              the manifest of a stage that is, or was, trained anew by other code
    running/<key>.jsonl                     the journal so far of a stage that is not finished
    checkpoints/<key>/<number>-<bytes>.tar  its checkpoint so far; may be expired by a rule of the bucket
    damaged/<key>-<time>.json               the manifest of a stage that was found damaged, and is trained anew

Two drivers on one bucket that train the same stage at once, each under its own locks, store two attempts with the
same content; the last manifest wins, and it never names a file of the other attempt.
"""

import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, final

from medsearch.core.contents import verified_in
from medsearch.core.errors import Damaged
from medsearch.core.paths import below, unsafe_part
from medsearch.core.records import warn_once
from medsearch.core.remote import Remote, each, remote_at
from medsearch.stages.manifest import contents_in, decoded_manifest

FRESH_S = 2.0
"""How long "not finished" is believed without asking again; "finished" is believed for ever."""

SINGLY = 8
"""Questions after single stages within that time before all finished ones are listed at once."""


@final
class Bucket:
    """What a process knows of the stages at a URI."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self._finished: set[str] = set()
        self._absent: dict[str, float] = {}
        self._listed = -FRESH_S
        self._others: dict[tuple[str, float], tuple[bool, float]] = {}
        self._journals: tuple[float, dict[str, int]] = (-FRESH_S, {})

    def has(self, key: str) -> bool:
        """Whether the stage is finished, as far as it was known `FRESH_S` seconds ago."""
        now = time.monotonic()
        if key in self._finished or now - max(self._absent.get(key, -FRESH_S), self._listed) < FRESH_S:
            return key in self._finished
        lately = sum(now - asked < FRESH_S for asked in self._absent.values())
        return key in self.keys() if lately >= SINGLY else self.ask(key)

    def knows(self, key: str) -> bool:
        """Whether the stage is known to be finished, without asking."""
        return key in self._finished

    def has_other(self, key: str, finished: float) -> bool:
        """Whether the stage is finished at another time than `finished`, as far as it was known `FRESH_S` ago."""
        other, asked = self._others.get((key, finished), (False, -FRESH_S))
        now = time.monotonic()
        if not other and now - asked >= FRESH_S:
            content = self.manifest(key)
            other = content is not None and self._finished_at(key, content) != finished
            self._others[key, finished] = other, now
        return other

    def _finished_at(self, key: str, content: bytes) -> float | None:
        """When the stage of a manifest was finished (Unix seconds); None of one that is damaged, which is named."""
        try:
            finished: float | None = decoded_manifest(content, key, self.where(key)).get("finished")
        except Damaged as error:
            warn_once(str(error))
            return None
        return finished

    def supersede(self, key: str) -> None:
        """Keep a finished stage's manifest under another name: the stage is not finished any more."""
        content = self.manifest(key)
        if content is not None:
            self.remote.write(f"replaced/{key}-{time.time_ns()}.json", content)
            self.remote.remove(_manifest(key))
        self._finished.discard(key)

    def ask(self, key: str) -> bool:
        """Whether the stage is finished now."""
        now = time.monotonic()
        if key not in self._finished and not unsafe_part(key) and self.remote.exists(_manifest(key)):
            self._finished.add(key)
        self._absent[key] = now
        return key in self._finished

    def keys(self) -> frozenset[str]:
        """Every finished stage."""
        now = time.monotonic()
        names = (name.removesuffix(".json") for name in self.remote.sizes("manifests") if name.endswith(".json"))
        self._finished |= {name for name in names if not unsafe_part(name)}
        self._listed, self._absent = now, {}
        return frozenset(self._finished)

    def where(self, key: str) -> str:
        """The address of a stage's manifest, for messages."""
        return f"{self.remote.shown}/{_manifest(key)}"

    def manifest(self, key: str) -> bytes | None:
        """A finished stage's manifest; None if it is not finished, or not any more: it was found damaged."""
        content = self.remote.read(_manifest(key))
        if content is None:
            self._finished.discard(key)
        return content

    def set_aside(self, key: str) -> str:
        """Keep a damaged stage's manifest under another name, so that the stage is finished no more; that name."""
        content = self.remote.read(_manifest(key))
        aside = f"damaged/{key}-{time.strftime('%Y%m%d-%H%M%S')}.json"
        if content is not None:
            self.remote.write(aside, content)
            self.remote.remove(_manifest(key))
        self._finished.discard(key)
        return aside

    def send(self, key: str, folder: Path, manifest: Mapping[str, Any], content: bytes) -> None:
        """Upload the outputs in `folder` that `manifest` names, and then its `content`, which makes it finished."""
        where = outputs_folder(key, manifest)
        each(lambda name: self.remote.upload(below(folder, name), f"{where}/{name}"), manifest["files"])
        self.remote.write(_manifest(key), content)
        self._finished.add(key)
        self._others.clear()

    def fetch(self, key: str, folder: Path, manifest: Mapping[str, Any], names: Iterable[str]) -> None:
        """Download those of a finished stage's outputs that are not sound in `folder`; one caller at a time.

        Raises:
            Damaged: one is not there, or not as it was stored.

        """
        where, contents, verified = outputs_folder(key, manifest), contents_in(manifest), verified_in(folder.parent)
        listed = [name for name in names if verified.problem(f"{folder.name}/{name}", contents[name])]
        each(lambda name: self.remote.download(f"{where}/{name}", below(folder, name), wanted=contents[name]), listed)
        verified.note({f"{folder.name}/{name}": contents[name] for name in listed})

    def forget_progress(self, key: str) -> None:
        """Remove what was kept of a stage while it was running."""
        each(self.remote.remove, [_running(key), *(f"{checkpoints(key)}/{name}" for name in self.progress(key))])

    def progress(self, key: str) -> dict[str, int]:
        """Bytes of every checkpoint of a running stage, by name."""
        return self.remote.sizes(checkpoints(key))

    def write_journal(self, key: str, content: bytes) -> None:
        """Replace the journal of a running stage."""
        self.remote.write(_running(key), content)

    def newer_journal(self, key: str, size: int) -> bytes | None:
        """The journal of a running stage, if it was longer than `size` bytes within the last `FRESH_S` seconds."""
        now = time.monotonic()
        if now - self._journals[0] >= FRESH_S:
            self._journals = now, self.remote.sizes("running")
        return self.remote.read(_running(key)) if self._journals[1].get(f"{key}.jsonl", 0) > size else None


@cache
def bucket_at(uri: str) -> Bucket:
    """The one view that this process has of `uri`."""
    return Bucket(remote_at(uri))


def checkpoints(key: str) -> str:
    """Where the checkpoints of a running stage lie."""
    return f"checkpoints/{key}"


def _manifest(key: str) -> str:
    return f"manifests/{key}.json"


def _running(key: str) -> str:
    return f"running/{key}.jsonl"


def outputs_folder(key: str, manifest: Mapping[str, Any]) -> str:
    """Where the outputs of a finished stage lie."""
    return f"outputs/{key}/{manifest['attempt']}"
