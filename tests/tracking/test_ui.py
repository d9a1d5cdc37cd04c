"""`medsearch ui` where it cannot serve: one line that says why, and no password in it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.tracking.ui import _await_answer, _serving, require_free, serve


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


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "::")]
)
def test_a_port_that_another_program_listens_on_is_refused_before_a_link_is_printed(
    family: socket.AddressFamily, host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlflow.db").touch()
    with socket.socket(family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            pytest.skip("no such address here")
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BadInput, match=f"^port {port} is in use; give another --port$"):
            serve(tmp_path, port=port)
    require_free(port)
    assert capsys.readouterr().out == ""


def test_a_port_is_free_where_a_server_could_have_it() -> None:
    """Also one whose last connection waits for late packets, where the system lets a server have it at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        connection, _ = listener.accept()
        connection.close()
        client.close()
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        with pytest.raises(BadInput, match="is in use"):
            require_free(port)
    else:
        require_free(port)


def test_a_server_that_dies_at_its_start_is_said() -> None:
    with (
        pytest.raises(StudyFailed, match="ended with code 3 before it answered"),
        _serving([sys.executable, "-c", "raise SystemExit(3)"], os.environ) as server,
    ):
        _await_answer(server, 1)


SERVING = """
import os, sys, time
from medsearch.tracking.ui import _serving
with _serving([sys.executable, "-c", "import time; time.sleep(600)"], os.environ) as server:
    print(server.pid, flush=True)
    server.wait()
"""


@pytest.mark.parametrize(
    ("number", "ends"),
    [(signal.SIGTERM, True), (signal.SIGHUP, True), (signal.SIGINT, True), (signal.SIGHUP, False)],
)
def test_a_server_ends_with_the_program_that_started_it(number: signal.Signals, ends: bool) -> None:
    """And neither hears a signal that was set to be ignored."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVING],
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL if ends else signal.SIG_IGN),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        server = int(process.stdout.readline())
        process.send_signal(number)
        if not ends:
            time.sleep(0.5)
            assert process.poll() is None
            process.terminate()
        process.wait(timeout=30)
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
