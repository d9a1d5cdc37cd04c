"""What a study's files say, read piece by piece: a look costs what is new since the last one."""

import contextlib
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, final

from medsearch.core.errors import Damaged
from medsearch.core.records import read_json
from medsearch.core.remote import Unreachable
from medsearch.stages.folders import replaced_time
from medsearch.stages.manifest import read_manifest
from medsearch.stages.store import JOURNAL, MANIFEST, Store, journal_line
from medsearch.study.record.headers import (
    AblationHeader,
    Event,
    Header,
    Knobs,
    Recovered,
    SearchHeader,
    Started,
    read_event,
)
from medsearch.study.record.ledger import HEADER, LEDGER, Ledger, RunRecord, fold
from medsearch.tracking.origin import origin_of

T = TypeVar("T")


@final
@dataclass(frozen=True)
class File:
    """A file to show beside a run: in `folder` of its artifacts, as `label` if not by its own name; `small`: shrunk."""

    path: Path
    folder: str
    digest: str
    label: str = ""
    small: bool = False

    @property
    def name(self) -> str:
        """Where it lies among the run's artifacts."""
        return f"{self.folder}/{self.label or self.path.name}"


@final
@dataclass(frozen=True)
class FinishedStage:
    """A finished stage: its outcome's metrics, duration (s), when it ended (Unix seconds), and its pictures.

    code: the commits of the code that trained it; None where that is unknown.
    """

    metrics: dict[str, float]
    seconds: float | None
    time: float
    pictures: tuple[File, ...]
    domains: Mapping[str, str] = field(default_factory=dict)
    code: tuple[str, ...] | None = None

    @property
    def measured(self) -> dict[str, float]:
        """The outcome's metrics, and the duration in `seconds` where it is known."""
        return self.metrics | ({} if self.seconds is None else {"seconds": self.seconds})


SUMMARY = "summary/"
"""What metrics begin with whose last value alone counts."""
NUMBERS = {"mean": "", "survivors_mean": " survivors", "sd_seeds": " sd", "survivors_sd": " sd"}
NUMBERS |= {"seeds": " seeds", "planned": " planned", "share": " share", "survivors_share": " share survivors"}
NUMBERS |= {"change": " change", "survivors_change": " change survivors"}


@final
@dataclass(frozen=True)
class Table:
    """The lines of an ablation's table, one for each row, column and metric, as metrics and tags of the rows' runs.

        summary/<column>/<metric>               mean over the seeds, if every planned seed has a value
        summary/<column>/<metric> survivors     mean over those that have one, if not all have: never both
        summary/<column>/<metric> sd, seeds, planned, share, change
        summary/<column>/<metric> share survivors, change survivors     if one of the two rows lacks a seed
        verdict, verdict_reason                 beside the reported value, by column

    `<column>` only where the table has several. `time` (Unix seconds): when it was written.
    """

    lines: tuple[Mapping[str, Any], ...] = ()
    time: float = field(default=0.0, compare=False)

    @classmethod
    def read(cls, path: Path) -> "Table":
        """The table in a report's results.json, read loosely: what is not there is not said."""
        try:
            lines = read_json(path)["derived"]["table"]
            time = path.stat().st_mtime
        except (OSError, Damaged, KeyError, TypeError):
            return cls()
        named = ("row", "column", "metric")
        sound = [
            line
            for line in (lines if isinstance(lines, list) else ())
            if isinstance(line, dict) and all(isinstance(line.get(name), str) for name in named)
        ]
        return cls(tuple(sound), time)

    def numbers(self, row: str) -> dict[str, float]:
        """The row's metrics. What no longer holds, and held once, is NaN."""
        several = len({line["column"] for line in self.lines}) > 1
        numbers: dict[str, float] = {}
        for line in self.lines:
            if line["row"] != row:
                continue
            column = f"{line['column'].replace('/', '_')}/" if several else ""
            for name, suffix in NUMBERS.items():
                value, key = line.get(name), f"{SUMMARY}{column}{line['metric']}{suffix}"
                if isinstance(value, int | float):
                    numbers[key] = float(value)
                else:
                    numbers.setdefault(key, math.nan)
        return numbers

    def tags(self, row: str) -> dict[str, str]:
        """The row's verdicts, each behind its column and metric where the row has several of them."""
        judged = [line for line in self.lines if line["row"] == row and line.get("verdict")]
        several = [name for name in ("column", "metric") if len({line[name] for line in judged}) > 1]
        where = {id(line): f"{', '.join(line[name] for name in several)}: " if several else "" for line in judged}
        return {
            name: "; ".join(f"{where[id(line)]}{line[name]}" for line in judged if line.get(name))
            for name in ("verdict", "verdict_reason")
            if any(line.get(name) for line in judged)
        }


