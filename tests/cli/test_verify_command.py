import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from medsearch.cli import main
from medsearch.stages.manifest import MANIFEST, Manifest
from medsearch.stages.store import Store
from medsearch.study.record.ledger import Ledger
from tests.study.headers import search_header


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two stages, and a study that has been begun."""
    store = Store(tmp_path / "stages")
    for key in ("one", "two"):
        (store.aside(key) / "weights.safetensors").write_bytes(key.encode() * 1000)
        store.commit(key, Manifest(metrics={"test/dice": 0.5}, upstream={}))
    study = tmp_path / "studies" / "a_search"
    Ledger(study).write_header(search_header())
    Ledger(study).finished("trial-0000", state="complete", values=(0.5,))
    return tmp_path


def verify(home: Path, *more: str) -> int:
    try:
        main(["verify", "--home", str(home), *more])
    except SystemExit as end:
        return int(str(end.code))
    return 0


def test_a_sound_home_is_said_to_be(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(home) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("2 stages, 0 prepared cohorts, 1 study in ")
    assert line.endswith(": 0 findings")


@pytest.mark.parametrize("more", [(), ("--quick",), ("--store", "there")])
def test_each_finding_is_a_line_with_a_remedy(
    home: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = home / "stages" / "one" / MANIFEST
    manifest.write_text(manifest.read_text().replace("0.5", "0.9"))
    weights = home / "stages" / "two" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    header = home / "studies" / "a_search" / "study.json"
    header.write_bytes(header.read_bytes()[:-3])
    with (header.with_name("ledger.jsonl")).open("a") as file:
        file.write("17\n")
    uri = [(home / one).as_uri() if one == "there" else one for one in more]
    assert verify(home, *uri) == 2
    *lines, last = capsys.readouterr().out.splitlines()
    assert last.endswith("4 findings")
    assert lines == [
        f"error: {manifest} was changed since it was written; run its study again: the stage is set aside and trained "
        "anew",
        f"error: {weights} has 2999 bytes, 3000 were written; `medsearch verify --set-aside`, then run its study "
        "again: the stage is trained anew",
        next(line for line in lines if line.startswith(f"error: {header} is no whole JSON (")),
        f"error: line 2 of {header.with_name('ledger.jsonl')} is a number instead of an object; it is passed over, "
        "what it recorded is found again or redone",
    ]
    assert verify(home, *uri) == 2, "verifying changes nothing"


def test_what_is_damaged_is_set_aside_if_asked_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "stages" / "one" / "weights.safetensors").write_bytes(b"x" * 3000)
    assert verify(home, "--set-aside") == 2
    assert "stage one is in" in capsys.readouterr().out
    assert verify(home) == 0
    assert "set aside, to be looked at and removed: 1 (" in capsys.readouterr().out
    store = Store(home / "stages")
    assert (store.has("one"), store.has("two")) == (False, True)


def test_what_was_not_looked_at_is_noted_and_is_no_finding(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = home / "studies" / "a_search" / "optuna.db"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as held:
        held.execute("create table t (a)")
        held.execute("begin exclusive")
        assert verify(home) == 0
    note, _ = capsys.readouterr().out.splitlines()
    assert note.startswith(f"note: {database} is being written by a process, and was not looked at")


def test_what_cannot_be_verified_is_counted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = home / "stages" / "one" / MANIFEST
    old = {
        name: of for name, of in json.loads(manifest.read_text()).items() if name in ("metrics", "upstream", "files")
    }
    manifest.write_text(json.dumps(old))
    assert verify(home) == 0
    assert "from before digests were kept, so that nobody can tell if they changed: 1\n" in capsys.readouterr().out


@pytest.mark.parametrize("more", [(), ("--set-aside",)])
def test_what_files_are_called_moves_no_cursor(
    home: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Cleared screens, colours, ends of lines: in the name of a study that is damaged, and of what was set aside."""
    study = home / "studies" / "a\x1b[2J\x1b[31m\nerror"
    (home / "studies" / "a_search").rename(study)
    (study / "study.json").write_text("{")
    assert verify(home, *more) == 2
    assert verify(home) in (0, 2)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a\\x1b[2J\\x1b[31m error" in out


def test_no_home_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(tmp_path / "none") == 2
    assert "no home" in capsys.readouterr().err
