"""Tracking into MLflow's own database: what is shown, nothing is there twice, and a dead sender harms nothing."""

import math
import multiprocessing
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput
from medsearch.study.record.ledger import PlannedRun
from medsearch.tracking.backend import create_database, locate, quiet_mlflow
from medsearch.tracking.sender import Sender, sync
from medsearch.tracking.server import MlflowServer
from tests.tracking.scene import Scene, small_search
from tests.tracking.test_origin import LOSSES, lose_and_run_again


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_mlflow():
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database; making one takes two seconds."""
    home = tmp_path_factory.mktemp("template")
    create_database(locate(None, home=home))
    return home / "mlflow.db"


@pytest.fixture
def scene(tmp_path: Path, template: Path) -> Scene:
    shutil.copy(template, tmp_path / "mlflow.db")
    made = Scene(tmp_path)
    small_search(made)
    return made


def client(scene: Scene) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{scene.home / 'mlflow.db'}")


def runs(scene: Scene) -> dict[str, Any]:
    """The study's runs by medsearch.run; fails when one is there twice."""
    mlflow = client(scene)
    found = mlflow.search_runs([mlflow.get_experiment_by_name("demo").experiment_id])
    named = {run.data.tags["medsearch.run"]: run for run in found}
    assert len(named) == len(found)
    return named


def rows(scene: Scene, what: str = "metrics") -> list[Any]:
    with sqlite3.connect(scene.home / "mlflow.db") as database:
        return sorted(database.execute(f"select * from {what}").fetchall(), key=repr)


def test_a_search_as_mlflow_shows_it(scene: Scene) -> None:
    (scene.folder / "report").mkdir()
    (scene.folder / "report" / "index.html").write_text("<p>answer</p>")
    report = sync(scene.folder, scene.stages, None)
    assert (report.behind, report.runs, report.created) == (False, 6, 7)
    shown, mlflow = runs(scene), client(scene)
    parent = shown["demo/search"]
    assert parent.info.run_name == "demo"
    assert parent.info.status == "KILLED"  # trial 3 never ended and no driver is at work
    assert parent.data.tags["mlflow.note.content"] == "Does it help?"
    children = [run for name, run in shown.items() if name != "demo/search"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}

    trial = shown["demo/trial-0000"]
    assert trial.data.params == {"segmentation.weights.rec": "0.0", "segmentation.width": "8", "task.source": "t1"}
    tags = {"study": "demo", "role": "trial", "trial": "0", "seed": "0", "state": "complete", "selection": "source"}
    tags |= {"method": "modatts", "commit": "abc123", "stage.segmentation": "k-segmentation-0"}
    tags |= {"stage.translation": "k-translation", "mlflow.source.git.commit": "abc123"}
    assert tags.items() <= trial.data.tags.items()
    assert trial.data.metrics["value"] == 0.2
    assert trial.data.metrics["final/segmentation/validation/dice"] == 0.2
    history = mlflow.get_metric_history(trial.info.run_id, "segmentation/train/dice")
    assert [(point.step, point.value) for point in history] == [(1, 0.4), (2, 0.3)]
    assert trial.info.status == "FINISHED"

    cut, failed = shown["demo/trial-0001"], shown["demo/trial-0002"]
    assert (cut.info.status, cut.data.tags["state"], cut.data.tags["cut_rung"]) == ("FINISHED", "cut", "1")
    assert (failed.info.status, failed.data.tags["cause"]) == ("FAILED", "Diverged")
    assert "value" not in failed.data.metrics
    assert shown["demo/trial-0003"].info.status == "KILLED"
    reference = shown["demo/reference-no-adaptation-seed-1"]
    assert (reference.info.run_name, reference.data.tags["variant"]) == ("No adaptation, seed 1", "No adaptation")
    assert reference.data.metrics["final/test/dice"] == 0.4
    assert math.isnan(reference.data.metrics["final/test/assd"])


