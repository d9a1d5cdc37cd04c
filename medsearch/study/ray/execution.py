"""Run a study on Ray Tune: one fit, which stops at once when told to and goes on when it is run again.

    run_search    trials that a sampler proposes
    run_ablation     the stage runs of an ablation
    run_staged    one search after another, each on what the ones before it froze

Starting again is the way to resume: what is done stands in ledgers, headers and the store. A study that has ended
answers without Ray, and one that may not go on is refused before anything is started for it.
"""

import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, final

from medsearch.core.locks import claimed
from medsearch.stages.memory import Meter
from medsearch.study.declare.ablation import Ablation
from medsearch.study.declare.schedulers import FullLength
from medsearch.study.declare.search import Search
from medsearch.study.declare.staged import StagedSearch
from medsearch.study.engine import ablation_header, staged_status
from medsearch.study.engine.ablation_driver import AblationDriver, StageCounts
from medsearch.study.engine.ablation_header import winner
from medsearch.study.engine.driver import Listener, StudyDriver, ignore_event
from medsearch.study.engine.graph import Graph, Grapher
from medsearch.study.engine.identity import note, open_study
from medsearch.study.engine.jobs import Job, SearchJobs, StudyEnvironment, require_served
from medsearch.study.engine.probes import Probes
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.engine.search_status import search_status
from medsearch.study.ray.cluster import Resources, cluster, require_fit_machines
from medsearch.study.ray.cluster_capacity import ClusterCapacity
from medsearch.study.ray.cluster_loss import loss_of_cluster
from medsearch.study.ray.interruption import Interruption
from medsearch.study.ray.packing import Packing
from medsearch.study.record.headers import Frozen
from medsearch.study.record.ledger import Ledger, RunRecord

if TYPE_CHECKING:
    from medsearch.study.ray.rungs import Rungs


@final
@dataclass(frozen=True, kw_only=True)
class SearchOutcome:
    """What a search has come to. runs: by name. trained: whether anything had to be done."""

    folder: Path
    finalists: tuple[int, ...]
    runs: dict[str, RunRecord]
    trained: bool


@final
@dataclass(frozen=True, kw_only=True)
class AblationOutcome:
    """What an ablation has come to. trained: whether anything had to be done."""

    folder: Path
    graph: Graph
    counts: StageCounts
    trained: bool


@final
@dataclass(frozen=True, kw_only=True)
class StagedOutcome:
    """What a staged search has come to: what each group froze, and how each search ended, the refinement's last."""

    folder: Path
    frozen: tuple[Frozen, ...]
    searches: tuple[SearchOutcome, ...]

    @property
    def trained(self) -> bool:
        """Whether anything had to be done."""
        return any(search.trained for search in self.searches)


