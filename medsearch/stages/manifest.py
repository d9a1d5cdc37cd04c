"""The files of a stage by name, and the manifest of a finished one: what it says, and whether it is as it was written.

A manifest holds the stage's key, the bytes and digest of every output and of the journal, and a seal over itself.
Manifests from before it had these are taken as they are: nobody can tell any more whether they were changed, and to
seal them now would claim that somebody had. `medsearch verify` counts them.

An output is light if reports and trackers show it; weights and volumes, which only a later stage reads, are heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, final

from medsearch.core import codec
from medsearch.core.contents import Content, fault
from medsearch.core.errors import Damaged
from medsearch.core.paths import unsafe_part
from medsearch.core.recipes import UNLESS_DEFAULT, fingerprint
from medsearch.core.records import SEAL, parsed_json, unsealed
from medsearch.core.repository import Commit

MANIFEST = "manifest.json"
JOURNAL = "journal.jsonl"
CHECKPOINT = "checkpoint"
LOCK = "lock"
ASIDE = ".aside"
FETCHING = ".fetching"
THINNED = "thinned.json"
"""What was pruned of a stage."""
REPLACED = ".replaced"
"""What a stage was that is trained anew, until it is finished."""

LIGHT_FOLDERS = ("pictures", "tiles")
LIGHT_SUFFIXES = frozenset({".json", ".jsonl", ".csv", ".md", ".txt", ".html", ".png", ".svg"})

REMEDY = "run its study again: the stage is set aside and trained anew"
"""Of a manifest: without a sound one, a stage is not finished."""
OUTPUT_REMEDY = "`medsearch verify --set-aside`, then run its study again: the stage is trained anew"
"""Of an output, which a study looks at only where a later stage takes it."""

Number = int | float
"""Written as it was given: 8 as 8."""


def own_files(name: str) -> bool:
    """Whether `name`, a path relative to the stage's folder, is the store's and no output."""
    first = PurePosixPath(name).parts[0]
    return first.startswith(".") or first in (MANIFEST, JOURNAL, CHECKPOINT, LOCK, THINNED)


def is_light(name: str) -> bool:
    """Whether the output `name`, a path relative to the stage's folder, is light."""
    path = PurePosixPath(name)
    return path.parts[0] in LIGHT_FOLDERS or path.suffix.lower() in LIGHT_SUFFIXES


@final
@dataclass(frozen=True, kw_only=True)
class EarlierCode:
    """Other code that trained a stage's first epochs."""

    digest: str | None = None
    commit: str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class TrainingCode:
    """The code that trained a stage. digest: of the definitions that training reaches; None: unknown.

    commit, dirty: where the repository of the stage's own module stood; package: where this package's did, if that is
    another repository. upstream: by role, the `lineage` of what the stage took.
    """

    commit: str | None = None
    dirty: bool | None = None
    digest: str | None = None
    upstream: Mapping[str, str | None] = field(default_factory=dict)
    package: str = field(default="", metadata=UNLESS_DEFAULT)
    earlier: tuple[EarlierCode, ...] = field(default=(), metadata=UNLESS_DEFAULT)

    @cached_property
    def commits(self) -> tuple[str, ...]:
        """The commits as they are shown, those of the first epochs first."""
        own = [str(Commit(self.commit, bool(self.dirty)))] if self.commit else []
        return tuple(dict.fromkeys([*(code.commit for code in self.earlier if code.commit), *own]))

    @property
    def words(self) -> str:
        """Whose code it is, for a sentence."""
        if self.digest is None:
            return "unknown code"
        return f"commit {' and '.join(self.commits)}" if self.commits else "code of no commit"


@final
@dataclass(frozen=True, kw_only=True)
class Halving:
    """Memory ran out with `before` samples at a time, when so many epochs were finished; `after` are tried instead."""

    before: int
    after: int
    epochs: int
    reason: str


@final
@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    """What a stage took of its device, bytes. micro_batch: samples at a time; None where there is no batch."""

    micro_batch: int | None
    halvings: tuple[Halving, ...] = ()
    device: str
    capacity: Number | None
    peak: Number | None