def test_what_runs_share_is_shown_once(scene: Scene) -> None:
    sync(scene.folder, scene.stages, None)
    shown = runs(scene)
    assert len(client(scene).get_metric_history(shown["demo/prefix-0"].info.run_id, "translation/train/adv")) == 3
    trials = [run for name, run in shown.items() if "trial" in name]
    assert not any(key.startswith("translation/") for run in trials for key in run.data.metrics)


def test_files_lie_beside_their_runs(scene: Scene) -> None:
    (scene.folder / "report" / "figures").mkdir(parents=True)
    (scene.folder / "report" / "figures" / "a.svg").write_text("<svg/>")
    assert sync(scene.folder, scene.stages, None).files == 7
    shown = runs(scene)
    at = {name: Path(run.info.artifact_uri.removeprefix("file://")) for name, run in shown.items()}
    assert at["demo/search"].is_relative_to(scene.home / "mlartifacts" / "demo")
    assert (at["demo/search"] / "report/figures/a.svg").read_text() == "<svg/>"
    (picture,) = (at["demo/trial-0000"] / "images").glob("segmentation~masks~case1+step+0+timestamp+*.png")
    assert picture.read_bytes() == b"mask"
    assert shown["demo/trial-0000"].data.tags["mlflow.loggedImages"] == "true"
    assert not (at["demo/trial-0001"] / "images").exists()
    (scene.folder / "report" / "figures" / "a.svg").write_text("<svg>new</svg>")
    assert sync(scene.folder, scene.stages, None).files == 1
    assert (at["demo/search"] / "report/figures/a.svg").read_text() == "<svg>new</svg>"


def test_sending_again_adds_nothing(scene: Scene) -> None:
    sync(scene.folder, scene.stages, None)
    before = {table: rows(scene, table) for table in ("metrics", "params", "tags", "runs")}
    shutil.rmtree(scene.folder / "tracking")
    report = sync(scene.folder, scene.stages, None)
    assert (report.created, report.points) == (0, 0)
    assert {table: rows(scene, table) for table in before} == before


def test_replayed_points_add_no_row(scene: Scene) -> None:
    sync(scene.folder, scene.stages, None)
    before = rows(scene)
    with sqlite3.connect(scene.home / "mlflow.db") as database:  # as if the last answer of every run had been lost
        database.execute("delete from tags where key = 'medsearch.sent'")
    assert sync(scene.folder, scene.stages, None).points > 0
    assert rows(scene) == before


def test_a_resumed_study_goes_on_in_its_own_runs(scene: Scene) -> None:
    sync(scene.folder, scene.stages, None)
    id = runs(scene)["demo/trial-0003"].info.run_id
    stages = (("translation", "k-translation"), ("segmentation", "k-segmentation-3"))
    knobs = {"segmentation.weights.rec": 30.0, "segmentation.width": 8, "task.source": "t1"}
    scene.start(PlannedRun(role="trial", number=3, seed=0, knobs=knobs, stages=stages))
    scene.epoch("k-segmentation-3", 3, {"train/dice": 0.2})
    sender = Sender(scene.reader(), locate(None, home=scene.home))
    assert sender.step(live=True) is None
    assert {runs(scene)[name].info.status for name in ("demo/trial-0003", "demo/search")} == {"RUNNING"}
    scene.end("trial-0003", value=0.9)
    assert not sender.finish().behind
    again = runs(scene)["demo/trial-0003"]
    assert (again.info.run_id, again.info.status, again.data.metrics["value"]) == (id, "FINISHED", 0.9)
    assert len(client(scene).get_metric_history(id, "segmentation/train/dice")) == 3
    assert runs(scene)["demo/search"].info.status == "FINISHED"


def test_more_runs_than_one_page_are_found_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(scene.folder, scene.stages, None)
    monkeypatch.setattr("medsearch.tracking.server.PAGE", 2)
    assert sync(scene.folder, scene.stages, None).created == 0