@final
@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Where a study's runs are done. address: of a Ray cluster; None: an embedded one, which ends with the study.

    meter: what measures the memory that runs take; None: the device's own account.
    """

    resources: Resources = field(default_factory=Resources)
    address: str | None = None
    listener: Listener = ignore_event
    meter: Meter | None = None


def run_search(
    search: Search,
    environment: StudyEnvironment,
    cluster_options: ClusterOptions | None = None,
    *,
    storage: str | None = None,
) -> SearchOutcome:
    """Run what is left of a search; when nothing is, say so without starting anything.

    storage: of Optuna; None: a file in the study's folder.

    Raises:
        BadInput: the study's folder belongs to another question or is in use, or the cluster cannot be joined.
        StudyFailed: what all trials stand on cannot be trained, or no trial came to its end.
        Unreachable: the store's URI cannot be written to, or does not answer.
        Interrupted: a signal asked for it.

    """
    cluster_options, jobs = cluster_options or ClusterOptions(), SearchJobs(search, environment)
    folder = environment.study(search.name)
    with driving(search.name, folder) as interruption:
        environment.store.share()
        ledger = Ledger(folder)
        open_study(jobs, ledger)
        url = storage or sqlite(folder)
        driver = SearchDriver(
            jobs, ledger=ledger, proposals=lambda: Proposals(search, url), listener=cluster_options.listener
        )
        first = driver.next()
        if isinstance(first, Job):
            require_served(jobs.kinds(), lambda _: environment)
            with on_ray(cluster_options, environment, interruption):
                _fit(driver, first, environment, cluster_options, interruption)
        environment.store.adopt_renewed()
        note(ledger, chosen=driver.finalists)
        ledger.note_recovered()
    driver.require_result()
    return SearchOutcome(folder=folder, finalists=driver.finalists, runs=ledger.runs(), trained=isinstance(first, Job))


def run_ablation(
    ablation: Ablation,
    environments: Mapping[str, StudyEnvironment],
    cluster_options: ClusterOptions | None = None,
    *,
    only: Collection[str] = (),
) -> AblationOutcome:
    """Run what is left of an ablation; `only` names rows. When nothing is left, say so without starting anything.

    Raises:
        BadInput: the study's folder is that of another scale or cohort or is in use, no such row, the search that the
            rows vary has not ended, or the cluster cannot be joined.
        StudyFailed: no cell came to its end.
        Unreachable: the store's URI cannot be written to, or does not answer.
        Interrupted: a signal asked for it.

    """
    cluster_options, environment = cluster_options or ClusterOptions(), next(iter(environments.values()))
    for label in only:
        ablation.row(label)
    folder = environment.study(ablation.name)
    with driving(ablation.name, folder) as interruption:
        environment.store.share()
        ledger = Ledger(folder)
        grapher = Grapher(ablation, environments, winner(ablation, environment))
        ablation_header.begin(grapher, ledger)
        driver = AblationDriver(
            grapher, store=environment.store, ledger=ledger, only=only, listener=cluster_options.listener
        )
        first = driver.next()
        if isinstance(first, Job):
            require_served((item.run for item in driver.graph.items.values()), grapher.environment)
            with on_ray(cluster_options, environment, interruption):
                _fit(driver, first, environment, cluster_options, interruption)
        environment.store.adopt_renewed()
        ablation_header.describe(grapher, ledger, driver.failed)
        if not only:
            ledger.note_recovered()
    driver.require_result()
    return AblationOutcome(folder=folder, graph=driver.graph, counts=driver.counts, trained=isinstance(first, Job))


def run_staged(
    staged: StagedSearch,
    environment: StudyEnvironment,
    around: Callable[[Search], AbstractContextManager[ClusterOptions]] = lambda _: nullcontext(ClusterOptions()),
    *,
    storage: str | None = None,
    described: Callable[[], None] = lambda: None,
) -> StagedOutcome:
    """Run what is left of a staged search; when nothing is, say so without starting anything.

    around: what happens around each search, such as tracking it; it says where runs are done. storage: of Optuna; None:
    a file in each search's folder. described: called after each search, when the header says how it ended.

    Raises:
        BadInput: a search's folder belongs to another question, as when an earlier group froze other values since, or
            when the group was edited, or is in use; or the cluster cannot be joined.
        StudyFailed: a search failed, or a freeze rule allows none of its trials.
        Unreachable: the store's URI cannot be written to, or does not answer.
        Interrupted: a signal asked for it.

    """
    folder = environment.study(staged.name)
    with driving(staged.name, folder) as interruption, ExitStack() as ray:
        for study in staged.studies:
            Ledger(environment.study(study)).mend()
        staged_status.describe(staged, environment)
        searches = list(staged.searches(staged.stand_in))
        if not search_status(SearchJobs(searches[0], environment)).ended:  # what a later group lacks is refused now
            planned = (run for search in searches for run in SearchJobs(search, environment).kinds())
            require_served(planned, lambda _: environment)
        frozen: list[Frozen] = []
        ran: list[SearchOutcome] = []

        def run(search: Search) -> None:
            with around(search) as cluster_options:
                if not search_status(SearchJobs(search, environment)).ended:  # all searches share one cluster
                    ray.enter_context(on_ray(cluster_options, environment, interruption))
                ran.append(run_search(search, environment, cluster_options, storage=storage))

        for status in staged_status.staged_status(staged, environment, run):
            staged_status.describe(staged, environment)
            described()
            if status.refusal:
                raise status.refusal
            frozen += [status.frozen] if status.frozen else []
    return StagedOutcome(folder=folder, frozen=tuple(frozen), searches=tuple(ran))


@contextmanager
def driving(study: str, folder: Path) -> Iterator[Interruption]:
    """Be the only driver of a study, and stop when a signal says so."""
    busy = f"study {study!r} in {folder} is being run by another process; wait for it, or stop it first"
    with Interruption(study) as interruption, claimed(folder / "driver.lock", busy):
        Ledger(folder).mend()
        yield interruption


@contextmanager
def on_ray(
    cluster_options: ClusterOptions, environment: StudyEnvironment, interruption: Interruption
) -> Iterator[None]:
    """Have a cluster that runs fit on: the caller's if there is one, or one that ends with the block."""
    with cluster(cluster_options.resources, cluster_options.address, starting=interruption.gently):
        if cluster_options.address is not None:
            resources = cluster_options.resources
            least = resources.without_gpus if resources.measured else resources
            require_fit_machines(None if environment.apart else environment.home.resolve(), least)
        yield


def _fit(
    driver: StudyDriver,
    first: Job,
    environment: StudyEnvironment,
    cluster_options: ClusterOptions,
    interruption: Interruption,
) -> None:
    """Do the driver's jobs on the cluster, from `first` on, until it says that it is finished."""
    folder = driver.ledger.folder / "ray"
    shutil.rmtree(folder, ignore_errors=True)  # earlier lives' snapshots, which nobody reads
    folder.mkdir(parents=True)
    from ray import tune

    from medsearch.study.ray.rungs import RETRIES, run_of
    from medsearch.study.ray.searcher import JobSearcher, Watch, lost_workers_fail_alone
    from medsearch.study.ray.worker import Worker, request

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    packing = Packing(
        cluster_options.resources, capacity=ClusterCapacity(), probes=Probes(environment.probes), store=driver.store
    )
    rungs = rungs_of(driver)
    searcher = JobSearcher(driver, rungs, packing=packing, first=first, meter=cluster_options.meter)
    tuner = tune.Tuner(
        tune.with_resources(Worker, request),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=rungs,
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=run_of,
            trial_dirname_creator=run_of,
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
    with interruption.gently(), loss_of_cluster(), lost_workers_fail_alone():
        tuner.fit()


def rungs_of(driver: StudyDriver) -> "Rungs":
    """Tune's scheduler for a study: a search's with what it saw in earlier lives, an ablation's cuts no row short."""
    from medsearch.study.ray.rungs import Rungs, recorded

    if not isinstance(driver, SearchDriver):
        return Rungs(FullLength(because="rows are compared at their full length"), maximise=True)
    search = driver.search
    maximise = search.objectives[search.metric] == "maximize"
    rungs = Rungs(search.resolved.scheduler, maximise=maximise)
    runs = [run for name, run in driver.ledger.runs().items() if name not in driver.reopened]
    open_runs = [run.run for run in runs if run.state == "running"]
    rungs.recall(recorded(driver.store, search, runs), open_runs=open_runs)
    return rungs
