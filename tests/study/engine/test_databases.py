"""Databases: addresses with a driver that is installed, and nothing else changed; what is wrong, and a remedy."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from medsearch.core.errors import BadInput
from medsearch.core.remote import Unreachable
from medsearch.study.engine import databases, proposals
from medsearch.study.engine.databases import hidden, shown, with_driver
from medsearch.study.engine.jobs import RunResult
from medsearch.study.engine.proposals import Proposals, sqlite
from medsearch.tracking.backend import locate
from medsearch.tracking.ui import _views
from tests.study.ray.drive import search


def test_postgresql_gets_a_driver_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"psycopg2": object()}
    monkeypatch.setattr(databases, "find_spec", found.get)
    for scheme in ("postgresql", "postgres"):
        assert with_driver(f"{scheme}://me:secret@db:5432/x?a=b:c") == "postgresql+psycopg2://me:secret@db:5432/x?a=b:c"
    found["psycopg"] = found.pop("psycopg2")
    assert with_driver("postgresql://db/x") == "postgresql+psycopg://db/x"
    found.clear()
    with pytest.raises(BadInput, match=r"needs a driver of PostgreSQL; pip install"):
        with_driver("postgresql://me:secret@db/x")


@pytest.mark.parametrize("url", ["sqlite:////a/b.db", "postgresql+pg8000://db/x", "http://host:5000", "mysql://db/x"])
def test_other_addresses_stay(url: str) -> None:
    assert with_driver(url) == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:secret@db:5432/x", "postgresql://db:5432/x"),
        ("postgresql+psycopg2://me:se/cr?et@db/x", "postgresql+psycopg2://db/x"),
        ("postgresql://db/x?user=me&password=secret", "postgresql://db/x"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("postgresql://me:secret@db:port/x", "postgresql:..."),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url: str, told: str) -> None:
    assert shown(url) == told


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("postgresql://me:hunter2@db:5432/x", "postgresql://db:5432/x"),
        ("postgresql+psycopg2://me:hun@ter2@db/x", "postgresql+psycopg2://db/x"),
        ("postgresql://me:hunter/2@db/x", "postgresql://db/x"),
        ("postgresql://me:#hunter?2@db/x", "postgresql://db/x"),
        ("postgresql://db/x?user=me&password=hunter2&a=b", "postgresql://db/x?user=me&&a=b"),
        ("http://me:hunter2@host:5000/mlflow", "http://host:5000/mlflow"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////a/b@c.db", "sqlite:////a/b@c.db"),
    ],
)
def test_no_error_is_told_with_a_password(url: str, without: str) -> None:
    assert hidden(f"could not open {url} twice: {url}", url) == f"could not open {without} twice: {without}"


@contextmanager
def held(file: Path) -> Iterator[None]:
    """As by another process that writes."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


def test_a_database_that_another_process_holds_is_to_be_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "BUSY", 0.1)
    monkeypatch.setattr(databases, "PAUSES", (0.1,))
    file = tmp_path / "optuna.db"
    opened = Proposals(search(), sqlite(tmp_path))
    opened.propose(0)
    for use in (lambda: Proposals(search(), sqlite(tmp_path)), lambda: opened.tell(0, RunResult(state="failed"))):
        with held(file), pytest.raises((BadInput, Unreachable), match="database is locked") as told:
            use()
        assert "another process holds it" in str(told.value)
        assert f"`fuser {file}`" in str(told.value)
        assert "remove" not in str(told.value)
        assert "\n" not in str(told.value)
    opened.tell(0, RunResult(state="failed"))  # and nothing was lost


def damaged(file: Path) -> None:
    with closing(sqlite3.connect(file)) as made:
        made.executescript("CREATE TABLE studies (a); " + "INSERT INTO studies VALUES (randomblob(3000));" * 20)
    content = bytearray(file.read_bytes())
    content[100:4096] = b"\xff" * 3996
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.mkdir(), "unable to open database file; see that the folder of"),
        (damaged, "malformed.*; bring it back from a copy, or move it aside"),
        (
            lambda file: file.write_bytes(b"SQLite format 3\0" + b"\1" * 4000),
            "not a database.*; bring it back from a copy",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_kept(spoil: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    spoil(tmp_path / "optuna.db")
    with pytest.raises(BadInput, match=said) as told:
        Proposals(search(), sqlite(tmp_path))
    assert "remove" not in str(told.value)


def test_neither_is_one_of_runs(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(BadInput, match=r"cannot open sqlite:///.*mlflow.db is another kind of file: check the address"):
        _views(locate(None, home=tmp_path), "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("(sqlite3.OperationalError) database or disk is full", "free the disk of '/a b.db'"),
        ("(sqlite3.OperationalError) attempt to write a readonly database", "see who may write '/a b.db'"),
        ("(sqlite3.OperationalError) disk I/O error", "look at the disk of '/a b.db'"),
        ("something new", "check the address"),
    ],
)
def test_each_thing_that_sqlite_says_has_its_remedy(line: str, told: str) -> None:
    assert databases.remedy(line, "sqlite:////a b.db", "check the address").startswith(told)
    assert databases.remedy(line, "postgresql://db/x", "check the address") == "check the address"


def test_a_patient_call_within_another_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PAUSES", (0.0, 0.0))
    url, calls = "postgresql://host/studies", []

    def down() -> None:
        calls.append(1)
        query = "SELECT 1"
        raise OperationalError(query, {}, Exception("connection refused"))

    def within() -> None:
        databases.patiently(down, url=url, what="storage")

    with pytest.raises(Unreachable, match="storage at postgresql://host/studies does not answer"):
        databases.patiently(within, url=url, what="storage")
    assert len(calls) == 3