def test_what_a_user_wrote_stays(scene: Scene) -> None:
    sync(scene.folder, scene.stages, None)
    mlflow, parent = client(scene), runs(scene)["demo/search"].info.run_id
    mlflow.set_tag(parent, "mlflow.note.content", "see the talk")
    mlflow.set_tag(parent, "checked", "yes")
    assert not sync(scene.folder, scene.stages, None).behind
    tags = runs(scene)["demo/search"].data.tags
    assert (tags["mlflow.note.content"], tags["checked"]) == ("see the talk", "yes")


@pytest.mark.parametrize("what", ["run", "parent", "experiment"])
def test_what_was_deleted_is_rebuilt(scene: Scene, what: str) -> None:
    sync(scene.folder, scene.stages, None)
    mlflow, before = client(scene), runs(scene)
    if what == "experiment":
        mlflow.delete_experiment(before["demo/search"].info.experiment_id)
    else:
        mlflow.delete_run(before["demo/trial-0000" if what == "run" else "demo/search"].info.run_id)
    assert not sync(scene.folder, scene.stages, None).behind
    after = runs(scene)
    assert after.keys() == before.keys()
    assert {name: run.data.metrics for name, run in after.items() if "reference" not in name} == {
        name: run.data.metrics for name, run in before.items() if "reference" not in name
    }
    parent = after["demo/search"].info.run_id
    assert {run.data.tags.get("mlflow.parentRunId", parent) for run in after.values()} == {parent}


def test_a_follower_notices_that_a_run_was_deleted(scene: Scene) -> None:
    sender = Sender(scene.reader(), locate(None, home=scene.home))
    assert sender.step(live=True) is None
    client(scene).delete_run(runs(scene)["demo/trial-0003"].info.run_id)
    scene.epoch("k-segmentation-3", 3, {"train/dice": 0.2})
    assert "trial-0003" in (sender.step(live=True) or "")
    assert sender.step(live=True) is None
    assert (
        len(client(scene).get_metric_history(runs(scene)["demo/trial-0003"].info.run_id, "segmentation/train/dice"))
        == 3
    )


@pytest.mark.parametrize("lose", LOSSES)
def test_what_is_lost_of_a_study_is_in_mlflow_once(scene: Scene, lose: Callable[[Scene], None]) -> None:
    (scene.folder / "report").mkdir()
    (scene.folder / "report" / "index.html").write_text("<p>answer</p>")
    sync(scene.folder, scene.stages, None)
    before, metrics = {name: run.info.run_id for name, run in runs(scene).items()}, rows(scene)
    lose_and_run_again(scene, lose)
    report = sync(scene.folder, scene.stages, None)
    assert (report.behind, report.created, report.points) == (False, 0, 0)
    assert {name: run.info.run_id for name, run in runs(scene).items()} == before
    assert rows(scene) == metrics


def test_two_studies_of_one_name_share_an_experiment_and_no_run(scene: Scene, tmp_path: Path) -> None:
    other = Scene(tmp_path / "other")
    other.clock += 1000
    small_search(other)
    uri = f"sqlite:///{scene.home / 'mlflow.db'}"
    for one in (scene, other):
        assert sync(one.folder, one.stages, uri).created == 7
    mlflow = client(scene)
    assert len(mlflow.search_runs([mlflow.get_experiment_by_name("demo").experiment_id])) == 14
    assert sync(scene.folder, scene.stages, uri).created == 0


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process; how it ended, as `waitpid` has it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


class Doomed(MlflowServer):
    """MLflow, for a sender that is killed at operation `at`, before it or just after it took effect."""

    at, after = 0, False


def _doomed(name: str) -> Callable[..., Any]:
    original = getattr(MlflowServer, name)

    def deadly(self: Any, *arguments: Any) -> Any:
        Doomed.at -= 1
        if Doomed.at == 0 and not Doomed.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, *arguments)
        if Doomed.at == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return deadly


for _name in ("create", "log", "untag", "upload", "close", "delete"):
    setattr(Doomed, _name, _doomed(_name))


