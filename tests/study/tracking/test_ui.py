"""`medsearch ui` where it cannot serve: one line that says why, and no password in it."""

import socket
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.study.tracking.ui import serve


def test_a_home_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no tracking database .*mlflow\.db; run a study first"):
        serve(tmp_path, port=1)


def test_a_server_has_pages_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"http://host:5000 is a server already"):
        serve(tmp_path, port=1, uri="http://me:hunter2@host:5000")


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("psycopg2")
    with socket.socket() as nobody:  # bound and not listening: the connection is refused
        nobody.bind(("127.0.0.1", 0))
        uri = f"postgresql+psycopg2://me:hunter2@127.0.0.1:{nobody.getsockname()[1]}/x"
        with pytest.raises(BadInput, match=r"cannot open postgresql\+psycopg2://127.*refused") as told:
            serve(tmp_path, port=1, uri=uri)
    assert "hunter2" not in str(told.value)
    assert "\n" not in str(told.value)
