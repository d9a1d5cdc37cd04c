"""The ledger of a study: what was started and how it ended, in the order in which it happened.

    studies/<study>/study.json      the header: name, question, method, selection, commit, ... (written whole)
    studies/<study>/study.copy.json the same again: decisions in it, such as what a group froze, may not be made alike
    studies/<study>/failures/       tracebacks of runs that failed
    studies/<study>/ledger.jsonl    one event a line, append-only; the study's driver is its only writer

Header and events are checked when they are read: a header that was cut or changed is refused, and brought back from its
copy when its study is run; an event that was cut, changed or lacks something is passed over and named, and what it said
is found again in the sampler's storage and the stage store, or redone.

The last event of a run wins, so starting a run again after a crash is one more `started`. Run names are functions
of what is run, never of time or chance: a resumed study finds its runs again, here and in MLflow.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, final, overload

from medsearch.core.codec import encoded
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.paths import child, set_aside
from medsearch.core.records import append_line, checked_lines, damaged, sound, warn_once, write_bytes, write_sealed
from medsearch.study.record.headers import (
    Ended,
    Event,
    Finished,
    Header,
    Recovered,
    Role,
    StageKey,
    Started,
    event_line,
    read_event,
    read_header,
)

H = TypeVar("H", bound=Header)
State = Literal["running"] | Ended

LEDGER = "ledger.jsonl"
HEADER = "study.json"
FAILURES = "failures"
HEADER_COPY = "study.copy.json"
UNCOPIED = (
    "finalists, and what groups of a staged search freeze, are decided anew, and may come out otherwise where failed "
    "runs were repeated since; if later groups stand on them, bring the file back from elsewhere first"
)


@final
@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run as the study plans it, known before its knobs are: it equals any other of its role, seed, number and label.

    number: of its trial, if it has one; label: of a reference, or of a stage's row. stages: (node, key) of its stage
    runs, in the order of the pipeline.
    """

    role: Role
    seed: int
    number: int | None = None
    label: str = ""
    knobs: Mapping[str, Any] = field(default_factory=dict, compare=False)
    stages: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def run(self) -> str:
        """The run's name in the ledger, on disk and in MLflow."""
        if self.role == "stage":
            node, key = self.stages[0]
            return stage_name(node, key)
        if self.role == "prefix":
            return f"prefix-{self.seed}"
        if self.role == "reference":
            return reference_name(self.label, self.seed)
        if self.number is None:
            msg = f"a {self.role} needs the number of its trial (label {self.label!r}, seed {self.seed})"
            raise BadInput(msg)
        return trial_name(self.number) if self.role == "trial" else f"replicate-{self.number:04d}-seed-{self.seed}"

    def started(self, time: float) -> Started:
        """The event that it begins, in Unix seconds."""
        return Started(
            run=self.run,
            role=self.role,
            number=self.number,
            label=self.label,
            seed=self.seed,
            knobs=self.knobs,
            stages=tuple(StageKey(node=node, key=key) for node, key in self.stages),
            time=time,
        )


@final
@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What the ledger knows of one run. `started` (first start) and `ended` are Unix seconds.

    `value` is the selection metric of a run that ended with one; `rung` is the epoch at which a scheduler cut it,
    `reason` says in words why it was cut or failed, and `cause` is the failure's kind (an exception's name). `values`
    are those of all objectives, `value` the first of them.
    """

    run: str
    role: Role
    number: int | None
    label: str
    seed: int
    knobs: Mapping[str, Any]
    stages: tuple[tuple[str, str], ...]
    state: State
    value: float | None
    rung: int | None
    reason: str | None
    cause: str | None
    started: float
    ended: float | None
    values: tuple[float, ...] = ()


def trial_name(number: int) -> str:
    """The run of the search's trial `number`, counted from 0 as its sampler counts."""
    return f"trial-{number:04d}"


def stage_name(node: str, key: str) -> str:
    """The run of one stage of an ablation: the node of its pipeline, and the first 12 digits of its key."""
    return f"{node}-{key[:12]}"


def reference_name(label: str, seed: int) -> str:
    """The run of a row that stands beside a search, under a seed.

    Raises:
        BadInput: the label holds no letter or digit.

    """
    slug = re.sub(r"[^\w]+", "-", label.lower()).strip("-")
    if not slug:
        msg = f"reference label {label!r} holds no letter or digit to name its runs by; give it one"
        raise BadInput(msg)
    return f"reference-{slug}-seed-{seed}"


