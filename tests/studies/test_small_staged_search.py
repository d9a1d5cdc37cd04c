"""A staged search end to end on real NIfTI files, as a user runs it: stopped in its second group, again, at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from medsearch.phantoms import write_brain_phantom

FILE = Path(__file__).with_name("small_staged_search.py")
NAME = "small_staged_search"
SEARCHES = (f"{NAME}.1-translation", f"{NAME}.2-segmentation", f"{NAME}.refinement")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(FILE), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], timeout: float = 400) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def medsearch(*arguments: object) -> tuple[int, str]:
    code = "from medsearch.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def header(home: Path) -> dict[str, Any]:
    return dict(json.loads((home / "studies" / NAME / "study.json").read_text()))


def frozen(home: Path) -> list[Any]:
    return [group["frozen"] for group in header(home)["groups"]]


def page_of(home: Path, study: str) -> Path:
    return home / "studies" / study / "report" / "index.html"


def ended(home: Path, study: str) -> list[str]:
    path = home / "studies" / study / "ledger.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line["run"] for line in lines if line["event"] == "finished"]


def stages(home: Path) -> dict[str, float]:
    return {path.parent.name: path.stat().st_mtime for path in home.glob("stages/*/manifest.json")}


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brain_phantom(tmp_path_factory.mktemp("cohort") / "phantom", cases=10, spacing=4.0, seed=3)


@pytest.fixture(scope="session")
def done(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the study was interrupted in its second group and then run to its end."""
    home = tmp_path_factory.mktemp("home")
    process = start("--data", cohort, "--home", home)
    deadline = time.monotonic() + 300
    while "trial-0000" not in ended(home, SEARCHES[1]):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the study did not come that far"
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    before = {"code": code, "err": err, "out": out, "frozen": frozen(home), "stages": stages(home)}
    before["pages"] = {
        name: page.read_text() if (page := page_of(home, name)).exists() else "" for name in (NAME, *SEARCHES)
    }
    before["plan"] = finish(start("--data", cohort, "--home", home, "--dry-run"))[1]
    (home / "before.json").write_text(json.dumps(before))
    code, out, err = finish(start("--data", cohort, "--home", home))
    assert code == 0, err + out
    (home / "out.txt").write_text(out)
    return home


def before(home: Path) -> dict[str, Any]:
    return dict(json.loads((home / "before.json").read_text()))


@pytest.mark.soak
def test_it_stops_when_told_to_and_goes_on_from_there(done: Path) -> None:
    then = before(done)
    assert then["code"] == 130
    assert then["err"].strip().splitlines()[-1].endswith("run the same command again to go on")
    assert then["frozen"][0] is not None
    assert then["frozen"][1] is None
    assert frozen(done)[0] == then["frozen"][0]
    assert all(frozen(done))
    now = stages(done)
    assert all(now[key] == written for key, written in then["stages"].items()), "nothing was trained again"


@pytest.mark.soak
def test_an_interrupted_study_has_its_page_and_the_pages_that_it_links_to(done: Path) -> None:
    pages = before(done)["pages"]
    assert "No answer yet" in pages[NAME]
    assert all(f'href="../../{name}/report/index.html"' in pages[NAME] and pages[name] for name in SEARCHES[:2])
    assert f'href="../../{SEARCHES[2]}' not in pages[NAME]


@pytest.mark.soak
def test_the_later_searches_stand_on_what_was_frozen(done: Path) -> None:
    translation, segmentation = (of["knobs"] for of in frozen(done))
    read = {name: json.loads((done / "studies" / name / "study.json").read_text()) for name in SEARCHES}
    fixed = read[SEARCHES[1]]["fixed"]
    assert {knob: fixed[knob] for knob in translation} == translation
    assert fixed["self_training.rounds"] == 0
    last = read[SEARCHES[2]]
    assert last["start"] == {**translation, **segmentation}
    assert "self_training.rounds" not in last["fixed"]
    assert not any(run.startswith("reference") for name in SEARCHES[:2] for run in ended(done, name))
    assert {"trial-0001", "reference-frozen-seed-0"} < set(ended(done, SEARCHES[2]))


@pytest.mark.soak
def test_a_dry_run_says_what_is_frozen_and_what_waits(done: Path, cohort: Path) -> None:
    plan = before(done)["plan"]
    lines = {name: next(line for line in plan.splitlines() if name in line) for name in ("1-t", "2-s", "refinement ")}
    assert "2 of 2" in lines["1-t"]
    assert "frozen at trial" in lines["1-t"]
    assert "1 of 2" in lines["2-s"]
    assert "after group 2 is frozen" in lines["refinement "]
    code, out, _ = finish(start("--data", cohort, "--home", done, "--dry-run"))
    assert code == 0
    assert f"{NAME}: 0 stage runs to train" in out


@pytest.mark.soak
def test_a_finished_study_answers_without_training(done: Path, cohort: Path) -> None:
    known, count = stages(done), [len(ended(done, name)) for name in SEARCHES]
    code, out, _ = finish(start("--data", cohort, "--home", done))
    assert code == 0
    assert "Refinement: " in out
    assert (stages(done), [len(ended(done, name)) for name in SEARCHES]) == (known, count)


@pytest.mark.soak
def test_the_report_says_what_was_frozen_and_links_to_each_search(done: Path) -> None:
    folder = done / "studies" / NAME / "report"
    (folder / "index.html").unlink()
    code, out = medsearch("report", NAME, "--home", done)
    assert (code, out.strip()) == (0, str(folder / "index.html"))
    page = (folder / "index.html").read_text()
    for name in SEARCHES:
        assert f'href="../../{name}/report/index.html"' in page
        assert (folder.parents[1] / name / "report" / "index.html").exists()
    for word in ("phantom cohort", "What was left on the table", "translation.weights.cyc", "Refined"):
        assert word in page
    assert (folder / "table.csv").read_text().count("\n") == 4
    said = (done / "out.txt").read_text()
    assert "λ_cyc = " in said
    assert "Refinement: " in said


@pytest.mark.soak
def test_a_sync_brings_every_search_up_to_date(done: Path) -> None:
    code, out = medsearch("sync", NAME, "--home", done)
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == list(SEARCHES)


@pytest.mark.soak
def test_a_prune_takes_nothing_that_a_group_needs(done: Path, cohort: Path) -> None:
    code, out = medsearch("prune", "--home", done, "--yes")
    assert code == 0
    assert "remove" not in out
    code, out, err = finish(start("--data", cohort, "--home", done, "--dry-run"))
    assert f"{NAME}: 0 stage runs to train" in out, err


def test_what_cannot_be_is_bad_input_in_one_line(tmp_path: Path) -> None:
    code, _, err = finish(start("--trials", 0, "--home", tmp_path))
    assert code == 2
    assert "trials takes an integer of 1 or more, got 0" in err
    assert len(err.strip().splitlines()) == 1


def test_help_and_dry_run_need_no_torch(tmp_path: Path) -> None:
    for arguments in (("--help",), ("--dry-run", "--home", tmp_path, "--trials", 3)):
        check = (
            "import runpy, sys; sys.argv = sys.argv[1:]\n"
            "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
            "except SystemExit as end: assert not end.code\n"
            "heavy = {'torch', 'ray', 'monai', 'mlflow', 'optuna'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        command = [sys.executable, "-c", check, str(FILE), *map(str, arguments)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert answer.returncode == 0, answer.stderr
    assert "after group 2 is frozen" in answer.stdout
    assert answer.stdout.count("0 of 3") == 3
