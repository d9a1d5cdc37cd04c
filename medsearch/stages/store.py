"""The store: finished and running stages by key. It is the truth; trackers and reports are views of it.

<root>/<key>/lock                held by the process that trains the stage
             checkpoint/         a resumable state while it runs
             journal.jsonl       every epoch's metrics, with seconds and the time of day
             .aside/             outputs before they are committed
             manifest.json       written last: the stage is finished
             thinned.json        its heavy outputs were pruned; what reports read is there
             .replaced/          what the stage was that is being trained anew (`stages.folders`)
             weights.safetensors, ...

A store on a shared folder is that folder. A store at a URI (`remote`, laid out as `stages.bucket` says) has a folder
on every node as well, which mirrors what the node has trained or asked for; there, a stage is finished when its
manifest is at the URI. Its light outputs come with its manifest, the heavy ones when `Artifact.file` asks for them.
What is stored is checked when it is used (`stages.manifest`): a stage whose manifest is damaged, or another's, counts
as not finished, and so does one with a damaged output where a later stage takes it. Whoever trains it sets aside what
was there, as <key>.damaged-<time>.

Locks are the kernel's and hold between the processes that see one folder; what two drivers do that share only a URI,
`stages.bucket` says.
"""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from medsearch.core.codec import encoded
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import locked
from medsearch.core.paths import child
from medsearch.core.records import (
    append_line,
    checked_lines,
    lacks,
    parsed_line,
    read_lines,
    sync_directory,
    warn_once,
    write_bytes,
    write_sealed,
)
from medsearch.core.remote import each, local_sizes, require_writable
from medsearch.stages import folders
from medsearch.stages.bucket import Bucket, Mirror, bucket_at
from medsearch.stages.context import Artifact
from medsearch.stages.index import Entry, Index, index_of, stage_names
from medsearch.stages.manifest import (
    ASIDE,
    CHECKPOINT,
    JOURNAL,
    LOCK,
    MANIFEST,
    REPLACED,
    THINNED,
    Manifest,
    TrainedAgain,
    own_files,
    read_manifest,
    stored_manifest,
)
from medsearch.stages.stage import Epoch

__all__ = ["JOURNAL", "MANIFEST", "Store"]

EPOCH_LOST = "it is passed over: curves lack its epoch, whose seconds are taken to be those of the others"
"""What becomes of a faulty line of a journal."""


