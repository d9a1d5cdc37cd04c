"""The worker without a cluster: what it reports, and what it leaves behind when it is used again."""

import fcntl
import os
import pickle
import re
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path

import pytest
from ray import cloudpickle

from medsearch.stages.context import Runtime
from medsearch.study.declare.schedulers import RUNG, SELECTION
from medsearch.study.engine.jobs import Job, SearchJobs
from medsearch.study.ray.worker import END, TrialPayload, Unreadable, Worker, adopt_path, end_of, part_of, read_payload
from tests.study import toy
from tests.study.ray.drive import search


def payload(home: Path, job: Job, *, threads: int = 1) -> TrialPayload:
    store = toy.study_environment(home).store
    return TrialPayload(job=job, store=store, runtime=Runtime(threads=threads))


def worker(first: TrialPayload) -> Worker:
    """Without Tune's own set-up, which wants a cluster."""
    made = Worker.__new__(Worker)
    made.setup({"payload": first})
    return made


def locked(home: Path, key: str) -> bool:
    with (home / "stages" / key / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def jobs(tmp_path: Path) -> SearchJobs:
    return SearchJobs(search(), toy.study_environment(tmp_path))


def test_a_trial_reports_each_epoch_of_its_searched_stage_and_its_end(jobs: SearchJobs, tmp_path: Path) -> None:
    made = worker(payload(tmp_path, jobs.job("trial", 0, knobs={}, number=0)))
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


def test_other_runs_show_the_scheduler_nothing(jobs: SearchJobs, tmp_path: Path) -> None:
    made = worker(payload(tmp_path, jobs.job("reference", 0, knobs={}, label="Plain")))
    result = made.step()
    assert set(result) == {END, "done"}, "epochs that nobody judges are bundled"


def test_a_cut_run_lets_go_of_its_stage_and_keeps_its_checkpoint(jobs: SearchJobs, tmp_path: Path) -> None:
    job = jobs.job("trial", 0, knobs={}, number=0)
    key = dict(job.planned.stages)["segmentation"]
    made = worker(payload(tmp_path, job))
    made.step()
    assert locked(tmp_path, key)
    assert made.save_checkpoint("") == {}
    assert not locked(tmp_path, key)
    assert (tmp_path / "stages" / key / "checkpoint").exists()

    made = worker(payload(tmp_path, job))
    made.step()
    assert made.reset_config({"payload": payload(tmp_path, jobs.job("prefix", 0, knobs={}), threads=3)})
    assert not locked(tmp_path, key)
    assert made.step()[END]["state"] == "complete"
    assert os.environ["OMP_NUM_THREADS"] == "3"
    starts = [execution["from"] for execution in toy.executions(tmp_path) if execution["key"] == key]
    assert starts == [0, 1]
    made.cleanup()


def test_a_failure_is_a_result_with_its_traceback(tmp_path: Path) -> None:
    broken = SearchJobs(search(toy={"translation.breaks": True}), toy.study_environment(tmp_path))
    result = worker(payload(tmp_path, broken.job("prefix", 0, knobs={}))).step()
    assert (result["done"], result[END]["state"], result[END]["cause"]) == (True, "failed", "diverged")
    assert "Traceback" in result[END]["trace"]


def test_a_payload_arrives_as_it_was_sent(jobs: SearchJobs, tmp_path: Path) -> None:
    sent = payload(tmp_path, jobs.job("trial", 0, knobs={}, number=0), threads=3)
    assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301 - our own bytes


DRIVER = """
import sys
from pathlib import Path
from ray import cloudpickle
from medsearch.study.ray.worker import TrialPayload
sys.path[:0] = [str(Path("lib").absolute()), str(Path("gone").absolute())]
sys.path.append(str(Path("later").absolute()))
import own_method
own_method.Job.runs = ()
payload = TrialPayload(job=own_method.Job(), store=None, runtime=None)
Path("payload").write_bytes(cloudpickle.dumps(payload))
"""
WORKER = """
import pickle, sys
from pathlib import Path
payload = pickle.loads(Path("payload").read_bytes())
print(payload.job.says, str(Path("gone").absolute()) in sys.path, len(sys.path) == len(set(sys.path)))
"""


def test_a_module_that_only_the_driver_finds_is_found_by_its_worker(tmp_path: Path) -> None:
    """In another process, whose module path knows nothing of the folder; in the driver's order."""
    for name, says in (("lib", "mine"), ("later", "another")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own_method.py").write_text(f"class Job:\n    says = {says!r}\n")
    for name, script in (("driver", DRIVER), ("worker", WORKER)):
        (tmp_path / f"{name}.py").write_text(script)
    run = partial(subprocess.run, check=True, capture_output=True, text=True, cwd=tmp_path)
    run([sys.executable, "-P", "driver.py"])
    assert run([sys.executable, "-P", "worker.py"]).stdout == "mine False True\n"


OWN_METHOD = """
from dataclasses import dataclass
from types import SimpleNamespace
from medsearch.stages.stage import Stage
from beside.steps import first
from beside import rates

@dataclass(frozen=True)
class Training(Stage):
    recipe: int
    name, version = "own", 1

    def reads(self):
        return frozenset()

    def train(self, context):
        from later import last
        return first() + rates.RATE + last()

def job():
    return SimpleNamespace(runs=[SimpleNamespace(stage=Training(0))], run="own")
"""
SENDER = """
from pathlib import Path
from ray import cloudpickle
from medsearch.study.ray.worker import TrialPayload
if __name__ == "__main__":
    from own_method import job
    Path("../payload").write_bytes(cloudpickle.dumps(TrialPayload(job=job(), store=None, runtime=None)))
"""
RECEIVER = """
import pickle, sys
from pathlib import Path
read = [pickle.loads(Path("payload").read_bytes()) for _ in range(2)]
print(*(payload.job.runs[0].stage.train(None) for payload in read), sys.modules["own_method"].__file__)
print(sum(type(finder).__name__ == "SentModules" for finder in sys.meta_path))
"""


@pytest.mark.parametrize("there", ["gone", "seen", "older"])
def test_a_node_gets_the_modules_that_a_method_imports_from_its_folder(tmp_path: Path, there: str) -> None:
    """At their top, in functions, in packages with and without `__init__.py`; on a node with none, or older ones."""
    folder = tmp_path / "project"
    (folder / "beside").mkdir(parents=True)
    (folder / "unused.py").write_text("raise RuntimeError")
    (folder / "later.py").write_text("from nested.deep.values import LAST\n\ndef last():\n    return LAST\n")
    (folder / "beside" / "__init__.py").touch()
    (folder / "beside" / "rates.py").write_text("RATE = 20\n")
    (folder / "beside" / "steps.py").write_text("from .rates import RATE\n\ndef first():\n    return RATE // 20\n")
    (folder / "nested" / "deep").mkdir(parents=True)
    (folder / "nested" / "deep" / "values.py").write_text("LAST = 300  # é\n", encoding="utf-8")
    (folder / "own_method.py").write_text(OWN_METHOD)
    (folder / "sender.py").write_text(SENDER)
    (tmp_path / "receiver.py").write_text(RECEIVER)
    run = partial(subprocess.run, check=True, capture_output=True, text=True)
    run([sys.executable, "sender.py"], cwd=folder)
    assert b"RuntimeError" not in (tmp_path / "payload").read_bytes()
    if there == "gone":
        folder.rename(tmp_path / "elsewhere")
    if there == "older":
        for file in folder.rglob("*.py"):
            file.write_text(file.read_text().replace("300", "0").replace("20", "0"))
    answer, finders = run([sys.executable, "-P", "receiver.py"], cwd=tmp_path).stdout.splitlines()
    assert answer == f"321 321 {folder / 'own_method.py'}"
    assert finders == ("0" if there == "seen" else "1")


def test_folders_of_python_and_of_installed_packages_are_each_machine_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = [tmp_path / "project", tmp_path / "venv" / "site-packages", Path(sysconfig.get_path("stdlib")) / "test"]
    for folder in theirs:
        folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(sys, "path", ["", "/own/site-packages"])
    adopt_path([str(theirs[0]), "/own/site-packages", *map(str, theirs[1:]), "/not/here"])
    assert sys.path == [str(theirs[0]), "/own/site-packages", str(Path.cwd())]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"\x80\x04\x8c\x0dno_such_thing\x8c\x03Job\x93.",
            "No module named 'no_such_thing' in workers; install it or set",
        ),
        (b"\x80\x04\x8c\x04json\x8c\x03Job\x93.", "cannot read its run: AttributeError: .*Job.*; install there what"),
        (b"\x80\x04no pickle", "cannot read its run: "),
        (cloudpickle.dumps({"job": None}), "cannot read its run: TypeError: .*missing"),
    ],
)
def test_a_payload_that_cannot_be_read_ends_the_study_in_one_line(content: bytes, said: str) -> None:
    found = read_payload([], content)
    assert isinstance(found, Unreadable)
    made = Worker.__new__(Worker)
    made.setup({"payload": found})
    end = end_of({f"{END}/{name}": value for name, value in made.step()[END].items()})
    assert end is not None
    assert end.halts
    assert re.search(said, str(end.reason))
    assert "\n" not in str(end.reason)


def test_a_run_may_take_its_part_of_a_node_s_memory() -> None:
    node = {"CPU": 128.0, "GPU": 8.0, "memory": 1e12}
    assert part_of(node, {"CPU": 1.0}) == pytest.approx(0.9e12 / 128)
    assert part_of(node, {"CPU": 64.0}) == pytest.approx(0.9e12 / 2)
    assert part_of({"CPU": 2.0, "memory": 2e10}, {"CPU": 4.0}) == pytest.approx(0.9 * 2e10)
    for unbounded in (part_of(node, {"CPU": 1.0, "GPU": 0.125}), part_of({}, {"CPU": 1.0})):
        assert unbounded == 0
