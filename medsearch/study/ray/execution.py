"""Run a study on Ray Tune: one fit, which stops at once when told to and goes on when it is run again."""

import logging
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from medsearch.core.locks import claimed
from medsearch.stages.memory import Meter
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.schedulers import FullLength
from medsearch.study.declare.search import Search
from medsearch.study.engine.ablation_driver import AblationDriver, StageCounts
from medsearch.study.engine.ablation_header import begin, describe, winner
from medsearch.study.engine.driver import StudyDriver
from medsearch.study.engine.events import Listener, unheard
from medsearch.study.engine.graph import Graph, Grapher
from medsearch.study.engine.identity import choose, open_study
from medsearch.study.engine.jobs import Job, Planner, Workplace, require_served
from medsearch.study.engine.probes import Probes
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.ray.cluster import Resources, cluster
from medsearch.study.ray.cluster_loss import explained
from medsearch.study.ray.interruption import Interruption
from medsearch.study.ray.nodes import require_fit_nodes
from medsearch.study.ray.packing import Packing
from medsearch.study.ray.room import Room
from medsearch.study.record.ledger import Ledger, RunRecord

if TYPE_CHECKING:
    from medsearch.study.ray.rungs import Rungs


@final
@dataclass(frozen=True, kw_only=True)
class SearchRun:
    """What a search has come to. `trained`: whether anything had to be done."""

    folder: Path
    finalists: tuple[int, ...]
    runs: dict[str, RunRecord]
    trained: bool


@final
@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """What an ablation has come to. `trained`: whether anything had to be done."""

    folder: Path
    graph: Graph
    counts: StageCounts
    trained: bool


@final
@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a study's runs are done. address: of a Ray cluster; None: an embedded one, which ends with the study.

    meter: what measures the memory that runs take; None: the device's own account.
    """

    resources: Resources = field(default_factory=Resources)
    address: str | None = None
    listener: Listener = unheard
    meter: Meter | None = None


def run_search(search: Search, place: Workplace, site: Site | None = None, *, storage: str | None = None) -> SearchRun:
    """Run what is left of a search; when nothing is, say so without starting anything.

    storage: of Optuna; None: a file in the study's folder.

    Raises:
        BadInput: the study's folder belongs to another question or is in use, or the cluster cannot be joined.
        StudyFailed: what all trials stand on cannot be trained, or no trial came to its end.
        Unreachable: the store's URI cannot be written to, or does not answer.
        Interrupted: a signal asked for it.

    """
    site, planner = site or Site(), Planner(search, place)
    folder = place.study(search.name)
    with driving(search.name, folder) as interruption:
        place.store.share()
        ledger = Ledger(folder)
        open_study(planner, ledger)
        url = storage or sqlite(folder)
        driver = SearchDriver(planner, ledger=ledger, proposals=lambda: Proposals(search, url), listener=site.listener)
        first = driver.next()
        if isinstance(first, Job):
            require_served(planner.kinds(), lambda _: place)
            with on_ray(site, place, interruption):
                _fit(driver, first, rungs=_recalled(driver), place=place, site=site, interruption=interruption)
        place.store.adopt_renewed()
        choose(ledger, driver.finalists)
        ledger.note_recovered()
    driver.require_result()
    return SearchRun(folder=folder, finalists=driver.finalists, runs=ledger.runs(), trained=isinstance(first, Job))


def run_sweep(
    ablation: Ablation, places: Mapping[str, Workplace], site: Site | None = None, *, only: Collection[str] = ()
) -> SweepRun:
    """Run what is left of an ablation; `only` names rows. When nothing is left, say so without starting anything.

    Raises:
        BadInput: the study's folder is that of another scale or cohort or is in use, no such row, the search that the
            rows vary has not ended, or the cluster cannot be joined.
        StudyFailed: no cell came to its end.
        Unreachable: the store's URI cannot be written to, or does not answer.
        Interrupted: a signal asked for it.

    """
    site, place = site or Site(), next(iter(places.values()))
    for label in only:
        ablation.row(label)
    folder = place.study(ablation.name)
    with driving(ablation.name, folder) as interruption:
        place.store.share()
        ledger = Ledger(folder)
        grapher = Grapher(ablation, places, winner(ablation, place))
        begin(grapher, ledger)
        driver = AblationDriver(grapher, store=place.store, ledger=ledger, only=only, listener=site.listener)
        first = driver.next()
        if isinstance(first, Job):
            require_served((item.run for item in driver.graph.items.values()), grapher.place)
            with on_ray(site, place, interruption):
                _fit(driver, first, rungs=_unjudged(), place=place, site=site, interruption=interruption)
        place.store.adopt_renewed()
        describe(grapher, ledger, driver.failed)
        if not only:
            ledger.note_recovered()
    driver.require_result()
    return SweepRun(folder=folder, graph=driver.graph, counts=driver.counts, trained=isinstance(first, Job))


@contextmanager
def driving(study: str, folder: Path) -> Iterator[Interruption]:
    """Be the only driver of a study, and stop when a signal says so."""
    busy = f"study {study!r} in {folder} is being run by another process; wait for it, or stop it first"
    with Interruption(study) as interruption, claimed(folder / "driver.lock", busy):
        Ledger(folder).mend()
        yield interruption


@contextmanager
def on_ray(site: Site, place: Workplace, interruption: Interruption) -> Iterator[None]:
    """Have a cluster that runs fit on: the caller's if there is one, or one that ends with the block."""
    with cluster(site.resources, site.address, starting=interruption.gently):
        if site.address is not None:
            asked = site.resources.without_gpus if site.resources.measured else site.resources
            require_fit_nodes(None if place.apart else place.home.resolve(), asked)
        yield


