"""Run one stage: from the store if it is there, from its checkpoint if it was interrupted, else from the start."""

import math
import os
import platform
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from medsearch import __version__
from medsearch.core.errors import Diverged
from medsearch.core.recipes import plain
from medsearch.data.preparation import PreparedCohort
from medsearch.data.views import TaskView, domains
from medsearch.stages.context import Artifact, Runtime, StageContext
from medsearch.stages.pipelines import StageRun
from medsearch.stages.stage import Epoch, Outcome, Training
from medsearch.stages.store import Store


@dataclass(frozen=True)
class Bench:
    """Where stages run: a store, prepared arrays, and a runtime."""

    store: Store
    prepared: PreparedCohort
    runtime: Runtime


def run_stage(bench: Bench, run: StageRun) -> Generator[Epoch, None, Artifact]:
    """Train the stage unless it is stored, yielding its epochs; return its artifact.

    A second process that asks for the same stage waits for the first, then takes its result.

    Raises:
        Diverged: a reported loss is not finite.

    """
    store, key = bench.store, run.key
    if not store.has(key):
        with store.lock(key):
            if not store.has(key):
                outcome, tail = yield from _journalled(store, run, run.stage.train(_context(bench, run)))
                store.commit(key, _manifest(bench, run, outcome, tail))
    return store.artifact(key)


def _context(bench: Bench, run: StageRun) -> StageContext:
    folder = bench.store.folder(run.key)
    return StageContext(
        task=TaskView(bench.prepared, run.task, run.stage.reads()),
        upstream={role: bench.store.artifact(key) for role, key in run.upstream.items()},
        seed=run.seed,
        runtime=bench.runtime,
        directory=bench.store.aside(run.key),
        checkpoint=folder / "checkpoint",
    )


def _journalled(store: Store, run: StageRun, training: Training) -> Generator[Epoch, None, tuple[Outcome, float]]:
    """Drive `training`, recording each epoch once; return its outcome and the seconds after the last epoch."""
    key, owners = run.key, domains(run.parts)
    recorded = {line["epoch"] for line in store.journal(key)}
    try:
        while True:
            began = time.monotonic()
            try:
                epoch = next(training)
            except StopIteration as end:
                _require_finite(end.value.metrics, "at the end")
                return end.value, time.monotonic() - began
            _require_finite(epoch.metrics, f"at epoch {epoch.number}")
            if epoch.number not in recorded:
                seconds = time.monotonic() - began
                store.record(key, epoch, seconds=seconds, time=time.time(), domains=owners)
            yield epoch
    finally:
        training.close()


def _require_finite(metrics: Mapping[str, float], when: str) -> None:
    bad = [f"{name} = {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        msg = f"{', '.join(bad)} {when}: training diverged; lower the learning rate or the loss weights"
        raise Diverged(msg)


def _manifest(bench: Bench, run: StageRun, outcome: Outcome, tail: float) -> dict[str, Any]:
    journal = bench.store.journal(run.key)
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
        "epochs": len(journal),
        "seconds": sum(line["seconds"] for line in journal) + tail,
        "finished": time.time(),
        "code": __version__,
        "runtime": plain(bench.runtime),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
    }
