"""MLflow's runs in a real PostgreSQL, directly and behind a server, while it is restarted, killed and not there."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medsearch.tracking.backend import create_database, locate, quiet_mlflow
from medsearch.tracking.sender import Sender, sync
from medsearch.tracking.server import MlflowServer
from tests.postgres import PostgreSQL, postgresql  # noqa: F401
from tests.tracking.scene import Scene, small_search
from tests.tracking.swept_scene import SweptScene

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_mlflow():
        yield


@pytest.fixture(scope="module")
def uri(postgresql: PostgreSQL) -> str:  # noqa: F811
    """An empty database with MLflow's tables; every test has a study of its own in it."""
    made = postgresql.database("tracking")
    create_database(locate(made, home=Path()))
    return made


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    made = Scene(tmp_path, request.node.name)
    small_search(made)
    return made


def shown(scene: Scene, uri: str) -> dict[str, Any]:
    """What is shown of a study, by the runs' names; fails when one is there twice."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=locate(uri, home=scene.home).uri)
    found = client.search_runs([client.get_experiment_by_name(scene.folder.name).experiment_id])
    named = {run.data.tags["medsearch.run"].rpartition("/")[2]: run for run in found}
    assert len(named) == len(found)
    return {
        name: (
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.params,
            {key: value for key, value in run.data.tags.items() if key != "mlflow.parentRunId"},
            {
                key: [(p.step, p.timestamp, str(p.value)) for p in client.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics
            },
            sorted(file.path for file in client.list_artifacts(run.info.run_id, "images")),
        )
        for name, run in named.items()
    }


def embedded(scene: Scene) -> dict[str, Any]:
    """The same study in a database of its home."""
    assert not sync(scene.folder, scene.stages, None).behind
    return shown(scene, f"sqlite:///{scene.home / 'mlflow.db'}")


def test_postgresql_holds_what_the_embedded_database_holds(scene: Scene, uri: str) -> None:
    report = sync(scene.folder, scene.stages, uri)
    assert (report.behind, report.created) == (False, 7)
    assert shown(scene, uri) == embedded(scene)
    again = sync(scene.folder, scene.stages, uri)
    assert (again.created, again.points, again.files) == (0, 0, 0)


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_whatever_happens_to_postgresql_nothing_is_lost_or_there_twice(
    how: str,
    scene: Scene,
    uri: str,
    postgresql: PostgreSQL,  # noqa: F811
) -> None:
    def disturb() -> None:
        for _ in range(4):
            time.sleep(0.3)
            if how == "restarted":
                postgresql.restart(away_s=0.3)
            else:
                postgresql.crash()
                postgresql.start()

    problems = []
    sender = Sender(scene.reader(), locate(uri, home=scene.home))
    mishaps = threading.Thread(target=disturb)
    mishaps.start()
    while mishaps.is_alive():
        problems.append(sender.step(live=True, final=True))
    mishaps.join()
    assert any(problems), "it was never disturbed"
    assert not sender.finish().behind
    assert shown(scene, uri) == embedded(scene)


def test_while_postgresql_is_away_the_study_is_behind(
    scene: Scene,
    uri: str,
    postgresql: PostgreSQL,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("medsearch.tracking.sender.PAUSE_S", 0.1)
    postgresql.stop()
    try:
        report = sync(scene.folder, scene.stages, uri)
        assert report.behind
        assert "Connection refused" in str(report)
        assert postgresql.password not in str(report)
    finally:
        postgresql.start()
    assert not sync(scene.folder, scene.stages, uri).behind
    assert shown(scene, uri) == embedded(scene)


def test_long_names_fit_into_its_tables(tmp_path: Path, uri: str) -> None:
    long = Scene(tmp_path, "a" * 180)
    small_search(long)
    assert not sync(long.folder, long.stages, uri).behind
    assert len(shown(long, uri)) == 7
    deep = Scene(tmp_path / ("b" * 150))
    small_search(deep)
    assert "choose another --home" in str(sync(deep.folder, deep.stages, uri))
    assert not sync(deep.folder, deep.stages, None).behind


def test_a_wrong_password_is_told_without_it(scene: Scene, uri: str, postgresql: PostgreSQL) -> None:  # noqa: F811
    report = sync(scene.folder, scene.stages, uri.replace(postgresql.password, "hunter2"))
    assert report.behind
    assert "authentication failed" in str(report)
    assert "hunter2" not in str(report)


def make(uri: str) -> bool:
    with quiet_mlflow():
        return MlflowServer(locate(uri, home=Path("/nowhere"))).load("study", "none") == []


def test_processes_that_open_a_new_database_together_all_find_it_whole(postgresql: PostgreSQL) -> None:  # noqa: F811
    fresh = postgresql.database("fresh")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(make, [fresh] * 4, chunksize=1) == [True] * 4


def test_tables_that_a_killed_process_left_half_made_are_made(postgresql: PostgreSQL) -> None:  # noqa: F811
    half = postgresql.database("half")
    process = multiprocessing.get_context("spawn").Process(target=make, args=(half,))
    process.start()
    until(lambda: tables(half) > 0)
    process.kill()
    process.join()
    assert make(half)


def tables(uri: str) -> int:
    import psycopg2

    connection = psycopg2.connect(uri)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from information_schema.tables where table_schema = 'public'")
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def until(true: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_server_on_postgresql_goes_on_after_its_restart(
    tmp_path: Path,
    postgresql: PostgreSQL,  # noqa: F811
) -> None:
    from medsearch.tracking import start_follower
    from tests.tracking.light_server import LightServer

    server = LightServer(tmp_path, store=locate(postgresql.database("served"), home=tmp_path).uri)
    server.start()
    try:
        made = SweptScene(Scene(tmp_path, "table"))
        made.begin()
        until(server.ready)
        follower = start_follower(made.scene.folder, made.scene.stages, server.uri, every_s=0.2)
        for upto in (4, 12, 24, None):
            made.run(upto=upto)
            time.sleep(1.0)
            postgresql.restart(away_s=0.5)
        made.report()
        report = follower.finish(120)
        assert not report.behind, report
        at_once = Scene(tmp_path / "other", "table")
        SweptScene(at_once).begin()
        again = SweptScene(at_once)
        again.run()
        again.report()
        served, expected = shown(made.scene, server.uri), embedded(at_once)
        assert {name: of[:1] + of[3:4] + of[5:] for name, of in served.items()} == {
            name: of[:1] + of[3:4] + of[5:] for name, of in expected.items()
        }
    finally:
        server.kill()


def test_no_variable_of_the_shell_decides_where_runs_go(
    scene: Scene, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert not sync(scene.folder, scene.stages, uri).behind
    assert not sync(scene.folder, scene.stages, None).behind
    assert (scene.home / "mlflow.db").exists()
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:9"