def _fit(
    driver: StudyDriver, first: Job, *, rungs: "Rungs", place: Workplace, site: Site, interruption: Interruption
) -> None:
    folder = driver.ledger.folder / "ray"
    shutil.rmtree(folder, ignore_errors=True)  # earlier lives' snapshots, which nobody reads
    folder.mkdir(parents=True)
    from ray import tune

    from medsearch.study.ray.lost_workers import lost_workers_fail_alone
    from medsearch.study.ray.rungs import RETRIES
    from medsearch.study.ray.searcher import Jobs, Watch
    from medsearch.study.ray.worker import Worker, request

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    packing = Packing(site.resources, room=Room(), probes=Probes(place.probes), store=driver.store)
    packing.require_room()
    jobs = Jobs(driver, rungs, packing=packing, first=first, meter=site.meter)
    tuner = tune.Tuner(
        tune.with_resources(Worker, request),
        tune_config=tune.TuneConfig(
            search_alg=jobs,
            scheduler=rungs,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            callbacks=[Watch(driver, interruption)],
            name="tune",
            storage_path=str(folder),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=rungs.cuts, num_to_keep=1),
        ),
    )
    with interruption.gently(), explained(), lost_workers_fail_alone():
        tuner.fit()


def _recalled(driver: SearchDriver) -> "Rungs":
    """The scheduler of a search, with what it saw in earlier lives."""
    from medsearch.study.ray.rungs import Rungs, recorded

    search = driver.search
    maximise = search.objectives[search.metric] == "maximize"
    rungs = Rungs(search.settled.scheduler, maximise=maximise)
    runs = [run for name, run in driver.ledger.runs().items() if name not in driver.reopened]
    open_runs = [run.run for run in runs if run.state == "running"]
    rungs.recall(recorded(driver.store, search, runs), open_runs=open_runs)
    return rungs


def _unjudged() -> "Rungs":
    """The scheduler of an ablation: its rows are compared at their full length."""
    from medsearch.study.ray.rungs import Rungs

    return Rungs(FullLength(because="rows are compared at their full length"), maximise=True)


def _name(trial: Any) -> str:
    return str(trial.config["payload"].job.run)
