"""A study's driver as its own process, for tests that kill it: `python drive.py HOME '{"trials": 4, ...}'`."""

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from medsearch.cli.exits import exits
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.recipes import override
from medsearch.core.records import append_line
from medsearch.stages.context import Runtime
from medsearch.study.declare.samplers import GP, NSGA2, QMC, TPE, Random
from medsearch.study.declare.schedulers import ASHA, FullLength, Median
from medsearch.study.declare.search import Search, Variant
from medsearch.study.declare.spaces import choice, loguniform, uniform
from medsearch.study.engine.driver import Event
from medsearch.study.engine.identity import open_study
from medsearch.study.engine.jobs import Job, RunResult, SearchJobs, StudyEnvironment, perform
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.ray.cluster import Resources
from medsearch.study.ray.execution import ClusterOptions, run_search
from medsearch.study.record.ledger import Ledger
from tests.study import toy
from tests.study.synthesis import weight_search

SAMPLERS = {kind().name: kind() for kind in (GP, NSGA2, QMC, TPE, Random)}
FULL = FullLength(because="a toy")


def search(**changes: Any) -> Search:
    """The toy search; `toy` in `changes` sets knobs of the method itself."""
    method = toy.TOY.configured(base=override(toy.ToyRecipe(), changes.pop("toy", {})))
    declared: dict[str, Any] = {
        "name": "toy_search",
        "question": "Which weights make the toy best?",
        "method": method,
        "task": CrossModalityTask(),
        "space": {"segmentation.weights.a": loguniform(0.1, 1000), "segmentation.weights.b": uniform(0, 1)},
        "nuisance": {"polish.wide": choice([False, True])},
        "selection": "oracle",
        "sampler": TPE(startup=4),
        "scheduler": FULL,
        "trials": 6,
        "finalists": 2,
        "seeds": (0, 1),
        "published": {"segmentation.weights.a": 1.0, "segmentation.weights.b": 0.0},
        "references": (Variant("No adaptation", {"segmentation.weights.a": 0.2}),),
    }
    return Search(**{**declared, **changes}).at("tiny")


def driver_of(what: Search, home: Path, environment: StudyEnvironment | None = None) -> SearchDriver:
    """A driver on the toy's data; its study need not be new."""
    environment = environment or toy.study_environment(home)
    jobs, ledger = SearchJobs(what, environment), Ledger(environment.study(what.name))
    open_study(jobs, ledger)
    return SearchDriver(jobs, ledger=ledger, proposals=lambda: Proposals(what, sqlite(ledger.folder)))


def carry_out(driver: SearchDriver, *, slots: int = 1, seed: int = 0) -> None:
    """Do all jobs in this process, `slots` of them begun at a time and ended in any order."""
    rng = random.Random(seed)
    begun: list[Job] = []
    while True:
        job = driver.next() if len(begun) < slots else "not yet"
        if job == "finished":
            return
        if isinstance(job, Job):
            begun.append(job)
            continue
        ready = begun.pop(rng.randrange(len(begun)))
        driver.ended(ready.run, do(driver, ready))


def do(driver: SearchDriver, job: Job) -> RunResult:
    """What a worker does with a job."""
    work = perform(job, driver.store, runtime=Runtime())
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def from_json(text: str) -> Search:
    """A toy search whose changes came as JSON; "synthesis" asks for that of two objectives."""
    changes = json.loads(text)
    declare = weight_search if changes.pop("synthesis", False) else search
    if "sampler" in changes:
        changes["sampler"] = SAMPLERS[changes["sampler"]]
    if "scheduler" in changes:
        kind = {"asha": ASHA, "median": Median}[changes["scheduler"].pop("name")]
        changes["scheduler"] = kind(because="a test", **changes["scheduler"])
    if "references" in changes:
        changes["references"] = tuple(Variant(label, knobs) for label, knobs in changes["references"])
    if "seeds" in changes:
        changes["seeds"] = tuple(changes["seeds"])
    return declare(**changes)


def main(home: Path, text: str) -> None:
    def listen(event: Event) -> None:
        line = {"time": time.time(), "kind": event.kind, "run": event.run, "epoch": event.epoch, "node": event.node}
        append_line(home / "events.jsonl", line)

    with exits():
        cluster_options = ClusterOptions(resources=Resources(cpus=2), listener=listen)
        run_search(from_json(text), toy.study_environment(home), cluster_options)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
