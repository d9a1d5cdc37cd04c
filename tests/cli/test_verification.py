"""What `medsearch verify` finds, what it only notes, and that it ends for nothing that it cannot read."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medsearch.cli.verification import Verification, set_aside, verify
from medsearch.cohorts.atomic_folder import CASES, made_once
from medsearch.core.records import write_json, write_sealed
from medsearch.stages.manifest import JOURNAL, LOCK, MANIFEST, THINNED, Manifest
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from medsearch.study.record.ledger import Ledger
from medsearch.tracking.origin import HOME, home_id
from tests.study.headers import search_header


def fill(folder: Path) -> None:
    (folder / "image.npy").write_bytes(b"image")
    write_json(folder / CASES, {})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two finished stages and one that runs, prepared arrays, and a study."""
    store = Store(tmp_path / "stages")
    for key in ("one", "two"):
        (store.aside(key) / "weights.bin").write_bytes(key.encode() * 1000)
        (store.folder(key) / ".aside" / "facts.json").write_text("{}")
        store.commit(key, Manifest(metrics={"test/dice": 0.5}))
    for number in (1, 2):
        store.record("runs", Epoch(number, {}), seconds=1.0, time=5.0)
    made_once(tmp_path / "cohorts" / "toy", CASES, fill)
    study = tmp_path / "studies" / "a_search"
    Ledger(study).write_header(search_header())
    write_sealed(study / "choice.json", {})
    Ledger(study).finished("trial-0000", state="complete", values=(0.5,))
    return tmp_path


def verified(home: Path) -> Verification:
    return verify(home, Store(home / "stages"))


def asides(home: Path) -> list[Path]:
    return sorted(home.glob("*/*.damaged-*"))


DATABASES = ["studies/a_search/optuna.db", "mlflow.db"]

