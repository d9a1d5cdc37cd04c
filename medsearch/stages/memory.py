"""What a stage run takes of its device, and how it comes down when memory runs out.

    Meter     measures the peak of a run; a test brings its own
    Ladder    micro-batches: the whole batch, then half as many samples at a time, down to one
    Usage     what was measured, for whoever packs runs onto GPUs

A halving leaves the effective batch as it is: gradients of the parts accumulate. It is written beside the journal, so
that a run that is stopped goes on where it was, and into the manifest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, final

from medsearch.core.errors import Damaged
from medsearch.core.recipes import plain
from medsearch.core.records import lacks, read_record, warn_once, write_sealed
from medsearch.stages.pipelines import StageRun
from medsearch.training.runtime import Runtime

NOTE = "memory.json"


class Meter(Protocol):
    """Measures how much of its device a run takes."""

    def begin(self) -> None:
        """Forget the peak so far."""

    def peak(self) -> int:
        """Bytes taken at most since `begin`."""

    def device(self) -> tuple[str, int]:
        """The device's name, and the bytes that it has; 0 where there is no telling."""


@final
@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a stage took. peak, capacity: bytes. seconds, step_seconds: of an epoch and of an optimiser step.

    micro_batch: samples at a time; None where there is no batch.
    """

    device: str
    capacity: int
    peak: int
    seconds: float
    step_seconds: float | None = None
    micro_batch: int | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Halving:
    """Memory ran out with `before` samples at a time, when so many epochs were finished."""

    before: int
    after: int
    epochs: int
    reason: str


@final
@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Where a stage run stands. micro_batch: samples at a time; None for a stage that has no batch to part."""

    given: Runtime
    micro_batch: int | None
    halvings: tuple[Halving, ...] = ()

    @staticmethod
    def of(run: StageRun, runtime: Runtime, folder: Path) -> "Ladder":
        """The top; or where an earlier life in `folder` stood, if it computed as this one will."""
        batch = run.stage.batch
        top = runtime.at_once(batch) if batch else runtime.micro_batch or None
        note = _note(folder)
        if note is None:
            return Ladder(given=runtime, micro_batch=top)
        halvings = tuple(Halving(**halving) for halving in note["halvings"])
        same = note["runtime"] == plain(runtime)
        return Ladder(given=runtime, micro_batch=note["micro_batch"] if same else top, halvings=halvings)

    @property
    def runtime(self) -> Runtime:
        """What the stage is given; as it came, until memory ran out."""
        if self.micro_batch is None or self.given.micro_batch == self.micro_batch or not self.halvings:
            return self.given
        return replace(self.given, micro_batch=self.micro_batch)

    def lower(self, error: BaseException, *, epochs: int) -> "Ladder | None":
        """One step down; None at the bottom."""
        if self.micro_batch is None or self.micro_batch < 2:
            return None
        after = (self.micro_batch + 1) // 2
        text = str(error).strip().splitlines()
        reason = text[0] if text else type(error).__name__
        halving = Halving(before=self.micro_batch, after=after, epochs=epochs, reason=reason)
        return replace(self, micro_batch=after, halvings=(*self.halvings, halving))

    def write(self, folder: Path) -> None:
        """Leave a note for a later life."""
        write_sealed(folder / NOTE, {"runtime": self.given, **self.record()})

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        return {"micro_batch": self.micro_batch, "halvings": plain(self.halvings)}


def clear(folder: Path) -> None:
    """Drop the note of a finished stage, whose manifest has it all."""
    (folder / NOTE).unlink(missing_ok=True)


def taken(meter: Meter) -> dict[str, Any]:
    """A meter's reading, for the manifest."""
    device, capacity = meter.device()
    return {"device": device, "capacity": capacity, "peak": meter.peak()}


def usage_in(manifest: Mapping[str, Any]) -> Usage | None:
    """What a finished stage took, if its manifest says so."""
    memory, seconds = manifest.get("memory"), manifest.get("epoch_seconds")
    if not memory or seconds is None:
        return None
    told = {name: memory[name] for name in ("device", "capacity", "peak", "micro_batch")}
    return Usage(**told, seconds=seconds, step_seconds=manifest.get("step_seconds"))


def _note(folder: Path) -> Mapping[str, Any] | None:
    """What an earlier life left; None where it left nothing, or what it left is damaged: then it begins at the top."""
    try:
        note: Mapping[str, Any] = read_record(folder / NOTE, fault=_note_fault)
    except FileNotFoundError:
        return None
    except Damaged as error:
        warn_once(f"{error.what} {error.problem}; the stage begins with its whole micro-batch again")
        return None
    return note


def _note_fault(note: Mapping[str, Any]) -> str:
    if problem := lacks(note, {"runtime": dict, "micro_batch": (int, type(None)), "halvings": list}):
        return problem
    fields = {"before": int, "after": int, "epochs": int, "reason": str}
    halvings = note["halvings"]
    if not all(isinstance(one, dict) and set(one) == set(fields) and not lacks(one, fields) for one in halvings):
        return "has a halving that says something else"
    return ""