@final
@dataclass
class StudyFiles:
    """What the files of a study say: all that tracking shows.

    `journals` are the epochs of stages, by key, in the order in which they were recorded.
    """

    name: str
    header: Header | None = None
    origin: str | None = None
    """What tells it from another of the same name on one server; None while nothing has begun."""
    runs: dict[str, RunRecord] = field(default_factory=dict)
    journals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    finished: dict[str, FinishedStage] = field(default_factory=dict)
    replaced: dict[str, float] = field(default_factory=dict)
    """Stage key -> when it had been finished before it was, or is, trained anew."""
    first: dict[str, str] = field(default_factory=dict)
    """Stage key -> the run that listed it first."""
    listing: dict[str, set[str]] = field(default_factory=dict)
    """Stage key -> every run that listed it."""
    table: Table = field(default_factory=Table)
    """The table of the report, as it was written last."""
    measured: dict[str, dict[tuple[str, str], None]] = field(default_factory=dict)
    """Node -> (domain, name) of every metric that a journal of it holds, in the order of appearance."""

    @property
    def ablation(self) -> AblationHeader | None:
        """The header of an ablation; None for a search."""
        return self.header if isinstance(self.header, AblationHeader) else None

    @property
    def search(self) -> SearchHeader | None:
        """The header of a search; None for an ablation."""
        return self.header if isinstance(self.header, SearchHeader) else None

    @property
    def commit(self) -> str | None:
        """The commit of the code that the study runs on; None where it is unknown."""
        return self.header.commit if self.header else None

    @property
    def fixed(self) -> Knobs:
        """Knobs that the study set for all of its runs."""
        return self.header.fixed if self.header else {}

    @property
    def title(self) -> str:
        """The study's own name, which its experiment bears."""
        return self.header.name if self.header else self.name


