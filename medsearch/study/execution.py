"""Run a search on Ray Tune: one fit, which stops at once when told to and goes on when it is run again."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from medsearch.core.locks import claimed
from medsearch.study.cluster import Resources, Slots, cluster
from medsearch.study.conductor import Conductor
from medsearch.study.events import Listener, unheard
from medsearch.study.identity import choose, open_study
from medsearch.study.interruption import Interruption
from medsearch.study.jobs import Job, Planner, Workplace
from medsearch.study.ledger import Ledger, RunRecord
from medsearch.study.nodes import require_fit_nodes
from medsearch.study.proposals import Proposals, sqlite
from medsearch.study.search import Search

if TYPE_CHECKING:
    from medsearch.study.rungs import Rungs

RETRIES = 2  # of a run whose worker process dies; a failure that Python sees is never repeated


@final
@dataclass(frozen=True, kw_only=True)
class SearchRun:
    """What a search has come to. `trained`: whether anything had to be done."""

    folder: Path
    finalists: tuple[int, ...]
    runs: dict[str, RunRecord]
    trained: bool


def run_search(
    search: Search,
    place: Workplace,
    *,
    resources: Resources | None = None,
    address: str | None = None,
    storage: str | None = None,
    listener: Listener = unheard,
) -> SearchRun:
    """Run what is left of a search; when nothing is, say so without starting anything.

    address: of a Ray cluster; None: an embedded one. storage: of Optuna; None: a file in the study's folder.

    Raises:
        BadInput: the study's folder belongs to another question or is in use, or the cluster cannot be joined.
        StudyFailed: what all trials stand on cannot be trained, or no trial came to its end.
        Interrupted: a signal asked for it.

    """
    planner = Planner(search, place)
    folder = place.study(search.name)
    busy = f"study {search.name!r} in {folder} is being run by another process; wait for it, or stop it first"
    with Interruption(search.name) as interruption, claimed(folder / "driver.lock", busy):
        ledger = Ledger(folder)
        open_study(planner, ledger)
        url = storage or sqlite(folder)
        conductor = Conductor(planner, ledger=ledger, proposals=lambda: Proposals(search, url), listener=listener)
        first = conductor.next()
        if isinstance(first, Job):
            with cluster(resources or Resources(), address, starting=interruption.gently):
                if address is not None:
                    require_fit_nodes(place.home.resolve(), resources or Resources())
                _fit(conductor, first, resources or Resources(), interruption)
        choose(ledger, conductor.finalists)
    conductor.require_result()
    return SearchRun(folder=folder, finalists=conductor.finalists, runs=ledger.runs(), trained=isinstance(first, Job))


def _fit(conductor: Conductor, first: Job, resources: Resources, interruption: Interruption) -> None:
    folder = conductor.ledger.folder / "ray"
    shutil.rmtree(folder, ignore_errors=True)  # earlier lives' snapshots, which nobody reads
    folder.mkdir(parents=True)
    from ray import tune

    from medsearch.study.searcher import Jobs, Watch
    from medsearch.study.worker import Worker

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    rungs = _rungs(conductor)
    slots = Slots(resources)
    slots.require_one()
    jobs = Jobs(conductor, rungs, slots=slots, runtime=resources.runtime, first=first)
    tuner = tune.Tuner(
        tune.with_resources(Worker, resources.per_trial),
        tune_config=tune.TuneConfig(
            search_alg=jobs,
            scheduler=rungs,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            callbacks=[Watch(conductor, interruption)],
            name="tune",
            storage_path=str(folder),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True, num_to_keep=1),
        ),
    )
    with interruption.gently():
        tuner.fit()


def _rungs(conductor: Conductor) -> "Rungs":
    """The scheduler, with what it saw in earlier lives."""
    from medsearch.study.rungs import Rungs, recorded

    search = conductor.search
    maximise = search.objectives[search.metric] == "maximize"
    rungs = Rungs(search.settled.scheduler, maximise=maximise)
    runs = conductor.ledger.runs().values()
    open_runs = [run.run for run in runs if run.state == "running"]
    rungs.recall(recorded(conductor.store, search, runs), open_runs=open_runs)
    return rungs


def _name(trial: Any) -> str:
    return str(trial.config["errand"].job.run)
