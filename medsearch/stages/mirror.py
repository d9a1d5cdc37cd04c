"""A running stage's checkpoint and journal, kept at a URI too, so that a killed node loses little.

One thread of the process that trains looks every `EVERY_S` seconds and sends what is new; training does not wait for
it. A checkpoint is sent as one file, numbered from take-up to take-up, so that a node which comes back knows whether
another one has gone on meanwhile; no clock is compared with another.
"""

import contextlib
import logging
import os
import re
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

from medsearch.core.contents import Content
from medsearch.core.errors import Damaged
from medsearch.core.paths import DAMAGED, is_set_aside
from medsearch.core.records import warn_once, write_bytes
from medsearch.core.remote import Unreachable, each
from medsearch.stages.bucket import Bucket, checkpoints
from medsearch.stages.outputs import CHECKPOINT, JOURNAL, is_light, own_files

EVERY_S = 20.0
NUMBER = ".mirrored"
NAME = re.compile(r"(\d+)-(\d+)\.tar")
LOG = logging.getLogger(__name__)


@final
class Mirror:
    """Of one stage that this process holds and that lies in `folder` here."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket, self._key = bucket, folder.name
        self._folder, self._journal = folder, folder / JOURNAL
        self._sent: tuple[object, int] = (frozenset(), 0)
        self._told = False
        self._closing = threading.Event()

    def take_up(self) -> None:
        """Replace the checkpoint here by the newest one there, if another node has gone on since, or it is damaged."""
        number, size = max(_whole(self._bucket.progress(self._key)), default=(0, 0))
        if not number or (number <= self._number() and not self._is_damaged()):
            return
        work, name = self._empty(".taken"), f"{checkpoints(self._key)}/{_name(number, size)}"
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
        for note in filter(_is_note, list(work.iterdir())):
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
            self._send_new()
            self._told = False
        except FileNotFoundError:  # a file of the checkpoint went while it was packed: the next look finds another
            return
        except (Unreachable, OSError) as error:  # OSError: of this node's disk, such as that it is full
            if not self._told:
                LOG.warning("stage %s goes on, but its checkpoint is on this node alone: %s", self._key, error)
            self._told = True

    def _send_new(self) -> None:
        state = self._state()
        if state and state != self._sent[0]:
            self._send_checkpoint()
        content = self._journal.read_bytes() if self._journal.exists() else b""
        if len(content) > self._sent[1]:
            self._bucket.write_journal(self._key, content)
        self._sent = state, len(content)

    def _send_checkpoint(self) -> None:
        packed = self._packed()
        before, number = self._number(), self._next_number()
        self._write_number(number)  # first: a kill right after must not make this node believe in another one
        try:
            self._bucket.remote.upload(packed, f"{checkpoints(self._key)}/{_name(number, _size(packed))}")
        except BaseException:
            self._write_number(before)
            raise
        finally:
            shutil.rmtree(packed.parent, ignore_errors=True)
        self._remove_before(number)

    def _packed(self) -> Path:
        """Checkpoint, journal and notes as one file; links hold the checkpoint still (its files are replaced)."""
        work = self._empty(".mirror")
        for path in _parts(self._folder / CHECKPOINT):
            if path.is_file():
                link = work / path.relative_to(self._folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                _held(path, link)
        time.sleep(0.05)  # an epoch is recorded right after it is saved; the journal may know more, never less
        with tarfile.open(work / "tar", "w") as tar:
            tar.add(work / CHECKPOINT, CHECKPOINT)
            for path in filter(Path.exists, [self._journal, *filter(_is_note, self._folder.iterdir())]):
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

    def _empty(self, name: str) -> Path:
        shutil.rmtree(self._folder / name, ignore_errors=True)
        (self._folder / name).mkdir(parents=True)
        return self._folder / name

    def _next_number(self) -> int:
        there = [int(match[1]) for name in self._bucket.progress(self._key) if (match := NAME.fullmatch(name))]
        return max([self._number(), *there]) + 1

    def _remove_before(self, number: int) -> None:
        old = [name for name in self._bucket.progress(self._key) if (m := NAME.fullmatch(name)) and int(m[1]) < number]
        each(lambda name: self._bucket.remote.remove(f"{checkpoints(self._key)}/{name}"), old)

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


def _held(path: Path, link: Path) -> None:
    try:
        os.link(path, link)
    except PermissionError:  # a file system without links
        shutil.copyfile(path, link)


def _name(number: int, size: int) -> str:
    return f"{number:06d}-{size}.tar"


def _whole(sizes: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Number and bytes of every checkpoint that was sent to its end."""
    for name, size in sizes.items():
        match = NAME.fullmatch(name)
        if match and int(match[2]) == size:
            yield int(match[1]), size


def _is_note(path: Path) -> bool:
    """Whether a running stage keeps something in it beside its checkpoint, such as the micro-batch that fits."""
    return path.is_file() and is_light(path.name) and not own_files(path.name)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
