"""A driver that is killed, and run again: only unfinished work is done. Each driver is a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput
from medsearch.study.ray.execution import run_search
from medsearch.study.record.headers import SearchHeader
from medsearch.study.record.ledger import Ledger
from tests.chaos.processes import command, descendants, named, wait_for
from tests.study import toy
from tests.study.headers import written
from tests.study.ray.drive import from_json

pytestmark = pytest.mark.soak

PLAN = {
    "trials": 4,
    "finalists": 1,
    "toy": {"segmentation.seconds": 0.25},
    "references": [["Plain", {"segmentation.weights.a": 0.2}]],
}
START = 90  # seconds that a driver may take to get going on a busy machine


def begin(home: Path, plan: dict[str, Any], **environment: str) -> "subprocess.Popen[str]":
    home.mkdir(exist_ok=True)
    drive = Path(__file__).with_name("drive.py")
    arguments = [sys.executable, str(drive), str(home), json.dumps(plan)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


def until(condition: Callable[[], bool], driver: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + START
    while not condition():
        assert time.monotonic() < end, "the study did not get so far"
        assert driver.poll() is None, driver.stderr and driver.stderr.read()
        time.sleep(0.02)


def ended(home: Path) -> int:
    runs = Ledger(home / "studies" / "toy_search").runs().values()
    return sum(run.state != "running" for run in runs)


def stop(driver: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, float, str]:
    """Exit code, seconds until it was gone, last words."""
    began = time.monotonic()
    driver.send_signal(number)
    _, words = driver.communicate(timeout=60)
    return driver.returncode, time.monotonic() - began, words


def test_a_study_killed_three_times_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number, enough in ((signal.SIGINT, 1), (signal.SIGTERM, 3), (signal.SIGKILL, 5)):
        driver = begin(home, PLAN)
        until(lambda enough=enough: ended(home) >= enough, driver)  # type: ignore[misc]
        if number is signal.SIGINT:
            assert_one_driver_at_a_time(home)
        code, seconds, words = stop(driver, number)
        if number is not signal.SIGKILL:
            assert code == 130, words
            assert seconds < 10
            assert "run the same command again" in words
            assert "Traceback" not in words
    driver = begin(home, PLAN)
    _, words = driver.communicate(timeout=START)
    assert driver.returncode == 0, words

    runs = Ledger(home / "studies" / "toy_search").runs()
    assert {run.state for run in runs.values()} == {"complete"}
    assert Counter(run.role for run in runs.values()) == {"prefix": 2, "trial": 4, "reference": 2, "replicate": 2}
    assert_nothing_was_done_twice(home)
    assert proposals_match(home)


def assert_one_driver_at_a_time(home: Path) -> None:
    with pytest.raises(BadInput, match="being run by another process"):
        run_search(from_json(json.dumps(PLAN)), toy.study_environment(home))


def assert_nothing_was_done_twice(home: Path) -> None:
    """A stage starts from zero once; when it starts again it goes on from its checkpoint."""
    starts: dict[str, list[int]] = {}
    for execution in toy.executions(home):
        starts.setdefault(execution["key"], []).append(execution["from"])
    for key, epochs in starts.items():
        assert epochs == sorted(epochs), key
        assert epochs.count(0) == 1 or epochs[:-1] == [0] * (len(epochs) - 1), (key, epochs)
    finished = {manifest.parent.name for manifest in (home / "stages").glob("*/manifest.json")}
    assert finished == set(starts)


def proposals_match(home: Path) -> bool:
    """Whether the sampler was told, once per trial, what the ledger says."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = home / "studies" / "toy_search"
    told = optuna.load_study(study_name="toy_search", storage=f"sqlite:///{folder / 'optuna.db'}").trials
    ledger = {run.number: run.value for run in Ledger(folder).runs().values() if run.role == "trial"}
    return [trial.value for trial in told] == [ledger[number] for number in range(len(told))] and len(told) == 4


def test_a_search_for_a_front_killed_twice_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    plan = {"synthesis": True, "trials": 4, "finalists": 2, "references": [], "toy": {"cyclegan.seconds": 0.2}}
    homes = tmp_path / "killed", tmp_path / "whole"
    records = [Ledger(home / "studies" / "toy_weight_search") for home in homes]
    for enough in (2, 4):
        driver = begin(homes[0], plan)
        until(lambda enough=enough: sum(r.state != "running" for r in records[0].runs().values()) >= enough, driver)  # type: ignore[misc]
        stop(driver, signal.SIGKILL)
    for home in homes:
        driver = begin(home, plan)
        _, words = driver.communicate(timeout=2 * START)
        assert driver.returncode == 0, words
    killed, whole = ({name: run.values for name, run in ledger.runs().items()} for ledger in records)
    assert killed == whole
    chosen = [written(ledger, SearchHeader).chosen for ledger in records]
    assert chosen[0] == chosen[1] != ()


@pytest.mark.parametrize("program", ["raylet/raylet", "gcs/gcs_server"])
def test_a_study_whose_ray_dies_ends_soon_with_its_line_and_goes_on(tmp_path: Path, program: str) -> None:
    """Ray would leave it hanging for ever, or end it after a minute in words of its own."""
    home, plan = tmp_path / "home", {"trials": 2, "finalists": 0, "references": [], "seeds": [0]}
    slow = {**plan, "toy": {"segmentation.seconds": 2.0}}
    driver = begin(home, slow)
    until(lambda: ended(home) >= 1, driver)
    started = descendants(driver.pid)[1:]
    began = time.monotonic()
    os.kill(named(driver.pid, program), signal.SIGKILL)
    _, words = driver.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert driver.returncode == 130, words
    (line,) = words.splitlines()
    name = program.partition("/")[2]
    assert line.startswith(f"medsearch: the {name} of this study's Ray cluster (process ")
    assert "was killed by SIGKILL, as the kernel does when memory runs out" in line
    assert line.endswith("; what is finished is stored: run the same command again to go on")
    wait_for(lambda: not any("ray" in command(pid) for pid in started), "the end of all that it started", seconds=30)
    driver = begin(home, slow)
    _, words = driver.communicate(timeout=START)
    assert driver.returncode == 0, words
    assert_nothing_was_done_twice(home)


def test_a_worker_that_ray_ends_for_memory_is_a_run_s_end_with_the_memory_named(tmp_path: Path) -> None:
    """Whatever the monitor ends, the study says it in its own words, and it is run again where there is memory."""
    home, plan = tmp_path / "home", {"trials": 1, "finalists": 0, "references": [], "seeds": [0]}
    plan["toy"] = {"translation.seconds": 60.0}
    driver = begin(home, plan, RAY_memory_usage_threshold="0.02")
    _, words = driver.communicate(timeout=2 * START)
    assert driver.returncode == 1, words
    assert "Traceback" not in words
    said = (
        r"the stages that all trials share could not be trained: its worker was ended by Ray's memory monitor: it had "
        r"\d[\d.]*GB, the node [\d.]+GB of [\d.]+GB, of which 2.0% may be taken; use a smaller batch"
    )
    assert re.search(said, words), words
    (record,) = Ledger(home / "studies" / "toy_search").runs().values()
    assert (record.state, record.cause) == ("failed", "out of memory")
