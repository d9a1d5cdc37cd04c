"""Addresses of databases: a driver that is installed, and nothing else changed."""

import pytest

from medsearch.core.errors import BadInput
from medsearch.study import databases
from medsearch.study.databases import hidden, shown, with_driver


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
