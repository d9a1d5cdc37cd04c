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

from medsearch import __version__
from medsearch.cohorts.prepared import Prepared
from medsearch.cohorts.views import domains, view
from medsearch.core.errors import Diverged
from medsearch.core.recipes import plain
from medsearch.core.records import warn_once
from medsearch.stages.code import Code, mark, training_code
from medsearch.stages.context import Artifact, Runtime, StageContext
from medsearch.stages.manifest import CHECKPOINT, Manifest, MemoryUse
from medsearch.stages.memory import NOTE, Meter, MicroBatch, Usage
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
class _Progress:
    """What this process has seen of a stage run: epochs that it has yielded, optimiser steps and their seconds.

    code: what trains it, as it was before the first step. tail: seconds from the last epoch to the end.
    """

    code: Code | None
    yielded: set[int] = field(default_factory=set)
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
    """Train and commit the stage, halving the micro-batch as often as it must. No epoch is yielded twice."""
    store, key, folder, progress = executor.store, run.key, executor.store.folder(run.key), _Progress(run.code)
    meter = executor.meter or DeviceMeter(executor.runtime)
    micro_batch = MicroBatch.of(run, executor.runtime, folder)
    while True:
        meter.begin()
        try:
            context = StageContext(
                task=view(executor.prepared, run.task, run.stage.reads()),
                upstream={role: store.artifact(upstream) for role, upstream in run.upstream.items()},
                seed=run.seed,
                runtime=micro_batch.runtime,
                directory=store.aside(key),
                checkpoint=folder / CHECKPOINT,
            )
            outcome = yield from _journalled(store, run, run.stage.train(context), progress)
        except Exception as error:
            halved = micro_batch.halved(error, epochs=len(store.journal(key))) if exhausted(error) else None
            if halved is None:
                raise
            micro_batch = halved
            forget(error)
        else:
            store.commit(key, _manifest(executor, run, outcome, progress, micro_batch.measured(meter)))
            (folder / NOTE).unlink(missing_ok=True)  # the manifest has it all
            return
        micro_batch.write(folder)
        release()


def usage_now(executor: StageExecutor, run: StageRun, epoch: Epoch, *, seconds: float) -> Usage:
    """What the stage has taken up to an epoch that took so many seconds; `executor` must hold the meter itself."""
    meter = executor.meter or DeviceMeter(executor.runtime)
    device, capacity = meter.device()
    return Usage(
        device=device,
        capacity=capacity,
        peak=meter.peak(),
        micro_batch=MicroBatch.of(run, executor.runtime, executor.store.folder(run.key)).size,
        seconds=seconds,
        step_seconds=epoch.stepping / epoch.steps if epoch.steps else None,
    )


def _journalled(
    store: Store, run: StageRun, training: Training, progress: _Progress
) -> Generator[Epoch, None, Outcome]:
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
                progress.tail = time.monotonic() - began
                outcome: Outcome = end.value
                return outcome
            _require_finite(epoch.metrics, f"at epoch {epoch.number}")
            progress.steps += epoch.steps
            progress.stepping += epoch.stepping
            if epoch.number not in recorded:
                seconds = time.monotonic() - began
                more = mark(progress.code)
                store.record(key, epoch, seconds=seconds, time=time.time(), domains=owners, more=more)
            if epoch.number not in progress.yielded:
                progress.yielded.add(epoch.number)
                yield epoch
    finally:
        training.close()


def _require_finite(metrics: Mapping[str, float], when: str) -> None:
    bad = [f"{name} = {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        msg = f"{', '.join(bad)} {when}: training diverged; lower the learning rate or the loss weights"
        raise Diverged(msg)


def _manifest(
    executor: StageExecutor, run: StageRun, outcome: Outcome, progress: _Progress, memory: MemoryUse
) -> Manifest:
    """What is written of a stage that has ended now.

    Epochs of which the journal lost the record count as long as the median one.
    """
    store, key, code = executor.store, run.key, progress.code
    finished, journal = time.time(), store.journal(key)
    seconds, lost = [line["seconds"] for line in journal], store.lost_epochs(key)
    median = statistics.median(seconds) if seconds else None
    if lost:
        warn_once(f"stage {key}: the journal lost {lost} of {len(seconds) + lost} epochs; their seconds are estimated")
    upstream = {role: store.artifact(taken).manifest for role, taken in run.upstream.items()}
    return Manifest(
        stage=run.stage.name,
        node=run.node,
        version=run.stage.version,
        recipe=plain(run.stage.recipe),
        seed=run.seed,
        parts=dict(run.parts),
        domains=domains(run.parts),
        upstream=dict(run.upstream),
        metrics=dict(outcome.metrics),
        notes=plain(outcome.notes),
        finished=finished,
        program=__version__,
        runtime=plain(executor.runtime),
        machine={"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        code=training_code(code, upstream=upstream, journal=journal),
        modules=dict(code.modules) if code else {},
        memory=memory,
        epochs=len(seconds) + lost,
        seconds=sum(seconds) + lost * (median or 0.0) + progress.tail,
        epoch_seconds=median,
        step_seconds=progress.stepping / progress.steps if progress.steps else None,
        lost_epochs=lost,
    )
