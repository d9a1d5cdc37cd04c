"""Ablations of the toy, and doing their jobs in this process."""

import random
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import override
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.variants import Variant
from medsearch.study.engine.ablation_driver import AblationDriver
from medsearch.study.engine.ablation_header import begin, describe, winner
from medsearch.study.engine.driver import Listener, ignore_event
from medsearch.study.engine.graph import Grapher
from medsearch.study.engine.jobs import Job, StudyEnvironment
from medsearch.study.record.headers import AblationHeader
from medsearch.study.record.ledger import Ledger
from tests.study import toy
from tests.study.headers import written
from tests.study.ray.drive import do

FORTH, REQUEUED = "t1 to t2", "t2 to t1"
TASKS = {FORTH: CrossModalityTask(), REQUEUED: CrossModalityTask(source="t2", target="t1")}
ROWS = (
    Variant("as proposed"),
    Variant("wide", {"polish.wide": True}, against="as proposed"),
    Variant("other weights", {"segmentation.weights.a": 10.0}, against="as proposed"),
)


def ablation(*, toy_knobs: Mapping[str, Any] | None = None, **changes: Any) -> Ablation:
    """Three rows in two columns: translation is shared by all, segmentation by the first two."""
    declared: dict[str, Any] = {
        "name": "toy_ablation",
        "question": "What does width contribute to the toy?",
        "method": toy.TOY.configured(base=override(toy.ToyRecipe(), toy_knobs or {})),
        "tasks": TASKS,
        "variants": ROWS,
        "selection": "oracle",
        "seeds": (0, 1),
    }
    return Ablation(**{**declared, **changes}).at("tiny")


def sweep_of(
    what: Ablation,
    home: Path,
    *,
    only: Collection[str] = (),
    listener: Listener = ignore_event,
    environment: StudyEnvironment | None = None,
) -> AblationDriver:
    """A sweep on the toy's data; its study need not be new."""
    environment = environment or toy.study_environment(home)
    ledger = Ledger(environment.study(what.name))
    grapher = Grapher(what, {"brats2020": environment}, winner(what, environment))
    begin(grapher, ledger)
    return AblationDriver(grapher, store=environment.store, ledger=ledger, only=only, listener=listener)


def header_of(sweep: AblationDriver) -> AblationHeader:
    """What the sweep's study has written of itself."""
    return written(sweep.ledger, AblationHeader)


def sweep_out(sweep: AblationDriver, *, slots: int = 1, seed: int = 0) -> None:
    """Do all jobs in this process, `slots` of them begun at a time and ended in any order."""
    rng = random.Random(seed)
    begun: list[Job] = []
    while True:
        job = sweep.next() if len(begun) < slots else "not yet"
        if job == "finished":
            describe(sweep.grapher, sweep.ledger, sweep.failed)
            return
        if isinstance(job, Job):
            begun.append(job)
            continue
        ready = begun.pop(rng.randrange(len(begun)))
        sweep.ended(ready.run, do(sweep, ready))
