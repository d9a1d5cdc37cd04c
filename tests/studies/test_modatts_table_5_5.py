"""Table 5.5 end to end on real NIfTI files of both data sets, as a user runs it: planned, interrupted, run again."""

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from medsearch.core.spreadsheets import read_csv
from medsearch.phantoms import PHANTOMS
from medsearch.study.plan import plan_ablation
from medsearch.study.record.headers import AblationHeader
from medsearch.study.record.ledger import Ledger
from tests.studies.small_table_5_5 import ROWS, STUDY

SMALL = Path(__file__).with_name("small_table_5_5.py")
NAME = "modatts_table_5_5"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Done:
    """A study that was interrupted in the middle, then run to its end. planned: what the dry run said before."""

    options: tuple[str, ...]
    home: Path
    planned: str
    interrupted: int
    said: str

    @property
    def report(self) -> Path:
        return self.home / "studies" / NAME / "report"

    @property
    def ledger(self) -> list[dict]:
        return ledger(self.home)


def ledger(home: Path) -> list[dict]:
    path = home / "studies" / NAME / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SMALL), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(*options: str) -> str:
    process = start(*options)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err + out
    return out


def written(layout: str, folder: Path, cases: int, spacing: float) -> str:
    spec, write = PHANTOMS[layout]
    return f"{layout}={write(spec(cases=cases, spacing=spacing, seed=3), folder)}"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    root = tmp_path_factory.mktemp("both")
    brats = written("brats2020", root / "brats", 12, 4.0)
    crossmoda = written("crossmoda2022", root / "crossmoda", 8, 1.64)
    options = ("--data", brats, "--data", crossmoda, "--home", str(root / "home"))
    planned = said(*options, "--dry-run")
    process = start(*options)
    deadline = time.monotonic() + 300
    while not any(event["event"] == "finished" for event in ledger(root / "home")):
        assert time.monotonic() < deadline, "no stage run ended"
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    return Done(options, root / "home", planned, process.returncode, said(*options))


def counts(plan: str) -> tuple[int, ...]:
    """Asked, distinct, stored and to train, from the last line of the plan's table."""
    line = next(line for line in plan.splitlines() if re.match(r"\W*all\b", line))
    return tuple(int(number) for number in re.findall(r"\d+", line)[:4])


def test_stages_are_planned_in_their_order_though_the_first_row_leaves_one_out() -> None:
    rows = plan_ablation(STUDY.at("tiny")).rows
    for column in STUDY.tasks:
        stages = [row.stage for row in rows if row.group == column]
        assert stages == ["translation", "synthesis", "segmentation", "self_training", "test"]


def test_the_plan_held(done: Done) -> None:
    asked, distinct, stored, left = counts(done.planned)
    assert (asked > distinct == left, stored) == (True, 0)
    finished = Counter(event["run"] for event in done.ledger if event["event"] == "finished")
    assert (len(finished), set(finished.values())) == (distinct, {1})
    assert len(list(done.home.glob("stages/*/manifest.json"))) == distinct
    assert counts(said(*done.options, "--dry-run")) == (asked, distinct, distinct, 0)
    assert f"{distinct} stage runs served {asked}" in done.said


def test_an_interruption_has_its_exit_code_and_loses_nothing(done: Done) -> None:
    assert done.interrupted == 130
    starts = Counter(event["run"] for event in done.ledger if event["event"] == "started")
    before = next(event["run"] for event in done.ledger if event["event"] == "finished")
    assert starts[before] == 1


def test_every_cell_of_the_table_is_measured_beside_the_reported_value(done: Done) -> None:
    table = read_csv((done.report / "table.csv").read_text())
    cells = {(line["column"], line["row"], line["metric"]): line for line in table}
    for column, metric in zip(STUDY.tasks, ("test/dice_micro", "test/dice"), strict=True):  # the statistic it names
        for row in ROWS:
            cell = cells[column, row, metric]
            assert (cell["seeds"], cell["failed"], cell["waiting"]) == ("1", "0", "0")
            assert 0 <= float(cell["mean"]) <= 1
            assert 0.5 < float(cell["reported"]) < 1
            assert cell["verdict"] == "not comparable"
    assert not any(
        line["reported"] for line in table if (line["column"], line["metric"]) == ("BraTS : T1 → T2", "test/dice")
    )
    for name in ("table.md", "table.tex", "index.html"):
        assert all(row in (done.report / name).read_text() for row in ROWS)


def test_rows_share_translation_and_segmentation(done: Done) -> None:
    header = Ledger(done.home / "studies" / NAME).header(AblationHeader)
    assert header is not None
    stages = {(cell.row, cell.column): dict(cell.stages) for cell in header.cells}
    for column in STUDY.tasks:
        without, proposed = (stages[row, column] for row in ROWS)
        assert {node for node, key in without.items() if proposed[node] == key} == {
            "translation",
            "synthesis",
            "segmentation",
        }


def test_one_row_can_be_asked_for_and_is_there_at_once(done: Done) -> None:
    out = said(*done.options, "--only", ROWS[0], "--dry-run")
    *_, left = counts(out)
    assert left == 0
    assert done.report.joinpath("table.csv").exists()


def test_mlflow_has_every_stage_run_once(done: Done) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{done.home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(NAME)
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    names = Counter(run.data.tags["medsearch.run"].split("/")[-1] for run in runs)
    assert set(names.values()) == {1}
    assert {event["run"] for event in done.ledger if event["event"] == "started"} <= set(names)
    assert {run.info.status for run in runs} == {"FINISHED"}