@final
@dataclass(frozen=True, kw_only=True)
class Replaced:
    """When a stage had been finished that was trained anew (Unix seconds), and by which code, in words."""

    finished: Number
    code: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class TrainedAgain:
    """What a stage came to that was trained again because its outputs had gone; reports go on with the first time."""

    metrics: Mapping[str, Any] = field(default_factory=dict)
    seconds: Number | None = None
    finished: Number | None = None
    code: TrainingCode | str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A finished stage; its fields are written in this order. Old manifests lack some of them.

    parts: by name, the fingerprints of what the stage read of its task. domains: whose cases each split holds.
    upstream: by role, the keys of the stages that it took. finished: Unix seconds. seconds: of the whole training;
    epoch_seconds: of the median epoch with its validation; step_seconds: of an optimiser step. lost_epochs: of which
    the journal has no record. modules: by name, digests of what training reaches in them. files, digests: bytes and
    digest of every output and of the journal, by name relative to the stage's folder. attempt: under which the outputs
    lie at a URI. key: empty in a manifest from before there were seals.
    """

    stage: str = ""
    node: str = ""
    version: int | None = None
    recipe: Any = None
    seed: int | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)
    upstream: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Number]
    notes: Mapping[str, Any] = field(default_factory=dict)
    finished: Number | None = None
    program: str = ""
    runtime: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    code: TrainingCode | str | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    memory: MemoryUse | None = None
    epochs: int | None = None
    seconds: Number | None = None
    epoch_seconds: Number | None = None
    step_seconds: Number | None = None
    lost_epochs: int = field(default=0, metadata=UNLESS_DEFAULT)
    replaces: Replaced | None = field(default=None, metadata=UNLESS_DEFAULT)
    key: str = ""
    files: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    attempt: str = field(default="", metadata=UNLESS_DEFAULT)
    again: TrainedAgain | None = field(default=None, metadata=UNLESS_DEFAULT)

    @property
    def training_code(self) -> TrainingCode:
        """The code that the numbers come from."""
        return _known(self.code)

    @property
    def lineage(self) -> str | None:
        """A digest of the code behind the outputs, all that they stand on included; None where that is unknown.

        Outputs that were pruned and trained again are of the code of that time.
        """
        code = _known(self.again.code if self.again and self.again.code is not None else self.code)
        mixed = bool(code.earlier)
        return None if code.digest is None else fingerprint([code.digest, code.upstream, mixed and code.commits])

    @cached_property
    def contents(self) -> Mapping[str, Content]:
        """What every output and the journal hold, by name relative to the stage's folder."""
        return {name: Content(size, self.digests.get(name, "")) for name, size in self.files.items()}


def _known(code: TrainingCode | str | None) -> TrainingCode:
    """Before digests were kept, code was a version or a commit; what stages of it would need today is unknown."""
    return code if isinstance(code, TrainingCode) and code.digest else TrainingCode()


def read_manifest(path: Path, key: str, *, sent: bool = False) -> Manifest:
    """The manifest of stage `key` in a file. sent: of outputs that lie at a URI, or are on their way there.

    Raises:
        Damaged: it was cut or changed, or is that of another stage.
        OSError: there is no such file, or it cannot be read.

    """
    return decoded_manifest(path.read_bytes(), key, path, sent=sent)


def stored_manifest(folder: Path) -> Manifest:
    """The manifest of the finished stage in `folder`.

    Raises:
        Damaged: the stage is not finished, or its manifest is damaged.

    """
    try:
        return read_manifest(folder / MANIFEST, folder.name)
    except OSError as error:
        where = f"stage {folder.name} in {folder.parent}"
        raise Damaged(where, f"has no readable manifest ({error})", REMEDY) from error


def decoded_manifest(content: bytes, key: str, where: object, *, sent: bool = True) -> Manifest:
    """The manifest of stage `key` as it was read from `where`; of outputs that lie at a URI unless `sent` is false.

    Raises:
        Damaged: it was cut or changed, or is that of another stage.

    """
    written = parsed_json(content, where, remedy=REMEDY)
    fields = unsealed(written, where, remedy=REMEDY)
    if SEAL not in written and not {"key", "digests"}.isdisjoint(fields):  # no manifest from before seals has these
        problem = "has lost its seal, so nobody can tell whether it was changed"
        raise Damaged(where, problem, REMEDY)
    manifest = codec.decoded(Manifest, fields, what=where, remedy=REMEDY)
    names = [*manifest.upstream.values(), *([manifest.attempt] if "attempt" in fields else [])]
    if manifest.key not in ("", key):
        problem = f"is the manifest of stage {manifest.key!r}"
    elif unsafe := [name for name in names if unsafe_part(name)]:
        problem = f"names the stage or attempt {unsafe[0]!r}"
    elif problem := fault(manifest.files, manifest.digests):
        pass
    elif manifest.key and (without := [name for name in manifest.files if not manifest.digests.get(name)]):
        problem = f"has no digest of {without[0]!r}"
    elif sent and not manifest.attempt:
        problem = "has no field 'attempt'"
    if problem:
        raise Damaged(where, problem, REMEDY)
    return manifest
