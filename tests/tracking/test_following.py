"""The follower beside a driver, and a real MLflow server that is killed, hangs, and comes back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medsearch.study.record.ledger import PlannedRun
from medsearch.tracking import SyncReport, start_follower, sync
from medsearch.tracking.backend import locate, quiet_mlflow
from tests.tracking.light_server import LightServer
from tests.tracking.scene import Scene, small_search
from tests.tracking.test_origin import folder_lost, lose_and_run_again

PROMPT_S = 1.0
"""No call of the driver but `finish` may take longer, whatever the server does."""


@pytest.fixture(scope="module", autouse=True)
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightServer]:
    """It takes many seconds to start: the first tests do not wait for it."""
    with quiet_mlflow():
        made = LightServer(tmp_path_factory.mktemp("server"))
        made.start()
        yield made
        made.kill()


@pytest.fixture
def server(starting: LightServer) -> LightServer:
    until(starting.ready, 60)
    return starting


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def shown(scene: Scene, uri: str) -> dict[str, Any]:
    """The study's runs by their names in the ledger; fails when one is there twice."""
    from mlflow import MlflowClient

    mlflow = MlflowClient(tracking_uri=uri)
    experiment = mlflow.get_experiment_by_name(scene.folder.name)
    found = mlflow.search_runs([experiment.experiment_id]) if experiment else []
    named = {run.data.tags["medsearch.run"].rpartition("/")[2]: run for run in found}
    assert len(named) == len(found)
    return named


def prompt(call: Callable[[], Any]) -> Any:
    """The result of a call that a server must not delay."""
    began = time.monotonic()
    result = call()
    assert time.monotonic() - began < PROMPT_S
    return result


def trial(number: int) -> PlannedRun:
    return PlannedRun(role="trial", number=number, seed=0, knobs={"x": number}, stages=(("fit", f"k{number}"),))


