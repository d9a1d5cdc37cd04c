"""A store's stages at a URI, for clusters that share no disk.

    manifests/<key>.json                    written last: the stage is finished
    outputs/<key>/<attempt>/<name>          its outputs and journal; the manifest names the attempt and every size
    replaced/<key>-<time>.json              the manifest of a stage that is, or was, trained anew by other code
    running/<key>.jsonl                     the journal so far of a stage that is not finished
    checkpoints/<key>/<number>-<bytes>.tar  its checkpoint so far; may be expired by a rule of the bucket
    damaged/<key>-<time>.json               the manifest of a stage that was found damaged, and is trained anew

Two drivers on one bucket that train the same stage at once, each under its own locks, store two attempts with the
same content; the last manifest wins, and it never names a file of the other attempt.

While a stage runs, one thread of the process that trains it looks every `EVERY_S` seconds and sends what is new of its
checkpoint and journal, so that a killed node loses little; training does not wait for it. A checkpoint is sent as one
file, numbered from take-up to take-up, so that a node which comes back knows whether another one has gone on meanwhile;
no clock is compared with another.
"""

import contextlib
import logging
import os
import re
import shutil
import tarfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import final

from medsearch.core.contents import Content, verified_in
from medsearch.core.errors import Damaged
from medsearch.core.paths import DAMAGED, below, is_set_aside, unsafe_part
from medsearch.core.records import warn_once, write_bytes
from medsearch.core.remote import Remote, Unreachable, each, remote_at
from medsearch.stages.manifest import CHECKPOINT, JOURNAL, Manifest, decoded_manifest, is_light, own_files

FRESH_S = 2.0
"""How long "not finished" is believed without asking again; "finished" is believed for ever."""

SINGLY = 8
"""Questions after single stages within that time before all finished ones are listed at once."""