def test_a_sender_killed_at_any_operation_leaves_nothing_twice(scene: Scene, tmp_path: Path) -> None:
    import mlflow  # noqa: F401  forked children need not import it again

    backend, killed = locate(None, home=scene.home), 0

    def doomed() -> None:
        Sender(scene.reader(), backend, connect=Doomed).finish()

    for turn in range(24):
        # Sometimes the first thing that is left to do, just after it was done: a create that nobody heard of.
        Doomed.at, Doomed.after = 1 + turn % 3, turn % 2 == 0
        if in_child(doomed) == 0:
            break
        killed += 1
    assert killed > 15
    Doomed.at = 0
    assert not sync(scene.folder, scene.stages, None).behind
    fresh = Scene(tmp_path / "fresh")
    small_search(fresh)
    shutil.copy(scene.home / "mlflow.db", fresh.home / "mlflow.db")
    with sqlite3.connect(fresh.home / "mlflow.db") as database:
        for table in ("latest_metrics", "metrics", "params", "tags", "runs"):
            database.execute(f"delete from {table}")
    sync(fresh.folder, fresh.stages, None)
    assert picture(scene) == picture(fresh)


def picture(scene: Scene) -> dict[str, Any]:
    """Everything shown of a study but ids, and the origin, which is its home's."""
    mlflow, shown, own = client(scene), runs(scene), ("mlflow.parentRunId", "medsearch.origin")
    return {
        name: (
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.params,
            {key: value for key, value in run.data.tags.items() if key not in own},
            {
                key: [(p.step, p.timestamp, str(p.value)) for p in mlflow.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics
            },
            [file.path for file in mlflow.list_artifacts(run.info.run_id)],
        )
        for name, run in shown.items()
    }


def make(home: str, study: str = "demo") -> str:
    backend = locate(None, home=Path(home))
    with quiet_mlflow():
        create_database(backend)
        return str(MlflowServer(backend).load(study, "none"))


def test_processes_that_open_a_new_database_together_all_find_it_whole(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        answers = pool.starmap(make, [(str(tmp_path), f"study {turn // 4}") for turn in range(24)], chunksize=1)
        assert answers == ["[]"] * 24
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".mlflow.db.lock"}


def test_a_database_that_was_half_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsearch.tracking import backend

    def dies(uri: str, artifacts: str | None) -> None:
        Path(uri.removeprefix("sqlite:///")).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(backend, "_create_tables", dies)
    assert in_child(lambda: make(str(tmp_path)) and None) == signal.SIGKILL
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.undo()
    assert make(str(tmp_path)) == "[]"
    assert not list(tmp_path.glob(".*new*"))


def test_uris_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(None, home=Path("runs")).uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    here = locate("sqlite:///my.db", home=tmp_path / "runs")
    assert (here.uri, here.artifacts) == (f"sqlite:///{tmp_path}/my.db", (tmp_path / "mlartifacts").as_uri())
    assert locate("postgresql+psycopg://u:p@db/x", home=tmp_path).artifacts == (tmp_path / "mlartifacts").as_uri()
    assert locate("postgresql://u:secret@db/x", home=tmp_path).shown == "postgresql+psycopg2://db/x"
    assert locate("http://u:secret@host:5000", home=tmp_path).shown == "http://host:5000"
    assert locate("https://host", home=tmp_path, artifacts=tmp_path).artifacts is None


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "sqlite://", "localhost:5000"])
def test_a_uri_without_a_store_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"tracking URI .*use "):
        locate(uri, home=tmp_path)


@pytest.mark.parametrize("uri", ["postgres://me:hunter2@db/x", "oracle://me:hunter2@db/x"])
def test_a_refused_uri_is_told_without_its_password(uri: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"tracking URI .*://db/x") as refused:
        locate(uri, home=tmp_path)
    assert "hunter2" not in str(refused.value)


def test_an_unreachable_server_is_reported(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medsearch.tracking.sender.PAUSE_S", 0.0)
    report = sync(scene.folder, scene.stages, "http://user:secret@127.0.0.1:9")
    assert report.behind
    assert str(report).startswith("http://127.0.0.1:9 is behind (the server does not answer (")
    assert str(report).endswith("run: medsearch sync demo")
    assert "secret" not in str(report)
