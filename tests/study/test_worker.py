"""The worker without a cluster: what it reports, and what it leaves behind when it is used again."""

import fcntl
import os
from pathlib import Path

import pytest

from medsearch.stages.context import Runtime
from medsearch.study.jobs import Job, Planner
from medsearch.study.schedulers import RUNG, SELECTION
from medsearch.study.worker import END, Errand, Worker, end_of
from tests.study import toy
from tests.study.drive import search


def errand(home: Path, job: Job, *, threads: int = 1) -> Errand:
    store = toy.workplace(home).store
    return Errand(job=job, store=store, runtime=Runtime(threads=threads))


def worker(first: Errand) -> Worker:
    """Without Tune's own set-up, which wants a cluster."""
    made = Worker.__new__(Worker)
    made.setup({"errand": first})
    return made


def locked(home: Path, key: str) -> bool:
    with (home / "stages" / key / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def planner(tmp_path: Path) -> Planner:
    return Planner(search(), toy.workplace(tmp_path))


def test_a_trial_reports_each_epoch_of_its_searched_stage_and_its_end(planner: Planner, tmp_path: Path) -> None:
    made = worker(errand(tmp_path, planner.job("trial", 0, knobs={}, number=0)))
    results = []
    while not results or not results[-1].get("done"):
        results.append(made.step())
    assert [result[RUNG] for result in results[:-1]] == [1, 2, 3, 4]
    assert all(result[SELECTION] == result["metrics"]["validation/dice"] for result in results[:-1])
    assert results[-1][END]["state"] == "complete"
    flat = {f"{END}/{name}": value for name, value in results[-1][END].items()}
    end = end_of(flat)
    assert end is not None
    assert end.values == results[-1][END]["values"]
    assert end_of({"node": "polish"}) is None
    with pytest.raises(RuntimeError, match="after its end"):
        made.step()


def test_other_runs_show_the_scheduler_nothing(planner: Planner, tmp_path: Path) -> None:
    made = worker(errand(tmp_path, planner.job("reference", 0, knobs={}, label="Plain")))
    result = made.step()
    assert set(result) == {END, "done"}, "epochs that nobody judges are bundled"


def test_a_cut_run_lets_go_of_its_stage_and_keeps_its_checkpoint(planner: Planner, tmp_path: Path) -> None:
    job = planner.job("trial", 0, knobs={}, number=0)
    key = dict(job.planned.stages)["segmentation"]
    made = worker(errand(tmp_path, job))
    made.step()
    assert locked(tmp_path, key)
    assert made.save_checkpoint("") == {}
    assert not locked(tmp_path, key)
    assert (tmp_path / "stages" / key / "checkpoint").exists()

    made = worker(errand(tmp_path, job))
    made.step()
    assert made.reset_config({"errand": errand(tmp_path, planner.job("prefix", 0, knobs={}), threads=3)})
    assert not locked(tmp_path, key)
    assert made.step()[END]["state"] == "complete"
    assert os.environ["OMP_NUM_THREADS"] == "3"
    starts = [execution["from"] for execution in toy.executions(tmp_path) if execution["key"] == key]
    assert starts == [0, 1]
    made.cleanup()


def test_a_failure_is_a_result_with_its_traceback(tmp_path: Path) -> None:
    broken = Planner(search(toy={"translation.breaks": True}), toy.workplace(tmp_path))
    result = worker(errand(tmp_path, broken.job("prefix", 0, knobs={}))).step()
    assert (result["done"], result[END]["state"], result[END]["cause"]) == (True, "failed", "diverged")
    assert "Traceback" in result[END]["trace"]