EVERY_S = 20.0
NUMBER = ".mirrored"
"""The file in a stage's folder that holds the number of the newest checkpoint that this node has sent or taken up."""
NAME = re.compile(r"(?P<number>\d+)-(?P<size>\d+)\.tar")
LOG = logging.getLogger(__name__)


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
            other = False
            if (content := self.manifest(key)) is not None:
                try:
                    other = decoded_manifest(content, key, self.where(key)).finished != finished
                except Damaged as error:  # it is none of that time
                    warn_once(str(error))
                    other = True
            self._others[key, finished] = other, now
        return other

    def supersede(self, key: str) -> None:
        """Keep the manifest of a stage that is to be trained anew in `replaced/`; the stage is finished no more."""
        self._withdraw(key, f"replaced/{key}-{time.time_ns()}.json")

    def ask(self, key: str) -> bool:
        """Whether the stage is finished now."""
        now = time.monotonic()
        if key not in self._finished and not unsafe_part(key) and self.remote.exists(f"manifests/{key}.json"):
            self._finished.add(key)
        self._absent[key] = now
        return key in self._finished

    def keys(self) -> frozenset[str]:
        """The keys of all finished stages, asked for now."""
        now = time.monotonic()
        names = (name.removesuffix(".json") for name in self.remote.sizes("manifests") if name.endswith(".json"))
        self._finished |= {name for name in names if not unsafe_part(name)}
        self._listed, self._absent = now, {}
        return frozenset(self._finished)

    def where(self, key: str) -> str:
        """The address of a stage's manifest, for messages."""
        return f"{self.remote.shown}/manifests/{key}.json"

    def manifest(self, key: str) -> bytes | None:
        """A finished stage's manifest; None if it is not finished, or not any more: it was found damaged."""
        content = self.remote.read(f"manifests/{key}.json")
        if content is None:
            self._finished.discard(key)
        return content

    def set_aside(self, key: str) -> str:
        """Keep a damaged stage's manifest in `damaged/`, so that the stage is finished no more; its name there."""
        aside = f"damaged/{key}-{time.strftime('%Y%m%d-%H%M%S')}.json"
        self._withdraw(key, aside)
        return aside

    def _withdraw(self, key: str, aside: str) -> None:
        """Move a stage's manifest, if there is one, to the name `aside`."""
        content = self.manifest(key)
        if content is not None:
            self.remote.write(aside, content)
            self.remote.remove(f"manifests/{key}.json")
        self._finished.discard(key)

    def send(self, key: str, folder: Path, manifest: Manifest, content: bytes) -> None:
        """Upload the outputs in `folder` that `manifest` names, and then its `content`, which makes it finished."""
        where = outputs_folder(key, manifest)
        each(lambda name: self.remote.upload(below(folder, name), f"{where}/{name}"), manifest.files)
        self.remote.write(f"manifests/{key}.json", content)
        self._finished.add(key)
        self._others.clear()

    def fetch(self, key: str, folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
        """Download those of a finished stage's outputs that are not sound in `folder`; one caller at a time.

        Raises:
            Damaged: one is not there, or not as it was stored.

        """
        where, contents, verified = outputs_folder(key, manifest), manifest.contents, verified_in(folder.parent)
        listed = [name for name in names if verified.problem(f"{folder.name}/{name}", contents[name])]
        each(lambda name: self.remote.download(f"{where}/{name}", below(folder, name), wanted=contents[name]), listed)
        verified.note({f"{folder.name}/{name}": contents[name] for name in listed})

    def forget_progress(self, key: str) -> None:
        """Remove what was kept of a stage while it was running."""
        each(
            self.remote.remove, [f"running/{key}.jsonl", *(f"checkpoints/{key}/{name}" for name in self.progress(key))]
        )

    def progress(self, key: str) -> dict[str, int]:
        """Bytes of every checkpoint of a running stage, by name."""
        return self.remote.sizes(f"checkpoints/{key}")

    def newer_journal(self, key: str, size: int) -> bytes | None:
        """The journal of a running stage, if it was longer than `size` bytes within the last `FRESH_S` seconds."""
        now = time.monotonic()
        if now - self._journals[0] >= FRESH_S:
            self._journals = now, self.remote.sizes("running")
        return self.remote.read(f"running/{key}.jsonl") if self._journals[1].get(f"{key}.jsonl", 0) > size else None


@cache
def bucket_at(uri: str) -> Bucket:
    """The one view that this process has of `uri`."""
    return Bucket(remote_at(uri))


def outputs_folder(key: str, manifest: Manifest) -> str:
    """Where the outputs of a finished stage lie."""
    return f"outputs/{key}/{manifest.attempt}"


@final
class Mirror:
    """Keeps the checkpoint and journal of one stage, which this process holds and trains in `folder`, at a URI."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket, self._key = bucket, folder.name
        self._folder, self._journal = folder, folder / JOURNAL
        self._sent: tuple[object, int] = (frozenset(), 0)
        self._warned = False
        self._closing = threading.Event()

    def take_up(self) -> None:
        """Replace the checkpoint here by the newest one there, if another node has gone on since, or it is damaged."""
        whole = [(int(match["number"]), size) for match, size in self._numbered() if int(match["size"]) == size]
        number, size = max(whole, default=(0, 0))
        if not number or (number <= self._number() and not self._is_damaged()):
            return
        work, name = self._emptied(".taken"), f"checkpoints/{self._key}/{number:06d}-{size}.tar"
        try:
            self._bucket.remote.download(name, work / "tar", wanted=Content(size))
            with tarfile.open(work / "tar") as tar:
                tar.extractall(work, filter="data")
        except (Damaged, tarfile.TarError, EOFError) as error:
            warn_once(f"{self._bucket.remote.shown}/{name} is no whole checkpoint ({error}); the stage goes on without")
            shutil.rmtree(work)
            return
        (work / CHECKPOINT).mkdir(exist_ok=True)
        shutil.rmtree(self._folder / CHECKPOINT, ignore_errors=True)
        (work / CHECKPOINT).rename(self._folder / CHECKPOINT)
        if _size(work / JOURNAL) > _size(self._journal):
            (work / JOURNAL).replace(self._journal)
        for note in _notes(work):
            note.replace(self._folder / note.name)
        self._write_number(number)
        shutil.rmtree(work)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send what is new while the stage runs, and once more when it is left; drop it all once it is finished."""
        thread = threading.Thread(target=self._watch, name=f"mirror-{self._key[:12]}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._closing.set()
            thread.join()
            if self._bucket.knows(self._key):
                self._bucket.forget_progress(self._key)
            else:
                self._send()

    def _watch(self) -> None:
        while not self._closing.wait(EVERY_S):
            self._send()

    def _send(self) -> None:
        """Send what is new. That it fails costs nothing yet, so training goes on; one line says what a kill would."""
        try:
            state = self._state()
            if state and state != self._sent[0]:
                self._send_checkpoint()
            content = self._journal.read_bytes() if self._journal.exists() else b""
            if len(content) > self._sent[1]:
                self._bucket.remote.write(f"running/{self._key}.jsonl", content)
            self._sent = state, len(content)
            self._warned = False
        except FileNotFoundError:  # a file of the checkpoint went while it was packed: the next look finds another
            return
        except (Unreachable, OSError) as error:  # OSError: of this node's disk, such as that it is full
            if not self._warned:
                LOG.warning("stage %s goes on, but its checkpoint is on this node alone: %s", self._key, error)
            self._warned = True

    def _send_checkpoint(self) -> None:
        packed = self._packed()
        before = self._number()
        number = max([before, *(int(match["number"]) for match, _ in self._numbered())]) + 1
        self._write_number(number)  # first: a kill right after must not make this node believe in another one
        try:
            self._bucket.remote.upload(packed, f"checkpoints/{self._key}/{number:06d}-{_size(packed)}.tar")
        except BaseException:
            self._write_number(before)
            raise
        finally:
            shutil.rmtree(packed.parent, ignore_errors=True)
        old = [match[0] for match, _ in self._numbered() if int(match["number"]) < number]
        each(lambda name: self._bucket.remote.remove(f"checkpoints/{self._key}/{name}"), old)

    def _packed(self) -> Path:
        """Checkpoint, journal and notes as one file; links hold the checkpoint still (its files are replaced)."""
        work = self._emptied(".mirror")
        for path in _parts(self._folder / CHECKPOINT):
            if path.is_file():
                link = work / path.relative_to(self._folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(path, link)
                except PermissionError:  # a file system without links
                    shutil.copyfile(path, link)
        time.sleep(0.05)  # an epoch is recorded right after it is saved; the journal may know more, never less
        with tarfile.open(work / "tar", "w") as tar:
            tar.add(work / CHECKPOINT, CHECKPOINT)
            for path in filter(Path.exists, [self._journal, *_notes(self._folder)]):
                tar.add(path, path.name)
        return work / "tar"

    def _state(self) -> frozenset[tuple[str, int, int]]:
        """What tells one checkpoint from the next; empty if there is none."""
        found = set()
        for path in _parts(self._folder / CHECKPOINT):
            with contextlib.suppress(FileNotFoundError):
                if not path.is_dir():
                    found.add((str(path), path.stat().st_mtime_ns, path.stat().st_size))
        return frozenset(found)

    def _is_damaged(self) -> bool:
        """Whether a file of the checkpoint here is not as it was saved, or was set aside for that and not replaced."""
        from medsearch.training.checkpoints import damage_of  # it imports torch

        folder = self._folder / CHECKPOINT
        damage = [error for path in _parts(folder) if (error := damage_of(path)) is not None]
        for error in damage:
            warn_once(f"{error.what} {error.problem}; the checkpoint at {self._bucket.remote.shown} is taken instead")
        aside = [path for path in folder.rglob("*") if is_set_aside(path.name)]
        return bool(damage) or any(not path.with_name(path.name.partition(DAMAGED)[0]).exists() for path in aside)

    def _emptied(self, name: str) -> Path:
        shutil.rmtree(self._folder / name, ignore_errors=True)
        (self._folder / name).mkdir(parents=True)
        return self._folder / name

    def _numbered(self) -> list[tuple[re.Match[str], int]]:
        """The checkpoints there, by the number and the bytes that their names give, each with the bytes that it has."""
        there = self._bucket.progress(self._key)
        return [(match, size) for name, size in there.items() if (match := NAME.fullmatch(name))]

    def _number(self) -> int:
        path = self._folder / NUMBER
        content = path.read_bytes() if path.exists() else b""
        return int(content) if content.isdigit() else 0  # damaged: the newest one there is taken up

    def _write_number(self, number: int) -> None:
        write_bytes(self._folder / NUMBER, str(number).encode())


def _parts(checkpoint: Path) -> Iterator[Path]:
    """What a checkpoint consists of: neither what is being written, nor what was damaged and set aside."""
    for path in checkpoint.rglob("*"):
        if not any(part.startswith(".") or is_set_aside(part) for part in path.relative_to(checkpoint).parts):
            yield path


def _notes(folder: Path) -> list[Path]:
    """What a running stage keeps in its folder beside its checkpoint, such as the micro-batch that fits."""
    return [path for path in folder.iterdir() if path.is_file() and is_light(path.name) and not own_files(path.name)]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