@final
class Tail(Generic[T]):
    """The lines that were added to a file since the last call of `new`.

    read: makes a value of a line, None of one that says nothing, and raises ValueError for one that is not sound.
    """

    def __init__(self, path: Path, read: Callable[[bytes], T | None]) -> None:
        self._path, self._read = path, read
        self._at = 0

    def new(self) -> list[T]:
        """New complete lines. A line that a crash tore is skipped once the next writer has closed it off."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size == self._at:
            return []
        if size < self._at:  # the file was replaced: its lines are read again
            self._at = 0
        with self._path.open("rb") as file:
            file.seek(self._at)
            *lines, rest = file.read().split(b"\n")
        self._at += sum(len(line) + 1 for line in lines)
        if self._value(rest) is not None:  # whole, but its newline is still on the way
            lines.append(rest)
            self._at += len(rest)
        return [value for line in lines if (value := self._value(line)) is not None]

    def _value(self, line: bytes) -> T | None:
        try:
            return self._read(line)
        except ValueError:  # whoever runs the study, or reports of it, names it
            return None


@final
class StudyReader:
    """Keeps a `StudyFiles` up to date with the files under `folder` (studies/<study>) and `store_root` (stages/).

    remote: URI of the store, if other machines train where this one does not see it.
    """

    def __init__(self, folder: Path, store_root: Path, remote: str | None = None) -> None:
        self.folder = folder
        self.study = StudyFiles(folder.name)
        self._store_root = store_root
        self._store = Store(store_root, remote)
        self._ledger: Tail[Event] = Tail(folder / LEDGER, read_event)
        self._unfinished: dict[str, Tail[dict[str, Any]]] = {}
        self._stamps: dict[str, tuple[int, int] | None] = {}
        self._nodes: dict[str, str] = {}
        self._header_stamp: tuple[int, int] | None = None
        self._table_stamp: tuple[int, int] | None = None

    def refresh(self) -> set[str]:
        """Read what is new; return the runs that it touches."""
        touched = self._read_ledger()  # before the header, which is written before any run that it describes
        touched |= self._read_header()
        touched |= self._look_again(touched)
        table = self.folder / "report" / "results.json"
        if self.study.ablation is not None and (stamp := _stamp(table)) != self._table_stamp:
            self._table_stamp = stamp
            self.study.table = Table.read(table)
        with contextlib.suppress(Unreachable):  # a store that does not answer is asked again at the next look
            for key in self._unfinished:
                self._store.catch_up(key)
        for key in list(self._unfinished):
            if self._read_stage(key):
                touched |= self.study.listing[key]
        return touched

    def report(self) -> tuple[File, ...]:
        """The files of the study's report, as they are now."""
        return _files(self.folder / "report", "report", "*")

    def _read_header(self) -> set[str]:
        path = self.folder / HEADER
        stamp = _stamp(path)
        if stamp in (None, self._header_stamp):
            return set()
        self._header_stamp = stamp
        self.study.header = Ledger(self.folder).header()
        return set(self.study.runs)

    def _read_ledger(self) -> set[str]:
        study, events = self.study, [event for event in self._ledger.new() if not isinstance(event, Recovered)]
        for event in events:
            if study.origin is None:
                study.origin = origin_of(self.folder, event)
            for stage in event.stages if isinstance(event, Started) else ():
                self._nodes[stage.key] = stage.node
                study.first.setdefault(stage.key, event.run)
                study.listing.setdefault(stage.key, set()).add(event.run)
                if stage.key not in study.finished:
                    path = self._store_root / stage.key / JOURNAL
                    self._unfinished.setdefault(stage.key, Tail(path, journal_line))
        fold(events, study.runs)
        return {event.run for event in events} & set(study.runs)

    def _look_again(self, runs: set[str]) -> set[str]:
        """Find finished stages of these runs, and of those under way, that were set aside; the runs that they touch."""
        under_way = {name for name, run in self.study.runs.items() if run.state == "running"}
        touched: set[str] = set()
        for key in {key for name in runs | under_way for _, key in self.study.runs[name].stages}:
            if key in self.study.finished and _stamp(self._store_root / key / MANIFEST) != self._stamps[key]:
                del self.study.finished[key]
                self.study.journals.pop(key, None)
                self._unfinished[key] = Tail(self._store_root / key / JOURNAL, journal_line)
                touched |= self.study.listing[key]
        return touched

    def _read_stage(self, key: str) -> bool:
        # Asked before the journal is read: once the manifest stands, no epoch is added.
        manifest = self._store_root / key / MANIFEST
        done = manifest.exists()
        if (finished := replaced_time(self._store_root / key)) is not None:
            self.study.replaced[key] = finished
        new = self._unfinished[key].new()
        journal = self.study.journals.setdefault(key, [])
        known = {line["epoch"] for line in journal}
        for line in new:
            if line["epoch"] not in known:  # an epoch trained again after a crash keeps its first record
                known.add(line["epoch"])
                journal.append(line)
                names, domains = self.study.measured.setdefault(self._nodes[key], {}), line.get("domains", {})
                for name in line["metrics"]:
                    names[domains.get(name.partition("/")[0], ""), name] = None
        if not done:
            return bool(new)
        stamp = _stamp(manifest)
        try:
            self.study.finished[key] = _finished(manifest, key)
        except Damaged:  # it is not finished: whoever runs the study has it trained anew
            return bool(new)
        self._stamps[key] = stamp
        del self._unfinished[key]
        return True


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes with a file; None where there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _finished(manifest: Path, key: str) -> FinishedStage:
    of = read_manifest(manifest, key)
    code = of.training_code
    return FinishedStage(
        metrics=dict(of.metrics),
        seconds=of.seconds,
        time=manifest.stat().st_mtime if of.finished is None else of.finished,
        pictures=_files(manifest.parent / "pictures", "pictures", "*.png"),
        domains=dict(of.domains),
        code=code.commits if code.digest else None,
    )


def _files(root: Path, folder: str, pattern: str) -> tuple[File, ...]:
    paths = [path for path in sorted(root.rglob(pattern)) if path.is_file() and not path.name.startswith(".")]
    return tuple(File(path, "/".join([folder, *path.relative_to(root).parent.parts]), _digest(path)) for path in paths)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
