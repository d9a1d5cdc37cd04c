"""Run one stage: from the store if it is there, from its checkpoint if it was interrupted, else from the start.

When memory runs out, it goes on from its checkpoint with half as many samples at a time; `memory` says how.
"""

import math
import os
import platform
import statistics
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from medsearch import __version__
from medsearch.cohorts.prepared import Prepared
from medsearch.cohorts.views import domains, view
from medsearch.core.errors import Diverged
from medsearch.core.recipes import plain
from medsearch.core.records import warn_once
from medsearch.stages.code import Code, mark, record
from medsearch.stages.context import Artifact, Runtime, StageContext
from medsearch.stages.memory import Ladder, Meter, Usage, clear, taken
from medsearch.stages.pipelines import StageRun
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.store import Store
from medsearch.training.memory import DeviceMeter, exhausted, forget, release


@dataclass(frozen=True)
class StageExecutor:
    """Where stages run: a store, prepared arrays, a runtime, and what measures their memory (None: the device's)."""

    store: Store
    prepared: Prepared
    runtime: Runtime
    meter: Meter | None = None


@dataclass
class _Course:
    """What this life of a stage run has seen: epochs that it has said, optimiser steps and their seconds.

    code: what trains it, as it was before the first step.
    """

    code: Code | None
    said: set[int] = field(default_factory=set)
    steps: int = 0
    stepping: float = 0.0
    tail: float = 0.0


def run_stage(executor: StageExecutor, run: StageRun, *, whole: bool = False) -> Generator[Epoch, None, Artifact]:
    """Train the stage unless it is stored, yielding its epochs; return its artifact.

    A second process that asks for the same stage waits for the first, then takes its result. whole: train it again if
    its outputs were pruned.

    Raises:
        Diverged: a reported loss is not finite.
        MemoryError, RuntimeError: memory ran out with one sample at a time, or the stage has no batch to part.

    """
    store, key = executor.store, run.key
    stored = store.whole if whole else store.has
    if not stored(key):
        with store.lock(key):
            if not stored(key):
                store.set_aside_damaged(key)
                store.drop_other(key, run.code.digest if run.code else None)
                yield from _trained(executor, run)
    return store.artifact(key)


def _trained(executor: StageExecutor, run: StageRun) -> Generator[Epoch, None, None]:
    """Train and commit the stage, as far down the ladder as it must go. An epoch trained anew is not said twice."""
    store, key, course = executor.store, run.key, _Course(run.code)
    meter, ladder = executor.meter or DeviceMeter(executor.runtime), Ladder.of(run, executor.runtime, store.folder(key))
    while True:
        meter.begin()
        try:
            outcome = yield from _journalled(
                store, run, run.stage.train(_context(executor, run, ladder.runtime)), course
            )
        except Exception as error:
            lower = ladder.lower(error, epochs=len(store.journal(key))) if exhausted(error) else None
            if lower is None:
                raise
            ladder = lower
            forget(error)
        else:
            used = {**ladder.record(), **taken(meter)}
            manifest = {**_manifest(executor, run, outcome), **_code(executor, run, course)}
            store.commit(key, {**manifest, "memory": used, **_pace(store, key, course)})
            clear(store.folder(key))
            return
        ladder.write(store.folder(key))
        release()


def usage_now(executor: StageExecutor, run: StageRun, epoch: Epoch, *, seconds: float) -> Usage:
    """What the stage has taken up to an epoch that took so many seconds; `executor` must hold the meter itself."""
    ladder = Ladder.of(run, executor.runtime, executor.store.folder(run.key))
    step = epoch.stepping / epoch.steps if epoch.steps else None
    reading = taken(executor.meter or DeviceMeter(executor.runtime))
    return Usage(**reading, micro_batch=ladder.micro_batch, seconds=seconds, step_seconds=step)


def _context(executor: StageExecutor, run: StageRun, runtime: Runtime) -> StageContext[Any]:
    folder = executor.store.folder(run.key)
    return StageContext(
        task=view(executor.prepared, run.task, run.stage.reads()),
        upstream={role: executor.store.artifact(key) for role, key in run.upstream.items()},
        seed=run.seed,
        runtime=runtime,
        directory=executor.store.aside(run.key),
        checkpoint=folder / "checkpoint",
    )


def _journalled(store: Store, run: StageRun, training: Training, course: _Course) -> Generator[Epoch, None, Outcome]:
    """Drive `training`, recording each epoch once; return its outcome."""
    key, owners = run.key, domains(run.parts)
    recorded = {line["epoch"] for line in store.journal(key)}
    try:
        while True:
            began = time.monotonic()
            try:
                epoch = next(training)
            except StopIteration as end:
                _require_finite(end.value.metrics, "at the end")
                course.tail = time.monotonic() - began
                outcome: Outcome = end.value
                return outcome
            _require_finite(epoch.metrics, f"at epoch {epoch.number}")
            course.steps += epoch.steps
            course.stepping += epoch.stepping
            if epoch.number not in recorded:
                seconds = time.monotonic() - began
                told = mark(course.code)
                store.record(key, epoch, seconds=seconds, time=time.time(), domains=owners, told=told)
            if epoch.number not in course.said:
                course.said.add(epoch.number)
                yield epoch
    finally:
        training.close()


def _pace(store: Store, key: str, course: _Course) -> dict[str, Any]:
    """How long it took: whole, an epoch (with validation), an optimiser step.

    Epochs of which the journal lost the record (`lost_epochs`, if there are any) count as long as the median one.
    """
    seconds, lost = [line["seconds"] for line in store.journal(key)], store.lost_epochs(key)
    usual = statistics.median(seconds) if seconds else None
    if lost:
        warn_once(f"stage {key}: the journal lost {lost} of {len(seconds) + lost} epochs; their seconds are estimated")
    return {
        "epochs": len(seconds) + lost,
        "seconds": sum(seconds) + lost * (usual or 0.0) + course.tail,
        "epoch_seconds": usual,
        "step_seconds": course.stepping / course.steps if course.steps else None,
        **({"lost_epochs": lost} if lost else {}),
    }


def _require_finite(metrics: Mapping[str, float], when: str) -> None:
    bad = [f"{name} = {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        msg = f"{', '.join(bad)} {when}: training diverged; lower the learning rate or the loss weights"
        raise Diverged(msg)


def _code(executor: StageExecutor, run: StageRun, course: _Course) -> dict[str, Any]:
    taken = {role: executor.store.artifact(key).manifest for role, key in run.upstream.items()}
    return record(course.code, upstream=taken, journal=executor.store.journal(run.key))


def _manifest(executor: StageExecutor, run: StageRun, outcome: Outcome) -> dict[str, Any]:
    return {
        "stage": run.stage.name,
        "node": run.node,
        "version": run.stage.version,
        "recipe": plain(run.stage.recipe),
        "seed": run.seed,
        "parts": dict(run.parts),
        "domains": domains(run.parts),
        "upstream": dict(run.upstream),
        "metrics": dict(outcome.metrics),
        "notes": plain(outcome.notes),
        "finished": time.time(),
        "program": __version__,
        "runtime": plain(executor.runtime),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
    }
