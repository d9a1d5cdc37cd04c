"""An ablation in MLflow's own database: the tree of its runs, what they say, and that nothing is there twice."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medsearch.study.record.ledger import stage_name
from medsearch.tracking.ablation_runs import row_run_name
from medsearch.tracking.backend import quiet_mlflow
from medsearch.tracking.reading import Table
from medsearch.tracking.sender import sync
from tests.tracking.scene import Scene
from tests.tracking.swept_scene import COLUMNS, REFERENCE, ROWS, SweptScene, key_of


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    with quiet_mlflow():
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> "Shown":
    """A whole ablation with its report, as MLflow shows it. Read only."""
    made = SweptScene(Scene(tmp_path_factory.mktemp("ablation"), "table"))
    made.begin()
    made.run()
    made.report()
    assert not sync(made.scene.folder, made.scene.stages, None).behind
    return Shown(made)


class Shown:
    """The runs of an ablation by their names in the study."""

    def __init__(self, made: SweptScene) -> None:
        from mlflow import MlflowClient

        self.made = made
        self.client = MlflowClient(tracking_uri=f"sqlite:///{made.scene.home / 'mlflow.db'}")
        experiment = self.client.get_experiment_by_name("table")
        found = self.client.search_runs([experiment.experiment_id])
        self.runs = {run.data.tags["medsearch.run"].rpartition("/")[2]: run for run in found}
        assert len(self.runs) == len(found)

    def row(self, label: str) -> Any:
        return self.runs[row_run_name(label)]

    def stage(self, node: str, *parts: Any) -> Any:
        return self.runs[stage_name(node, key_of(node, *parts))]

    def above(self, run: Any) -> str:
        """The name of the run that one hangs under."""
        ids = {run.info.run_id: run.info.run_name for run in self.runs.values()}
        return str(ids[run.data.tags["mlflow.parentRunId"]])


def test_rows_hang_under_the_study_and_stage_runs_under_rows(finished: Shown) -> None:
    parent = finished.runs["ablation"]
    assert (parent.info.run_name, parent.info.status) == ("table", "FINISHED")
    assert parent.data.tags["cells"] == "15 of 16 complete, 1 failed"
    for label in (*ROWS, REFERENCE):
        assert finished.above(finished.row(label)) == "table"
    test = finished.stage("test", "Proposed", COLUMNS[0], 1)
    assert finished.above(test) == "Proposed"
    assert test.info.run_name == "Proposed, T1 → T2, seed 1: test"
    shared = finished.stage("segmentation", "aware", COLUMNS[0], 1)
    assert finished.above(shared) == "shared stages"
    assert shared.data.tags["variant"] == "w/o ST; Proposed"
    distinct = {key for *_, stages in finished.made.cells() for _, key in stages} - {unreached()}
    assert len(finished.runs) == 1 + 1 + 4 + len(distinct)


def unreached() -> str:
    """The test of the cell whose segmentation failed."""
    return key_of("test", "w/o TAMT w/o ST", COLUMNS[1], 1)


def test_a_stage_run_says_what_it_is(finished: Shown) -> None:
    run = finished.stage("test", "w/o ST", COLUMNS[1], 0)
    tags = {"study": "table", "role": "stage", "variant": "w/o ST", "task": "T2 → T1", "seed": "0", "node": "test"}
    tags |= {"stage": key_of("test", "w/o ST", COLUMNS[1], 0), "state": "complete", "selection": "source"}
    tags |= {"cohort": "cohort-1", "scale": "tiny", "commit": "abc123", "method": "modatts self-sup."}
    assert tags.items() <= run.data.tags.items()
    assert run.data.params == {"task.source_labels": "1.0", "self_training.rounds": "0"}
    assert run.data.metrics["test/dice"] == 0.7
    trained = finished.stage("segmentation", "aware", COLUMNS[1], 0)
    assert trained.data.params == {"task.source_labels": "1.0"}, "only knobs in which its rows agree"
    history = finished.client.get_metric_history(trained.info.run_id, "segmentation/train/seg")
    assert [point.step for point in history] == [1, 2, 3, 4]
    assert trained.data.metrics["final/segmentation/validation/dice"] == 0.7


def test_what_failed_is_seen_from_above(finished: Shown) -> None:
    run = finished.stage("segmentation", "plain", COLUMNS[1], 1)
    assert (run.info.status, run.data.tags["state"], run.data.tags["cause"]) == ("FAILED", "failed", "diverged")
    row = finished.row("w/o TAMT w/o ST")
    assert (row.info.status, row.data.tags["cells"]) == ("FAILED", "3 of 4 complete, 1 failed")
    assert row.data.tags["reason"] == "T2 → T1, seed 1: loss is nan at epoch 3 (segmentation)"
    assert finished.row("Proposed").info.status == "FINISHED"


def test_newest_first_is_the_order_of_the_table(finished: Shown) -> None:
    rows = [run for run in finished.runs.values() if run.data.tags["role"] in ("variant", "reference", "group")]
    newest_first = [run.info.run_name for run in sorted(rows, key=lambda run: -run.info.start_time)]
    assert newest_first == ["shared stages", *ROWS, REFERENCE]


def test_rows_bear_what_the_report_says_of_them(finished: Shown) -> None:
    row = finished.row("Proposed").data
    found = {name: value for name, value in row.metrics.items() if name.startswith("summary/")}
    column = {"test/dice": 0.805, "test/dice sd": 0.007, "test/dice seeds": 2, "test/dice planned": 2}
    assert found == {f"summary/T{a} _ T{b}/{name}": of for a, b in ((1, 2), (2, 1)) for name, of in column.items()}
    assert row.tags["verdict"] == "T1 → T2: not comparable; T2 → T1: not comparable"
    assert row.tags["verdict_reason"] == "T1 → T2: a phantom; T2 → T1: a phantom"
    lacking = finished.row("w/o TAMT w/o ST").data.metrics
    assert "summary/T2 _ T1/test/dice" not in lacking, "no mean over survivors by the name of the row's mean"
    assert lacking["summary/T2 _ T1/test/dice survivors"] == 0.55
    assert lacking["summary/T2 _ T1/test/dice seeds"] == 1
    assert "summary/T2 _ T1/test/dice share" not in lacking
    assert lacking["summary/T2 _ T1/test/dice share survivors"] == 0.6
    assert lacking["summary/T2 _ T1/test/dice change survivors"] == -4.5
    assert lacking["summary/T1 _ T2/test/dice change"] == -8.25, "by how many % it lies below the row compared with"


def test_a_new_report_replaces_what_the_old_one_said(finished: Shown, tmp_path: Path) -> None:
    made = SweptScene(Scene(tmp_path, "table"))
    made.begin()
    made.run(upto=3)
    made.report()
    sync(made.scene.folder, made.scene.stages, None)
    path = made.scene.folder / "report" / "results.json"
    content = json.loads(path.read_text())
    lines = content["derived"]["table"]
    for line in lines:
        line |= {"mean": None, "survivors_mean": 0.3, "verdict": None}
    path.write_text(json.dumps(content))
    os.utime(path, (path.stat().st_mtime + 5,) * 2)
    sync(made.scene.folder, made.scene.stages, None)
    row = Shown(made).row("Proposed").data
    assert math.isnan(row.metrics["summary/T1 _ T2/test/dice"])
    assert row.metrics["summary/T1 _ T2/test/dice survivors"] == 0.3
    assert not {"verdict", "verdict_reason"} & set(row.tags)
    assert sync(made.scene.folder, made.scene.stages, None).points == 0


@pytest.mark.parametrize(
    "content", ["", "[]", '{"derived": {"table": 3}}', '{"derived": {"table": [{"row": "a"}, 7]}}']
)
def test_a_report_that_says_nothing_is_no_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(content)
    assert Table.read(tmp_path / "results.json").lines == ()
    assert Table.read(tmp_path / "none.json").lines == ()


def test_the_parent_holds_the_report_and_stage_runs_their_pictures(finished: Shown) -> None:
    at = {name: Path(run.info.artifact_uri.removeprefix("file://")) for name, run in finished.runs.items()}
    names = {path.relative_to(at["ablation"]).as_posix() for path in at["ablation"].rglob("*") if path.is_file()}
    assert {"report/table.csv", "report/index.html", "report/figures/bars.svg"} <= names
    run = finished.stage("test", "Proposed", COLUMNS[0], 0)
    assert run.data.tags["mlflow.loggedImages"] == "true"
    images = sorted(path.name for path in (Path(run.info.artifact_uri.removeprefix("file://")) / "images").iterdir())
    assert [name.split("+")[0] for name in images] == ["test~predictions"] * 2 + ["test~residuals"] * 2
    assert sorted(name.rpartition(".")[2] for name in images) == ["png", "png", "webp", "webp"]


def test_pictures_lie_as_mlflow_would_lay_them(finished: Shown, tmp_path: Path) -> None:
    """`log_image` itself, on the same picture: our names differ from its in nothing but time and uuid."""
    from PIL import Image

    run = finished.stage("test", "Proposed", COLUMNS[0], 0)
    folder = Path(run.info.artifact_uri.removeprefix("file://")) / "images"
    ours = next(path for path in sorted(folder.iterdir()) if path.suffix == ".png")
    other = finished.client.create_run(run.info.experiment_id, tags={"medsearch.run": "x/theirs"})
    finished.client.log_image(other.info.run_id, Image.open(ours), key="test/predictions", step=0)
    theirs = sorted((Path(other.info.artifact_uri.removeprefix("file://")) / "images").iterdir())
    finished.client.delete_run(other.info.run_id)

    def shape(path: Path) -> list[str]:
        parts = path.stem.split("+")
        return [*parts[:4], str(len(parts[5])), *parts[6:], path.suffix]

    mine = sorted(path for path in folder.iterdir() if path.name.startswith("test~predictions"))
    assert [shape(path) for path in mine] == [shape(path) for path in theirs]
    with Image.open(mine[1] if mine[1].suffix == ".webp" else mine[0]) as small:
        assert max(small.size) == 512


def test_sent_bit_by_bit_it_ends_as_sent_at_once(finished: Shown, tmp_path: Path) -> None:
    made = SweptScene(Scene(tmp_path, "table"))
    made.begin()
    for upto in (1, 5, 12):
        made.run(upto=upto)
        assert not sync(made.scene.folder, made.scene.stages, None).behind
    assert statuses(Shown(made)).keys() < statuses(finished).keys()
    assert Shown(made).row(REFERENCE).info.status == "SCHEDULED"
    made.run()
    made.report()
    shutil.rmtree(made.scene.folder / "tracking")
    assert not sync(made.scene.folder, made.scene.stages, None).behind
    assert statuses(Shown(made)) == statuses(finished)
    assert sync(made.scene.folder, made.scene.stages, None).points == 0


def statuses(shown: Shown) -> dict[str, Any]:
    return {
        name: (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time)
        for name, run in shown.runs.items()
    }
