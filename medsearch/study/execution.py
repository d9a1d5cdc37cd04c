"""Run a search on Ray Tune: one fit from beginning to end, which stops at once when told to and goes on when run again."""

import logging
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import Interrupted
from medsearch.study.cluster import Resources, Slots, cluster
from medsearch.study.conductor import Conductor, Listener
from medsearch.study.identity import open_study
from medsearch.study.jobs import Job, Planner, Workplace
from medsearch.study.ledger import Ledger, RunRecord
from medsearch.study.proposals import Proposals, sqlite
from medsearch.study.search import Search

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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
    listener: Listener = lambda event: None,
) -> SearchRun:
    """Run what is left of a search; when nothing is, say so without starting anything.

    address: of a Ray cluster; None: an embedded one. storage: of Optuna; None: a file in the study's folder.

    Raises:
        BadInput: the study's folder belongs to another question, or the cluster cannot be joined.
        StudyFailed: what all trials stand on cannot be trained, or no trial came to its end.
        Interrupted: a signal asked for it.

    """
    search = search.resolved()
    planner = Planner(search, place)
    folder = place.study(search.name)
    ledger = Ledger(folder)
    open_study(planner, ledger)
    url = storage or sqlite(folder)
    conductor = Conductor(planner, ledger=ledger, proposals=lambda: Proposals(search, url), listener=listener)
    first = conductor.next()
    if isinstance(first, Job):
        with _interruptible(search.name):
            _fit(conductor, first, resources or Resources(), address)
    conductor.require_result()
    return SearchRun(
        folder=folder, finalists=conductor.finalists, runs=ledger.runs(), trained=isinstance(first, Job)
    )


def _fit(conductor: Conductor, first: Job, resources: Resources, address: str | None) -> None:
    folder = conductor.ledger.folder
    ray_folder = folder / "ray"
    shutil.rmtree(ray_folder, ignore_errors=True)  # earlier lives' snapshots, which nobody reads
    ray_folder.mkdir(parents=True)
    with cluster(resources, address):
        _catch()  # Ray installs handlers of its own
        from ray import tune

        from medsearch.study.searcher import Jobs, Rungs
        from medsearch.study.worker import Worker

        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        search = conductor.search
        mode = "max" if search.objectives[search.metric] == "maximize" else "min"
        jobs = Jobs(
            conductor, slots=Slots(resources), runtime=resources.runtime, failures=folder / "failures", first=first
        )
        tuner = tune.Tuner(
            tune.with_resources(Worker, resources.per_trial),
            tune_config=tune.TuneConfig(
                search_alg=jobs,
                scheduler=Rungs(search.scheduler.build(mode)),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(ray_folder),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True, num_to_keep=1),
            ),
        )
        tuner.fit()


def _name(trial: Any) -> str:
    return str(trial.config["errand"].job.run)


class _Stop(BaseException):
    """Raised by a signal; a BaseException, so that no handler of Ray's takes it for a trial's failure."""


def _stop(number: int, frame: Any) -> None:  # noqa: ARG001
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)  # one is enough: what follows takes seconds
    raise _Stop(signal.Signals(number).name)


def _catch() -> None:
    if threading.current_thread() is threading.main_thread():
        for name in SIGNALS:
            signal.signal(name, _stop)


@contextmanager
def _interruptible(study: str) -> Iterator[None]:
    """Turn signals into `Interrupted`, and leave the handlers as they were."""
    here = threading.current_thread() is threading.main_thread()
    before = {name: signal.getsignal(name) for name in SIGNALS} if here else {}
    _catch()
    try:
        yield
    except _Stop as stop:
        msg = f"study {study!r} stopped by {stop}; what is finished is stored: run the same command again to go on"
        raise Interrupted(msg) from None
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