@final
class Ledger:
    """The ledger in `folder` (studies/<study>); reading needs no file to exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LEDGER

    @overload
    def header(self) -> Header | None: ...
    @overload
    def header(self, kind: type[H]) -> H | None: ...
    def header(self, kind: type[Header] = Header) -> Header | None:
        """The study's header if it is one of `kind`; None before the study has begun, and for another kind.

        Raises:
            Damaged: it was cut, or changed since it was written.

        """
        header = read_header(self.folder / HEADER)
        return header if isinstance(header, kind) else None

    def mend(self) -> None:
        """Bring a header that is damaged or lost back from its copy, and say so; for whoever runs the study.

        Without a copy the study is begun anew, and what that means is said.
        """
        header, lost = self._sound(HEADER)
        copy, copy_lost = self._sound(HEADER_COPY)
        if header and copy != header:
            write_sealed(self.folder / HEADER_COPY, encoded(header))
            if copy_lost:
                warn_once(f"{copy_lost}; it is written anew from {HEADER}")
        elif copy and not header:
            write_sealed(self.folder / HEADER, encoded(copy))
            warn_once(f"{lost or f'{self.folder / HEADER} is lost'}; it is brought back from {HEADER_COPY}")
        elif lost or copy_lost:
            warn_once(f"{lost or copy_lost}; there is no other copy: {UNCOPIED}")

    def _sound(self, name: str) -> tuple[Header | None, str]:
        """The header or its copy, and what is said of one that is damaged, which is set aside."""
        try:
            return read_header(self.folder / name), ""
        except Damaged as error:
            return None, f"{error.what} {error.problem}; it is {set_aside(self.folder / name).name} now"

    def write_header(self, header: Header) -> None:
        """Write the header whole, and its copy, unless it says what is written already."""
        content, written = encoded(header), self.header()
        if written is None or encoded(written) != content:
            write_sealed(self.folder / HEADER_COPY, content)
            write_sealed(self.folder / HEADER, content)

    def started(self, planned: PlannedRun) -> str:
        """Record that a run begins, or goes on after an interruption; returns its name."""
        self._append(event := planned.started(time.time()))
        return event.run

    def finished(
        self,
        run: str,
        *,
        state: Ended,
        values: Sequence[float] = (),
        rung: int | None = None,
        reason: str | None = None,
        cause: str | None = None,
    ) -> None:
        """Record how a run ended, with the values of the objectives in their order."""
        self._append(
            Finished(
                run=run,
                state=state,
                value=values[0] if values else None,
                rung=rung,
                values=tuple(values) if len(values) > 1 else (),
                reason=reason,
                cause=cause,
                time=time.time(),
            )
        )

    def explain(self, run: str, trace: str) -> None:
        """Keep the traceback of a run that failed, for whoever has to find out why."""
        if trace:
            write_bytes(child(self.folder / FAILURES, f"{run}.txt", what="run"), trace.encode())

    def events(self) -> Iterator[Event]:
        """Every event whose line is sound, oldest first."""
        return (event for event in sound(self._lines()) if event is not None)

    def faulty(self) -> list[Damaged]:
        """The lines that cannot be read; what they said is found again or redone."""
        return damaged(self._lines())

    def unrecovered(self) -> list[Damaged]:
        """The faulty lines, while what they said may not stand below them again."""
        lines = list(self._lines())
        known = max((event.faulty for event in sound(lines) if isinstance(event, Recovered)), default=0)
        return faulty if len(faulty := damaged(lines)) > known else []

    def note_recovered(self) -> None:
        """Record that the study has ended since a line became faulty: all of its runs stand in the other lines."""
        if faulty := self.unrecovered():
            self._append(Recovered(faulty=len(faulty), time=time.time()))

    def runs(self) -> dict[str, RunRecord]:
        """Every run by name, in the order of first start."""
        return fold(self.events())

    def _lines(self) -> Iterator[Event | Damaged | None]:
        return checked_lines(self.path, read_event)

    def _append(self, event: Event) -> None:
        append_line(self.path, event_line(event))


def trial_of(runs: Iterable[RunRecord], number: int, study: str) -> RunRecord:
    """The trial `number`, on which something else of the study stands.

    Raises:
        Damaged: the ledger has lost it.

    """
    for run in runs:
        if run.role == "trial" and run.number == number:
            return run
    ledger, remedy = f"the ledger of study {study!r}", "run the study again: the sampler's storage still has it"
    raise Damaged(ledger, f"has lost trial {number}", remedy)


def fold(events: Iterable[Event], onto: dict[str, RunRecord] | None = None) -> dict[str, RunRecord]:
    """What a sequence of events amounts to: the last event of a run wins. `onto`, from earlier ones, is extended."""
    runs = {} if onto is None else onto
    for event in events:
        if isinstance(event, Started):
            earlier = runs.get(event.run)
            runs[event.run] = RunRecord(
                run=event.run,
                role=event.role,
                number=event.number,
                label=event.label,
                seed=event.seed,
                knobs=event.knobs,
                stages=tuple((stage.node, stage.key) for stage in event.stages),
                state="running",
                value=None,
                rung=None,
                reason=None,
                cause=None,
                started=earlier.started if earlier else event.time,
                ended=None,
            )
        elif isinstance(event, Finished) and event.run in runs:
            runs[event.run] = replace(
                runs[event.run],
                state=event.state,
                value=event.value,
                values=event.values or (() if event.value is None else (event.value,)),
                rung=event.rung,
                reason=event.reason,
                cause=event.cause,
                ended=event.time,
            )
    return runs