KILLED = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("pragma cache_size = 5")
database.execute("create table t (a)")
database.execute("begin")
database.executemany("insert into t values (?)", [("x" * 500,)] * 2000)
database.execute("commit")
database.execute("begin")
database.executemany("update t set a = ?", [("y" * 500,)])
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_a_killed_program_left_is_no_damage(home: Path, name: str) -> None:
    database = home / name
    subprocess.run([sys.executable, "-c", KILLED, database], check=False)
    left = database.with_name(f"{database.name}-journal")
    before = database.read_bytes(), left.read_bytes()
    found = verified(home)
    assert found.findings == []
    assert found.notes == [f"{database} has an unfinished transaction, which the next run ends; verify again after it"]
    assert (database.read_bytes(), left.read_bytes()) == before, "nothing is changed"
    with contextlib.closing(sqlite3.connect(database)) as opened:
        assert opened.execute("select count(*) from t where a like 'x%'").fetchone() == (2000,)
    assert (verified(home).findings, verified(home).notes) == ([], [])


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_is_being_written_is_said_to_be(home: Path, name: str) -> None:
    with contextlib.closing(sqlite3.connect(home / name, isolation_level=None)) as held:
        held.execute("create table t (a)")
        held.execute("begin exclusive")
        found = verified(home)
    assert found.findings == []
    (note,) = found.notes
    assert note.startswith(f"{home / name} is being written by a process, and was not looked at")


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:5000], lambda content: b"17\n" * 999, lambda content: content[:4096] + bytes(4096)],
)
def test_of_a_damaged_database_nothing_is_to_be_removed(
    home: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    with contextlib.closing(sqlite3.connect(home / name, isolation_level=None)) as opened:
        opened.execute("create table t (a)")
        opened.executemany("insert into t values (?)", [("x" * 500,)] * 100)
    (home / name).write_bytes(damage((home / name).read_bytes()))
    found = verified(home)
    (finding,) = found.findings
    assert str(home / name) in finding.what
    assert "move it aside" in finding.remedy
    assert "remove" not in finding.remedy
    assert found.notes == []


UNREADABLE = [
    f"stages/one/{MANIFEST}", f"stages/runs/{JOURNAL}", "stages/.index.jsonl", "cohorts/toy/files.json",
    "studies/a_search/study.json", "studies/a_search/ledger.jsonl", "studies/a_search/choice.json",
]  # fmt: skip


def folder(path: Path, _: pytest.MonkeyPatch) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def refused(path: Path, patch: pytest.MonkeyPatch) -> None:
    """As the kernel does to users other than root."""
    path.touch()
    real = Path.read_bytes

    def read(of: Path) -> bytes:
        if of == path:
            raise PermissionError(13, "Permission denied", str(of))
        return real(of)

    patch.setattr(Path, "read_bytes", read)


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("damage", [folder, refused], ids=lambda of: of.__name__)
def test_what_cannot_be_read_is_a_finding_and_the_rest_is_looked_at(
    home: Path, name: str, damage: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(home / name, monkeypatch)
    (home / "stages" / "two" / "weights.bin").write_bytes(b"x")
    (home / "mlflow.db").write_bytes(b"17\n" * 999)
    found = verified(home)
    whats = [finding.what for finding in found.findings]
    assert str(home / name) in whats
    assert str(home / "stages" / "two" / "weights.bin") in whats
    assert str(home / "mlflow.db") in whats
    assert (found.stages, found.studies) == (3, 1)


def test_what_is_sound_by_now_is_not_set_aside(home: Path) -> None:
    """It was brought back, or trained anew, since it was found."""
    paths = [
        home / "stages" / "one" / "weights.bin",
        home / "stages" / "two" / MANIFEST,
        home / "cohorts/toy/image.npy",
    ]
    sound = [path.read_bytes() for path in paths]
    for path in paths:
        path.write_bytes(b"x" * path.stat().st_size)
    found = verified(home)
    assert len(found.findings) == 3
    for path, content in zip(paths, sound, strict=True):
        path.write_bytes(content)
    lines = list(set_aside(found, Store(home / "stages")))
    assert lines == [
        "stage one is sound by now, and was left where it is",
        "stage two is sound by now, and was left where it is",
        f"{home / 'cohorts' / 'toy'} is sound by now, and was left where it is",
    ]
    assert asides(home) == []
    assert verified(home).findings == []


def test_a_thinned_stage_with_a_damaged_light_output_is_set_aside(home: Path) -> None:
    one = home / "stages" / "one"
    (one / THINNED).write_text("{}")
    (one / "weights.bin").unlink()
    assert verified(home).findings == [], "what was pruned is no damage"
    (one / "facts.json").write_text("[]")
    found = verified(home)
    (finding,) = found.findings
    assert "`medsearch verify --set-aside`" in finding.remedy
    (line,) = set_aside(found, Store(home / "stages"))
    assert line.startswith(f"stage one is in {one}.damaged-")
    assert not Store(home / "stages").has("one")


def test_a_link_in_the_place_of_a_lock_is_not_followed(home: Path, tmp_path: Path) -> None:
    (home / "stages" / "one" / "weights.bin").write_bytes(b"x")
    (home / "stages" / "one" / LOCK).unlink(missing_ok=True)
    (home / "stages" / "one" / LOCK).symlink_to(tmp_path / "victim")
    (line,) = set_aside(verified(home), Store(home / "stages"))
    assert line.startswith("stage one cannot be set aside: ")
    assert not (tmp_path / "victim").exists()


def test_the_id_of_a_home_is_looked_at(home: Path) -> None:
    home_id(home)
    assert verified(home).findings == []
    (home / HOME).write_text((home / HOME).read_text().replace('"id": "', '"id": "x'))
    (finding,) = verified(home).findings
    assert finding.what.endswith(HOME)
    (home / HOME).rename(home / f"{HOME}.damaged-1")
    assert verified(home).left == [home / f"{HOME}.damaged-1"]