@dataclass(frozen=True)
class Store:
    """Stages under one folder, shared by every process that can see it; with `remote`, by every node that can read it.

    outdated: by key, when stages were finished that do not count, because they are to be trained anew; None: all count,
    and what other code began is gone on with.

    Methods raise Unreachable where the URI does not answer for a minute or so, or refuses.
    """

    root: Path
    remote: str | None = None
    outdated: Mapping[str, float] | None = field(default=None, repr=False)

    @property
    def bucket(self) -> Bucket | None:
        """The stages at the URI, if there is one."""
        return bucket_at(self.remote) if self.remote else None

    def folder(self, key: str) -> Path:
        """Where the stage `key` lies or will lie on this node."""
        return child(self.root, key, what="stage key")

    def has(self, key: str) -> bool:
        """Whether the stage is finished, here or at the URI. A "no" of the URI may be two seconds old.

        One whose manifest is damaged is not, and is named.
        """
        return self._is_here(key) or self._is_there(key)

    def whole(self, key: str) -> bool:
        """Whether the stage is finished and a later one can take its outputs: false if some of them are not here.

        They were pruned, are damaged, or have stayed at another URI of which this folder is a mirror. At the URI they
        are checked when they are fetched.
        """
        return self._is_there(key) or (self._is_here(key) and folders.is_whole(self.folder(key)))

    def artifact(self, key: str) -> Artifact:
        """A finished stage, with its light outputs.

        Raises:
            Damaged: the stage is not finished, or its manifest is damaged, or a light output at the URI.
            Unreachable: the URI does not answer.

        """
        folder = self.folder(key)
        if self.bucket is not None and not self._is_here(key):
            folders.adopt(self.bucket, folder, instead_of=self._outdated(key))
        return Artifact(key, folder, stored_manifest(folder), partial(folders.bring, self.bucket, folder))

    def artifacts(self) -> Iterator[Artifact]:
        """Every finished stage, with its light outputs. `summaries` is faster. A damaged one is named and left out."""
        for key in sorted(stage_names(self.root) | (self.bucket.keys() if self.bucket else set())):
            if self.has(key):
                yield self.artifact(key)

    def summaries(self) -> Mapping[str, Manifest]:
        """By key, the manifest of every finished stage without its notes, files and modules."""
        return self._index.summaries(self.bucket)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the stage; another process that wants it waits. The kernel frees it when the holder dies.

        What is stored of a stage that does not count is set aside, so that it is an unfinished one.

        With a URI, what an earlier holder had not sent is sent, and the newest checkpoint there is taken up, whichever
        node it came from; while the stage is held, its checkpoint and journal are kept there, too.
        """
        with ExitStack() as held:
            folder, finished = self.folder(key), self._outdated(key)
            held.enter_context(locked(folder / LOCK))
            folders.end_move(folder)
            if finished is not None:
                if self.bucket is not None and self.bucket.ask(key) and not self._is_there(key):
                    self.bucket.supersede(key)
                if folders.is_of(folder / MANIFEST, finished):
                    folders.supersede(folder)
            if self.bucket is not None:
                if folders.send_unsent(self.bucket, folder):
                    _remove_progress(folder)
                if not (self.bucket.ask(key) and self._is_there(key)):
                    mirror = Mirror(self.bucket, folder)
                    mirror.take_up()
                    held.enter_context(mirror.running())
            yield

    def set_aside_damaged(self, key: str) -> None:
        """Set aside what is stored of a stage if any of it is damaged, here and at the URI; for whoever holds it.

        Then it is not finished, for any node.
        """
        if (moved := folders.set_aside_damaged(self.folder(key))) is not None:
            damage, aside = moved
            warn_once(f"{damage.what} {damage.problem}; the stage is in {aside} now, and trained anew")
        if self.bucket is not None and self.bucket.ask(key):
            entry = self._index.there(key, self.bucket)
            if entry is not None and entry.damage:
                warn_once(f"{entry.damage}: it is {self.bucket.set_aside(key)} there now")
                self._index.forget(key)

    def only(self, keys: Collection[str]) -> "Store":
        """The same for whoever asks for no other stages than these."""
        if self.outdated is None:
            return self
        return replace(self, outdated={key: self.outdated[key] for key in keys if key in self.outdated})

    def is_outdated(self, key: str, code: str | None) -> bool:
        """Whether what is stored of a stage does not count, or other code than that of the digest `code` began it.

        Only where stages are to be trained anew.
        """
        if self.outdated is None or self.has(key):
            return False
        if (self.folder(key) / MANIFEST).exists() or (self.bucket is not None and self.bucket.has(key)):
            return True
        return bool({line.get("code") for line in self.journal(key)} - {code, None})

    def drop_other(self, key: str, code: str | None) -> None:
        """Forget how far an unfinished stage is that is outdated; for whoever holds it."""
        if not self.is_outdated(key, code) or not (self.folder(key) / JOURNAL).exists():
            return
        if self.bucket is not None:
            self.bucket.forget_progress(key)
        shutil.rmtree(self.folder(key) / CHECKPOINT, ignore_errors=True)
        (self.folder(key) / JOURNAL).unlink()  # last: it says that the checkpoint is of other code

    def aside(self, key: str) -> Path:
        """An empty folder for the outputs of a stage that is about to run."""
        aside = self.folder(key) / ASIDE
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        return aside

    def commit(self, key: str, manifest: Manifest) -> Artifact:
        """Move the outputs into place, send them if there is a URI, then write the manifest; the checkpoint goes last.

        Of a stage that was trained again because its outputs had gone, the first manifest stays, so reports say what
        they said; the new metrics stand beside the old ones as `again`. Of one that was set aside, nothing stays.

        Raises:
            BadInput: an output is a link.

        """
        folder = self.folder(key)
        for path in sorted((folder / ASIDE).rglob("*")):
            if path.is_symlink():  # what it leads to is not the stage's, and may change or go at any time
                output, remedy = path.relative_to(folder / ASIDE), "have it write the file itself, or a copy of it"
                msg = f"stage {key} leaves {output}, which is a link to {path.readlink()}; {remedy} (shutil.copyfile)"
                raise BadInput(msg)
        outputs = list(local_sizes(folder / ASIDE))
        for path in sorted((folder / ASIDE).iterdir()):
            for part in [path, *path.rglob("*")]:
                if part.is_dir():
                    sync_directory(part)
                else:
                    with part.open("rb") as handle:
                        os.fsync(handle.fileno())
            target = folder / path.name
            if target.is_dir():
                shutil.rmtree(target)
            path.rename(target)
        sync_directory(folder)
        if self._is_here(key):
            again = TrainedAgain(
                metrics=manifest.metrics, seconds=manifest.seconds, finished=manifest.finished, code=manifest.code
            )
            manifest = replace(read_manifest(folder / MANIFEST, key), again=again)
        else:
            manifest = replace(manifest, replaces=folders.replaced(folder))
        manifest = folders.described(folder, manifest, outputs)
        if self.bucket is None:
            write_sealed(folder / MANIFEST, encoded(manifest))
        else:
            folders.send(self.bucket, folder, manifest)
        if manifest.replaces is not None:
            folders.forget_summary(folder)
        _remove_progress(folder)
        return self.artifact(key)

    def record(
        self,
        key: str,
        epoch: Epoch,
        *,
        seconds: float,
        time: float,
        domains: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Append one epoch to the journal. `domains`: whose cases each split holds; `more`: for the line, the code."""
        line = {"epoch": epoch.number, "metrics": epoch.metrics, "seconds": seconds, "time": time}
        line |= {**({"domains": domains} if domains else {}), **(more or {})}
        append_line(self.folder(key) / JOURNAL, line)

    def journal(self, key: str) -> list[dict[str, Any]]:
        """The recorded epochs, each once, in order. An epoch trained again after a crash keeps its first record."""
        self.catch_up(key)
        first: dict[int, dict[str, Any]] = {}
        for line in read_lines(self.folder(key) / JOURNAL, fault=journal_fault, passed_over=EPOCH_LOST):
            first.setdefault(line["epoch"], line)
        return [first[number] for number in sorted(first)]

    def lost_epochs(self, key: str) -> int:
        """Of how many epochs the journal lost the record, as a line of it is damaged; epochs count from 1.

        An epoch whose line was torn by a crash, and that was trained and recorded again, is none of them.
        """
        known: set[int] = set()
        faulty = after = 0
        for line in checked_lines(self.folder(key) / JOURNAL, journal_line):
            if isinstance(line, Damaged):
                faulty, after = faulty + 1, after + 1
            else:
                after = 0
                known.add(line["epoch"])
        between = sum(number not in known for number in range(1, max(known, default=0)))
        return min(faulty, between + after)

    def catch_up(self, key: str) -> None:
        """For those who only watch: bring here what the URI has of a stage, its journal so far or all that is light."""
        if self.bucket is None or self._is_here(key):
            return
        if self._is_there(key):
            folders.adopt(self.bucket, self.folder(key), instead_of=self._outdated(key))
            return
        journal = self.folder(key) / JOURNAL
        newer = self.bucket.newer_journal(key, journal.stat().st_size if journal.exists() else 0)
        if newer is not None:
            write_bytes(journal, newer)

    def adopt_renewed(self) -> None:
        """Bring here what other nodes have trained anew of the stages of which this one holds a copy that was."""
        if self.bucket is not None and self.outdated:
            stale = [key for key in self.outdated if (self.folder(key) / MANIFEST).exists() and not self._is_here(key)]
            each(lambda key: self.artifact(key) if self._is_there(key) else None, stale)

    def share(self) -> int:
        """Send every whole stage that was finished here without the URI; how many there were. A driver begins so.

        Raises:
            Unreachable: nothing can be written there.
            BadInput: nothing here can open such an address.

        """
        if self.bucket is None or self.remote is None:
            return 0
        require_writable(self.remote)
        keys = {key for key in stage_names(self.root) - self.bucket.keys() if self._is_here(key)}
        whole = [folder for key in sorted(keys) if folders.is_whole(folder := self.folder(key))]
        for folder in whole:
            with locked(folder / LOCK):
                manifest = read_manifest(folder / MANIFEST, folder.name)
                if not manifest.files:  # it is from before manifests listed them
                    outputs = [name for name in local_sizes(folder) if not own_files(name)]
                    manifest = folders.described(folder, manifest, outputs)
                folders.send(self.bucket, folder, manifest)
        return len(whole)

    @property
    def _index(self) -> Index:
        return index_of(self.root)

    def _is_here(self, key: str) -> bool:
        self.folder(key)  # refuses what is no key
        entry = self._index.here(key)
        return _is_sound(entry) and not self._is_of_outdated(key, entry)

    def _is_there(self, key: str) -> bool:
        bucket, finished = self.bucket, self._outdated(key)
        if bucket is None:
            return False
        if finished is None:
            return bucket.has(key) and _is_sound(self._index.there(key, bucket))
        if not bucket.has_other(key, finished):
            return False
        if self._is_of_outdated(key, self._index.there(key, bucket)):  # as it was when this process read it
            self._index.forget(key)
        return _is_sound(self._index.there(key, bucket))

    def _is_of_outdated(self, key: str, entry: Entry | None) -> bool:
        finished = self._outdated(key)
        manifest = entry.manifest if entry else None
        return finished is not None and manifest is not None and manifest.finished == finished

    def _outdated(self, key: str) -> float | None:
        return (self.outdated or {}).get(key)


def journal_line(line: bytes) -> dict[str, Any]:
    """A line of a journal.

    Raises:
        ValueError: it is not whole, was changed, or lacks something.

    """
    return parsed_line(line, fault=journal_fault)


def journal_fault(line: Mapping[str, Any]) -> str:
    """What a line of a journal lacks, in words; empty if it lacks nothing."""
    wanted: dict[str, type | tuple[type, ...]] = {
        "epoch": int,
        "metrics": dict,
        "seconds": (int, float),
        "time": (int, float),
    }
    optional = {name: kind for name, kind in (("domains", dict), ("code", str), ("commit", str)) if name in line}
    return lacks(line, {**wanted, **optional})


def _is_sound(entry: Entry | None) -> bool:
    if entry is not None and entry.damage:
        warn_once(entry.damage)
    return entry is not None and not entry.damage


def _remove_progress(folder: Path) -> None:
    """Remove what a stage that is finished needs no more."""
    (folder / THINNED).unlink(missing_ok=True)
    for name in (ASIDE, CHECKPOINT, REPLACED):
        shutil.rmtree(folder / name, ignore_errors=True)
