"""An ablation on nodes that share nothing but a bucket: a driver's, and two others' that train in turn."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from medsearch.cli.commands import main
from medsearch.stages.bucket import bucket_at
from medsearch.stages.context import Runtime
from medsearch.stages.store import Store
from medsearch.study.engine.ablation_driver import AblationDriver
from medsearch.study.engine.ablation_header import begin, describe
from medsearch.study.engine.graph import Grapher
from medsearch.study.engine.jobs import Job, RunResult, StudyEnvironment, perform
from medsearch.study.record.ledger import Ledger
from tests.bucket import Buckets
from tests.study.ablations import ablation
from tests.study.toy import executions, study_environment


@pytest.fixture
def uri(buckets: Buckets) -> Iterator[str]:
    yield buckets.new()
    bucket_at.cache_clear()


def sweep_at(environment: StudyEnvironment) -> AblationDriver:
    what = ablation()
    grapher, ledger = Grapher(what, {"brats2020": environment}), Ledger(environment.study(what.name))
    begin(grapher, ledger)
    return AblationDriver(grapher, store=environment.store, ledger=ledger)


def done(sweep: AblationDriver, stores: Iterator[Store]) -> int:
    """Do all jobs, each at the next of the stores, whose process knows nothing of the others; how many there were."""
    for count in itertools.count():
        job = sweep.next()
        if not isinstance(job, Job):
            describe(sweep.grapher, sweep.ledger, sweep.failed)
            return count
        bucket_at.cache_clear()
        work = perform(job, next(stores), runtime=Runtime())
        bucket_at.cache_clear()
        sweep.ended(job.run, end_of(work))
    raise AssertionError


def end_of(work: Iterator[object]) -> RunResult:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def results(sweep: AblationDriver) -> dict[str, object]:
    return {key: dict(sweep.store.artifact(key).metrics) for key in sweep.graph.items}


@pytest.mark.soak
def test_nodes_that_share_only_a_bucket_find_what_the_others_trained(uri: str, tmp_path: Path) -> None:
    alone = sweep_at(study_environment(tmp_path / "alone"))
    count = done(alone, itertools.repeat(alone.store))
    homes = [tmp_path / "first", tmp_path / "second"]
    driver = replace(study_environment(tmp_path / "driver"), remote=uri)
    apart = sweep_at(driver)
    assert done(apart, itertools.cycle([Store(home / "stages", uri) for home in homes])) == count
    assert [len(executions(home)) for home in homes] == [count / 2, count / 2]
    assert executions(tmp_path / "driver") == []
    assert results(apart) == results(alone)
    bucket_at.cache_clear()
    again = sweep_at(replace(study_environment(tmp_path / "another driver"), remote=uri))
    assert again.next() == "finished"
    assert results(again) == results(alone)


def test_a_home_that_gets_a_bucket_later_shares_what_it_has(uri: str, tmp_path: Path) -> None:
    environment = study_environment(tmp_path / "home")
    alone = sweep_at(environment)
    count = done(alone, itertools.repeat(alone.store))
    assert replace(environment, remote=uri).store.share() == count
    bucket_at.cache_clear()
    assert sweep_at(replace(study_environment(tmp_path / "another"), remote=uri)).next() == "finished"


def test_a_report_is_rebuilt_where_only_the_bucket_has_the_stages(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = replace(study_environment(tmp_path / "driver"), remote=uri)
    sweep = sweep_at(driver)
    done(sweep, itertools.repeat(Store(tmp_path / "node" / "stages", uri)))
    bucket_at.cache_clear()
    name, home = sweep.ledger.folder.name, str(tmp_path / "driver")
    main(["report", name, "--home", home])
    table = driver.study(name) / "report" / "table.csv"
    assert pd.read_csv(table)["waiting"].all()
    main(["report", name, "--home", home, "--store", uri])
    assert not pd.read_csv(table)["waiting"].any()
    assert capsys.readouterr().out.count("index.html") == 2
