"""The ledger of a study: what was started and how it ended, in the order in which it happened.

    studies/<study>/study.json      the header: name, question, method, selection, commit, ... (written whole)
    studies/<study>/failures/       tracebacks of runs that failed
    studies/<study>/ledger.jsonl    one event a line, append-only; the study's driver is its only writer

The last event of a run wins, so starting a run again after a crash is one more `started`. Run names are functions
of what is run, never of time or chance: a resumed study finds its runs again, here and in MLflow.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, final

from medsearch.core.errors import BadInput
from medsearch.core.records import append_line, read_json, read_lines, write_bytes, write_json

Role = Literal["prefix", "trial", "replicate", "reference", "stage"]
State = Literal["running", "complete", "cut", "failed"]

LEDGER = "ledger.jsonl"
HEADER = "study.json"
FAILURES = "failures"


@final
@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run as the study plans it. `stages` are (node, key) in the order of the pipeline; seeds count from 0."""

    role: Role
    seed: int
    number: int | None = None
    label: str = ""
    knobs: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[tuple[str, str], ...] = ()

    @property
    def run(self) -> str:
        """The run's name in the ledger, on disk and in MLflow."""
        if self.role == "stage":
            node, key = self.stages[0]
            return stage_name(node, key)
        if self.role == "prefix":
            return prefix_name(self.seed)
        if self.role == "reference":
            return reference_name(self.label, self.seed)
        if self.number is None:
            msg = f"a {self.role} needs the number of its trial (label {self.label!r}, seed {self.seed})"
            raise BadInput(msg)
        return trial_name(self.number) if self.role == "trial" else replicate_name(self.number, self.seed)


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


def prefix_name(seed: int) -> str:
    """The stages that every trial of one seed shares."""
    return f"prefix-{seed}"


def trial_name(number: int) -> str:
    """The search's trial `number`, counted as its sampler counts."""
    return f"trial-{number:04d}"


def replicate_name(number: int, seed: int) -> str:
    """Trial `number` once more, under another seed."""
    return f"replicate-{number:04d}-seed-{seed}"


def stage_name(node: str, key: str) -> str:
    """One stage run of an ablation."""
    return f"{node}-{key[:12]}"


def reference_name(label: str, seed: int) -> str:
    """A run that is no part of the search but stands beside it in the table."""
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

    def header(self) -> dict[str, Any]:
        """The study's header; empty before the study has begun."""
        path = self.folder / HEADER
        return dict(read_json(path)) if path.exists() else {}

    def write_header(self, header: Mapping[str, Any]) -> None:
        """Write the header whole. Tracking shows its name, question, method, selection, task, commit, ..."""
        write_json(self.folder / HEADER, header)

    def started(self, planned: PlannedRun) -> str:
        """Record that a run begins, or goes on after an interruption; returns its name."""
        append_line(
            self.path,
            {
                "event": "started",
                "run": planned.run,
                "role": planned.role,
                "number": planned.number,
                "label": planned.label,
                "seed": planned.seed,
                "knobs": planned.knobs,
                "stages": [{"node": node, "key": key} for node, key in planned.stages],
                "time": time.time(),
            },
        )
        return planned.run

    def finished(
        self,
        run: str,
        *,
        state: Literal["complete", "cut", "failed"],
        values: Sequence[float] = (),
        rung: int | None = None,
        reason: str | None = None,
        cause: str | None = None,
    ) -> None:
        """Record how a run ended, with the values of the objectives in their order."""
        event = {"event": "finished", "run": run, "state": state, "value": values[0] if values else None, "rung": rung}
        several = {"values": list(values)} if len(values) > 1 else {}
        append_line(self.path, {**event, **several, "reason": reason, "cause": cause, "time": time.time()})

    def explain(self, run: str, trace: str) -> None:
        """Keep the traceback of a run that failed, for whoever has to find out why."""
        if trace:
            write_bytes(self.folder / FAILURES / f"{run}.txt", trace.encode())

    def events(self) -> Iterator[dict[str, Any]]:
        """Every complete event, oldest first."""
        return read_lines(self.path)

    def runs(self) -> dict[str, RunRecord]:
        """Every run by name, in the order of first start."""
        return fold(self.events())


def fold(events: Iterable[Mapping[str, Any]], onto: dict[str, RunRecord] | None = None) -> dict[str, RunRecord]:
    """What a sequence of events amounts to: the last event of a run wins. `onto`, from earlier ones, is extended."""
    runs = {} if onto is None else onto
    for event in events:
        name = event["run"]
        if event["event"] == "started":
            runs[name] = _opened(event, runs.get(name))
        elif event["event"] == "finished" and name in runs:
            runs[name] = _closed(event, runs[name])
    return runs


def _opened(event: Mapping[str, Any], earlier: RunRecord | None) -> RunRecord:
    return RunRecord(
        run=event["run"],
        role=event["role"],
        number=event["number"],
        label=event["label"],
        seed=event["seed"],
        knobs=event["knobs"],
        stages=tuple((stage["node"], stage["key"]) for stage in event["stages"]),
        state="running",
        value=None,
        rung=None,
        reason=None,
        cause=None,
        started=earlier.started if earlier else event["time"],
        ended=None,
    )


def _closed(event: Mapping[str, Any], record: RunRecord) -> RunRecord:
    return replace(
        record,
        state=event["state"],
        value=event["value"],
        values=tuple(event.get("values", () if event["value"] is None else (event["value"],))),
        rung=event["rung"],
        reason=event["reason"],
        cause=event["cause"],
        ended=event["time"],
    )
