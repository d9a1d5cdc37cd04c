"""What a study leaves in a group's home, MLflow's database and files with it: the group may read and write it all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from medsearch.core.ownership import prepare_home
from medsearch.study.ray.worker import Worker
from medsearch.tracking import sync
from tests.study import toy
from tests.study.ray.drive import carry_out, driver_of, search
from tests.study.ray.test_worker import payload


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_all_that_a_study_leaves_in_a_group_s_home_is_the_group_s(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prepare_home(home, group=True)
    driver = driver_of(search(trials=1, finalists=0, seeds=(0,)), home)
    carry_out(driver)
    (driver.ledger.folder / "report").mkdir()
    (driver.ledger.folder / "report" / "table.csv").write_text("a,b\n")
    assert not sync(driver.ledger.folder, home / "stages", None).behind
    left = {path.relative_to(home): path.stat() for path in home.rglob("*")}
    assert {Path("mlflow.db"), Path("studies/toy_search/optuna.db"), Path("studies/toy_search/ledger.jsonl")} <= set(
        left
    )
    assert any(path.name == "table.csv" for path in left if path.parts[0] == "mlartifacts")
    for path, found in left.items():
        assert found.st_mode & 0o7777 == (0o2770 if (home / path).is_dir() else 0o660), path


@pytest.mark.parametrize("group", [False, True])
def test_a_worker_on_a_node_of_its_own_makes_its_home_or_has_the_way_of_one(tmp_path: Path, group: bool) -> None:
    home = tmp_path / "home"
    if group:
        prepare_home(home, group=True)
        os.umask(0o022)
    jobs = driver_of(search(), tmp_path / "driver's").jobs
    made = Worker.__new__(Worker)
    made.setup({"payload": payload(home, jobs.job("prefix", 0, knobs={}))})
    while not made.step().get("done"):
        pass
    assert home.stat().st_mode & 0o7777 == (0o2770 if group else 0o700)
    (manifest, *_) = (home / "stages").glob("*/manifest.json")
    assert not group or manifest.stat().st_mode & 0o7777 == 0o660
    assert toy.executions(home)
