"""What a stage run takes of its device, and how it comes down when memory runs out.

    Meter        measures the peak of a run; a test brings its own
    MicroBatch   the whole batch, then half as many samples at a time, down to one
    Usage        what was measured, for whoever packs runs onto GPUs

A halving leaves the effective batch as it is: gradients of the parts accumulate. It is written beside the journal, so
that a run that is stopped goes on where it was, and into the manifest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, final

from medsearch.core.codec import decoded, encoded
from medsearch.core.errors import Damaged
from medsearch.core.recipes import plain
from medsearch.core.records import read_record, warn_once, write_sealed
from medsearch.stages.manifest import Halving, Manifest, MemoryUse
from medsearch.stages.pipelines import StageRun
from medsearch.training.runtime import Runtime

NOTE = "memory.json"


class Meter(Protocol):
    """Measures how much of its device a run takes."""

    def begin(self) -> None:
        """Measure from now on: the peak so far is forgotten."""

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

    @staticmethod
    def recorded(manifest: Manifest) -> "Usage | None":
        """What a finished stage took, if its manifest says so."""
        memory, seconds = manifest.memory, manifest.epoch_seconds
        if memory is None or seconds is None:
            return None
        return Usage(
            device=memory.device,
            capacity=memory.capacity,  # type: ignore[arg-type]
            peak=memory.peak,  # type: ignore[arg-type]
            micro_batch=memory.micro_batch,
            seconds=seconds,
            step_seconds=manifest.step_seconds,
        )


@final
@dataclass(frozen=True, kw_only=True)
class _Note:
    """What a life of a stage run leaves for the next one."""

    runtime: Mapping[str, Any]
    micro_batch: int | None
    halvings: tuple[Halving, ...]


@final
@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """How many samples a stage run computes at a time; None for a stage that has no batch to part."""

    given: Runtime
    size: int | None
    halvings: tuple[Halving, ...] = ()

    @staticmethod
    def of(run: StageRun, runtime: Runtime, folder: Path) -> "MicroBatch":
        """The whole batch; or where an earlier life in `folder` stood, if it computed as this one will.

        What it left is read from a note; if that is damaged, the stage begins with the whole batch, and that is said.
        """
        batch = run.stage.batch
        whole = runtime.at_once(batch) if batch else runtime.micro_batch or None
        path = folder / NOTE
        try:
            note = decoded(_Note, read_record(path), what=path, remedy="")
        except FileNotFoundError:
            return MicroBatch(given=runtime, size=whole)
        except Damaged as error:
            warn_once(f"{error.what} {error.problem}; the stage begins with its whole micro-batch again")
            return MicroBatch(given=runtime, size=whole)
        alike = note.runtime == plain(runtime)
        return MicroBatch(given=runtime, size=note.micro_batch if alike else whole, halvings=note.halvings)

    @property
    def runtime(self) -> Runtime:
        """What the stage is given; as it came, until memory ran out."""
        if self.size is None or self.given.micro_batch == self.size or not self.halvings:
            return self.given
        return replace(self.given, micro_batch=self.size)

    def halved(self, error: BaseException, *, epochs: int) -> "MicroBatch | None":
        """Half as many samples, rounded up; None where one is too many already."""
        if self.size is None or self.size < 2:
            return None
        after = (self.size + 1) // 2
        text = str(error).strip().splitlines()
        reason = text[0] if text else type(error).__name__
        halving = Halving(before=self.size, after=after, epochs=epochs, reason=reason)
        return replace(self, size=after, halvings=(*self.halvings, halving))

    def write(self, folder: Path) -> None:
        """Leave a note for a later life."""
        note = _Note(runtime=plain(self.given), micro_batch=self.size, halvings=self.halvings)
        write_sealed(folder / NOTE, encoded(note))

    def measured(self, meter: Meter) -> MemoryUse:
        """What the run took by its meter."""
        device, capacity = meter.device()
        return MemoryUse(
            micro_batch=self.size, halvings=self.halvings, device=device, capacity=capacity, peak=meter.peak()
        )
