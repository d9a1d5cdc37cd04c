"""What the command line of a study works out before anything runs."""

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from medsearch.cli.study import _slots, _tasks
from medsearch.study import Search, Variant, choice, cluster
from medsearch.study.cluster import Resources


@pytest.fixture(scope="module")
def search() -> Search:
    file = Path(__file__).parents[2] / "studies" / "modatts_lambda_search.py"
    study = runpy.run_path(str(file))["STUDY"]
    assert isinstance(study, Search)
    return study.at("tiny")


def test_every_contrast_that_a_run_may_need_is_known(search: Search) -> None:
    assert {(task.source, task.target) for task in _tasks(search)} == {("t1", "t2")}
    wider = replace(
        search,
        references=(Variant("From T1ce", {"task.source": "t1ce"}),),
        space={**search.space, "task.target": choice(["t2", "flair"])},
    )
    assert {(task.source, task.target) for task in _tasks(wider)} == {("t1", "t2"), ("t1ce", "t2"), ("t1", "flair")}


def test_a_forecast_counts_the_runs_that_fit_on_what_a_trial_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "cores", lambda: 16)
    monkeypatch.setattr(cluster, "gpus_here", lambda: 1)
    assert _slots(Resources()) == 16
    assert _slots(Resources(cpus_per_trial=4)) == 4
    assert _slots(Resources(gpus_per_trial=1.0)) == 1
    assert _slots(Resources(gpus_per_trial=1 / 3)) == 3
    assert _slots(Resources(cpus_per_trial=64)) == 1
