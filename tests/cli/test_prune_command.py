import argparse
import os
from pathlib import Path

import pytest

from medsearch.cli import main
from medsearch.cli.commands import size
from medsearch.stages.manifest import Manifest
from medsearch.stages.store import Store
from medsearch.study.record.ledger import Ledger, PlannedRun
from tests.study.headers import put, search_header


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A search of two trials, the second of which won, and a stage of a study that was removed."""
    store = Store(tmp_path / "stages")
    for key in ("lost", "won", "gone"):
        (store.aside(key) / "weights.safetensors").write_bytes(b"x" * 2_000_000)
        store.commit(key, Manifest(metrics={}, upstream={}))
    study = tmp_path / "studies" / "a_search"
    put(study, search_header(chosen=(1,)))
    ledger = Ledger(study)
    for number, key in enumerate(("lost", "won")):
        run = ledger.started(PlannedRun(role="trial", seed=0, number=number, stages=(("segmentation", key),)))
        ledger.finished(run, state="complete", values=(0.5,))
    return tmp_path


def whole(home: Path) -> set[str]:
    store = Store(home / "stages")
    return {key for key in ("lost", "won", "gone") if store.whole(key)}


def prune(home: Path, *more: str) -> None:
    main(["prune", "--home", str(home), *more])


def test_a_dry_run_says_what_would_go_and_removes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prune(home, "--keep-best", "--dry-run")
    gone, lost, total = capsys.readouterr().out.splitlines()
    assert gone.startswith("gone ")
    assert gone.endswith("remove, no study mentions it")
    assert "2.0 MB" in gone
    assert lost.startswith("lost ")
    assert lost.endswith("thin, keep numbers and pictures")
    assert total == "3 stages, 6.0 MB; 2.0 MB after this"
    assert whole(home) == {"lost", "won", "gone"}


def test_with_yes_nobody_is_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prune(home, "--yes")
    assert capsys.readouterr().out.endswith("freed 2.0 MB in 1 stage\n")
    assert whole(home) == {"lost", "won"}
    prune(home, "--yes", "--keep-best")
    assert whole(home) == {"won"}
    assert Store(home / "stages").has("lost")
    capsys.readouterr()
    prune(home, "--yes", "--keep-best")
    assert capsys.readouterr().out.splitlines() == ["2 stages, 2.0 MB; 2.0 MB after this"]


def test_where_nobody_can_be_asked_nothing_is_removed(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Path(os.devnull).open())  # noqa: SIM115
    with pytest.raises(SystemExit) as ended:
        prune(home)
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "medsearch: nothing was removed: say --yes to free 2.0 MB, as nobody can be asked here\n"
    )
    assert whole(home) == {"lost", "won", "gone"}


@pytest.mark.parametrize(("answer", "left"), [("y\n", {"lost", "won"}), ("\n", {"lost", "won", "gone"})])
def test_at_a_terminal_the_user_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: set[str]
) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, answer.encode())
        prune(home)
    os.close(ours)
    assert whole(home) == left


def test_a_budget_that_cannot_be_met_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prune(home, "--budget", "5MB", "--yes")
    assert whole(home) == {"lost", "won"}
    capsys.readouterr()
    prune(home, "--budget", "1 MB", "--yes")
    assert capsys.readouterr().out.splitlines() == [
        "2 stages, 4.0 MB; 4.0 MB after this",
        "that is more than 1.0 MB, but studies in this home need what is left",
    ]


@pytest.mark.parametrize("where", ["nowhere", "linked"])
def test_a_home_that_is_none_or_whose_stages_are_another_s_is_refused(
    home: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    other = tmp_path_factory.mktemp("other") / where
    if where == "linked":
        other.mkdir()
        (other / "stages").symlink_to(home / "stages")
    with pytest.raises(SystemExit) as ended:
        prune(other, "--yes")
    assert ended.value.code == 2
    said = {"nowhere": "no home", "linked": "is a link, so other homes may need what is in it"}[where]
    assert said in capsys.readouterr().err
    assert whole(home) == {"lost", "won", "gone"}


@pytest.mark.parametrize(
    ("text", "count"), [("50GB", 50e9), ("1.5 TB", 1.5e12), ("200MiB", 200 * 2**20), ("7", 7), ("3kb", 3000)]
)
def test_sizes(text: str, count: float) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "50 apples", "-3GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no size such as 50GB"):
        size(text)
