"""The study end to end on real NIfTI files, as a user runs it: from nothing, again, killed, with faulty data."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from medsearch.phantoms import write_brain_phantom

SMALL = Path(__file__).with_name("small_lambda_search.py")
SHIPPED = SMALL.parents[2] / "studies" / "modatts_lambda_search.py"
RUNS = {
    "prefix-0", "prefix-1", "trial-0000", "trial-0001", "trial-0002",
    "reference-no-adaptation-seed-0", "reference-no-adaptation-seed-1",
    "reference-target-supervised-seed-0", "reference-target-supervised-seed-1",
}  # fmt: skip


def start(*arguments: object, file: Path = SMALL) -> subprocess.Popen[str]:
    command = [sys.executable, str(file), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], timeout: float = 400) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def ledger(home: Path) -> list[dict]:
    lines = (home / "studies" / "modatts_lambda_search" / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def finished_stages(home: Path) -> dict[str, float]:
    return {path.parent.name: path.stat().st_mtime for path in home.glob("stages/*/manifest.json")}


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brain_phantom(tmp_path_factory.mktemp("cohort") / "phantom", cases=12, spacing=4.0, seed=3)


@pytest.fixture(scope="session")
def done(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the small study was killed in the middle and then run to its end."""
    home = tmp_path_factory.mktemp("home")
    process = start("--data", cohort, "--home", home)
    wait_for(lambda: any(event["event"] == "finished" and event["run"] == "trial-0000" for event in events(home)))
    stages = finished_stages(home)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (home / "before.json").write_text(json.dumps(stages))
    code, out, err = finish(start("--data", cohort, "--home", home))
    assert code == 0, err + out
    (home / "out.txt").write_text(out)
    return home


def events(home: Path) -> list[dict]:
    path = home / "studies" / "modatts_lambda_search" / "ledger.jsonl"
    return ledger(home) if path.exists() else []


def wait_for(condition: object, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the study did not come that far"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_killed_study_goes_on_and_ends(done: Path) -> None:
    names = {event["run"] for event in ledger(done)}
    assert names > RUNS
    assert len([name for name in names if name.startswith("replicate-")]) == 2
    finished = Counter(event["run"] for event in ledger(done) if event["event"] == "finished")
    assert set(finished.values()) == {1}, "a run ended twice"


@pytest.mark.slow
def test_what_was_finished_before_the_kill_is_not_trained_again(done: Path) -> None:
    before, after = json.loads((done / "before.json").read_text()), finished_stages(done)
    assert before
    assert all(after[key] == written for key, written in before.items())


@pytest.mark.slow
def test_the_report_holds_table_page_and_answer(done: Path) -> None:
    report = done / "studies" / "modatts_lambda_search" / "report"
    rows = list(csv.reader((report / "table.csv").read_text().splitlines()))
    assert any("No adaptation" in row for row in rows)
    assert any("Target supervised" in row for row in rows)
    page = (report / "index.html").read_text()
    for word in ("phantom", "pseudo-target", "segmentation.weights.rec", "data:image/png;base64"):
        assert word in page
    for name in ("table.md", "table.tex", "results.json"):
        assert (report / name).stat().st_size > 0
    assert "Target supervised" in (done / "out.txt").read_text()


@pytest.mark.slow
def test_the_search_never_read_a_test_case(done: Path) -> None:
    roles = {event["run"]: event["role"] for event in ledger(done) if event["event"] == "started"}
    tested = {
        event["run"]
        for event in ledger(done)
        if event["event"] == "started" and any(stage["node"] == "test" for stage in event["stages"])
    }
    assert {roles[run] for run in tested} == {"replicate", "reference"}


@pytest.mark.slow
def test_mlflow_holds_every_run_once(done: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{done / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("modatts_lambda_search")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    names = Counter(run.data.tags["medsearch.run"] for run in runs if "mlflow.parentRunId" in run.data.tags)
    started = {event["run"] for event in ledger(done)}
    assert set(names.values()) == {1}
    assert {name.split("/")[-1] for name in names} == started
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.slow
def test_a_finished_study_answers_at_once(done: Path, cohort: Path) -> None:
    stages, count = finished_stages(done), len(ledger(done))
    code, out, _ = finish(start("--data", cohort, "--home", done))
    assert code == 0
    assert "Target supervised" in out
    assert finished_stages(done) == stages
    assert len(ledger(done)) == count


@pytest.mark.slow
def test_another_cohort_is_another_question(done: Path, tmp_path: Path) -> None:
    other = write_brain_phantom(tmp_path / "other", cases=10, spacing=4.0, seed=9)
    code, _, err = finish(start("--data", other, "--home", done))
    assert code == 2
    assert "cohort" in err
    assert len(err.strip().splitlines()) == 1


def test_help_and_dry_run_need_no_torch(tmp_path: Path) -> None:
    for arguments in (("--help",), ("--dry-run", "--home", tmp_path)):
        check = (
            "import runpy, sys; sys.argv = sys.argv[1:]\n"
            "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
            "except SystemExit as end: assert not end.code\n"
            "heavy = {'torch', 'ray', 'monai', 'mlflow', 'optuna'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        command = [sys.executable, "-c", check, str(SHIPPED), *map(str, arguments)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert answer.returncode == 0, answer.stderr


def test_a_faulty_cohort_stops_the_study_with_a_name_and_a_remedy(tmp_path: Path) -> None:
    root = write_brain_phantom(tmp_path / "phantom", cases=10, spacing=8.0, seed=1)
    case = sorted(path for path in root.iterdir() if path.is_dir())[0]
    (case / f"{case.name}_t1.nii.gz").write_bytes(b"no image")
    code, out, err = finish(start("--data", root, "--home", tmp_path / "home"))
    assert code == 2
    assert case.name in out
    assert "--skip-bad" in err
    assert len(err.strip().splitlines()) == 1


def test_an_unknown_option_and_a_missing_folder_are_bad_input(tmp_path: Path) -> None:
    assert finish(start("--trails", 3))[0] == 2
    code, _, err = finish(start("--data", tmp_path / "nowhere", "--home", tmp_path))
    assert code == 2
    assert "nowhere" in err
    assert "Traceback" not in err
