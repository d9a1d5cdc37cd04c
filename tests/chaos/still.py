"""A study without Ray, MLflow or mishaps: job after job in this process, in a home of its own."""

import runpy
from pathlib import Path

from medsearch.cli.cohorts import Data
from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.reporting.report import rebuild
from medsearch.stages.context import Runtime
from medsearch.study import Ablation, Search
from medsearch.study.engine.ablation_driver import AblationDriver
from medsearch.study.engine.ablation_header import begin, describe
from medsearch.study.engine.driver import StudyDriver
from medsearch.study.engine.graph import Grapher
from medsearch.study.engine.identity import note, open_study
from medsearch.study.engine.jobs import Job, RunResult, SearchJobs, StudyEnvironment, perform
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.record.ledger import Ledger

from .driving import STUDIES


def sit_still(study: str, heads: Path, home: Path) -> Path:
    """Run the study file `study` to its end and write its report; returns `home`."""
    found = runpy.run_path(str(STUDIES / f"{study}.py"))["STUDY"].at("tiny")
    data = Data(
        folders={"brats2020": heads}, anatomy=None, skip_bad=False, home=home, store=None, cache=None, say=print
    )
    environment = data.environments(_tasks(found))["brats2020"]
    (_sweep if isinstance(found, Ablation) else _search)(found, environment, Ledger(environment.study(found.name)))
    rebuild(environment.study(found.name), environment.store)
    return home


def _tasks(study: Ablation | Search) -> list[CrossModalityTask]:
    if isinstance(study, Search):
        return [study.task]
    return [study.setup(row, column, {}).task for row, column in study.cells()]


def _sweep(ablation: Ablation, environment: StudyEnvironment, ledger: Ledger) -> None:
    grapher = Grapher(ablation, {"brats2020": environment})
    begin(grapher, ledger)
    sweep = AblationDriver(grapher, store=environment.store, ledger=ledger)
    _carry_out(sweep)
    describe(grapher, ledger, sweep.failed)


def _search(search: Search, environment: StudyEnvironment, ledger: Ledger) -> None:
    jobs = SearchJobs(search, environment)
    open_study(jobs, ledger)
    driver = SearchDriver(jobs, ledger=ledger, proposals=lambda: Proposals(search, sqlite(ledger.folder)))
    _carry_out(driver)
    note(ledger, chosen=driver.finalists)


def _carry_out(driver: StudyDriver) -> None:
    while isinstance(job := driver.next(), Job):
        driver.ended(job.run, _done(job, driver))


def _done(job: Job, driver: StudyDriver) -> RunResult:
    work = perform(job, driver.store, runtime=Runtime())
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value