DRIVER = """
import sys, time
from pathlib import Path
from medsearch.tracking import start_follower
follower = start_follower(Path(sys.argv[1]), Path(sys.argv[2]), None, every_s=0.1)
print(follower.process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_follower_outlives_its_killed_driver_by_one_last_look(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.start(trial(0))
    uri = locate(None, home=scene.home).uri
    command = [sys.executable, "-c", DRIVER, str(scene.folder), str(scene.stages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        follower = int(driver.stdout.readline())
        try:
            until(lambda: (scene.home / "mlflow.db").exists())
            until(lambda: "trial-0000" in shown(scene, uri))
            assert shown(scene, uri)["trial-0000"].info.status == "RUNNING"
            assert not sync(scene.folder, scene.stages, None).behind  # it knows that a driver lives
            assert shown(scene, uri)["trial-0000"].info.status == "RUNNING"
            assert os.getpriority(os.PRIO_PROCESS, follower) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
            scene.epoch("k0", 1, {"train/dice": 0.5})
        finally:
            driver.kill()
    until(lambda: gone(follower))
    last = shown(scene, uri)["trial-0000"]
    assert (last.info.status, last.data.metrics) == ("KILLED", {"fit/train/dice": 0.5})


def gone(process: int) -> bool:
    """Whether the process has ended, waited for or not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_follower_that_dies_is_reported(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    follower = start_follower(scene.folder, scene.stages, "http://user:secret@127.0.0.1:9")
    follower.process.kill()
    follower.process.wait()
    report = follower.finish(5)
    assert isinstance(report, SyncReport)
    assert report.behind
    assert "follow.log" in str(report)
    assert "secret" not in str(report)


@pytest.mark.slow
def test_a_killed_server_delays_nothing_and_loses_nothing(server: LightServer, tmp_path: Path) -> None:
    scene = Scene(tmp_path, "server-killed")
    follower = prompt(lambda: start_follower(scene.folder, scene.stages, server.uri, every_s=0.2))
    small_search(scene)
    until(lambda: len(shown(scene, server.uri)) > 2)
    server.kill()
    for number in range(10, 20):
        prompt(lambda number=number: scene.start(trial(number)))
        scene.epoch(f"k{number}", 1, {"train/dice": 0.5})
        scene.commit(f"k{number}", {"validation/dice": 0.5}, {"mask.png": b"mask"})
        scene.end(f"trial-{number:04d}", value=0.5)
    log = scene.folder / "tracking" / "follow.log"
    until(lambda: "does not answer" in log.read_text())
    server.start()
    scene.end("trial-0003", value=0.3)
    until(server.ready, 60)
    report = follower.finish(60)
    assert not report.behind, report
    runs = shown(scene, server.uri)
    assert len(runs) == report.runs + 1 == 17
    assert {run.info.status for run in runs.values()} == {"FINISHED", "FAILED"}
    assert all(runs[f"trial-{number:04d}"].data.metrics["fit/train/dice"] == 0.5 for number in range(10, 20))
    assert (server.folder / "served").exists()  # pictures go through the server
    again = sync(scene.folder, scene.stages, server.uri)
    assert (again.created, again.points, again.files, again.behind) == (0, 0, 0, False)


@pytest.mark.slow
def test_a_server_that_hangs_is_given_up_in_time(server: LightServer, tmp_path: Path) -> None:
    scene = Scene(tmp_path, "server-hangs")
    scene.start(trial(0))
    follower = start_follower(scene.folder, scene.stages, server.uri, every_s=0.1)
    until(lambda: "trial-0000" in shown(scene, server.uri))
    server.signal(signal.SIGSTOP)
    try:
        prompt(lambda: scene.end("trial-0000", value=0.5))
        time.sleep(0.5)
        began = time.monotonic()
        report = follower.finish(1.0)
        assert time.monotonic() - began < 2.0
    finally:
        server.signal(signal.SIGCONT)
    assert report.behind
    assert str(report).endswith("(no answer within 1 s); run: medsearch sync server-hangs")
    assert follower.finish(1.0) is report
    assert follower.process.returncode is not None
    assert not sync(scene.folder, scene.stages, server.uri).behind
    assert shown(scene, server.uri)["trial-0000"].info.status == "FINISHED"


@pytest.mark.slow
def test_followers_killed_at_any_moment_leave_nothing_twice(server: LightServer, tmp_path: Path) -> None:
    scene = Scene(tmp_path, "followers-killed")
    number = 0
    for delay in (0.0, 0.05):
        follower = start_follower(scene.folder, scene.stages, server.uri, every_s=0.01)
        before = len(shown(scene, server.uri))
        for _ in range(8):
            scene.start(trial(number))
            scene.epoch(f"k{number}", 1, {"train/dice": 0.5})
            scene.end(f"trial-{number:04d}", value=0.5)
            number += 1
        until(lambda before=before: len(shown(scene, server.uri)) > before)
        time.sleep(delay)
        follower.process.kill()
        assert follower.finish(5).behind
    assert not sync(scene.folder, scene.stages, server.uri).behind
    assert len(shown(scene, server.uri)) == number + 1


def test_two_homes_on_one_server_find_their_own_runs_again(server: LightServer, tmp_path: Path) -> None:
    """The same study with the same stages, of two people; each loses its folder and runs it again."""
    from mlflow import MlflowClient

    scenes = [Scene(tmp_path / home, "of_two_people") for home in ("one", "other")]
    for scene in scenes:
        small_search(scene)
        assert sync(scene.folder, scene.stages, server.uri).created == 7
    mlflow = MlflowClient(tracking_uri=server.uri)
    experiment = mlflow.get_experiment_by_name("of_two_people").experiment_id

    def held() -> set[tuple[str, str, str]]:
        tags = ((run.info.run_id, run.data.tags) for run in mlflow.search_runs([experiment]))
        return {(id, of["medsearch.origin"], of["medsearch.run"]) for id, of in tags}

    before = held()
    assert len(before) == 14
    assert len({origin for _, origin, _ in before}) == 2
    for scene in scenes:
        lose_and_run_again(scene, folder_lost)
        report = sync(scene.folder, scene.stages, server.uri)
        assert (report.behind, report.created, report.points) == (False, 0, 0)
    assert held() == before
