"""MLflow's own pages over a home or a database, on loopback, in the light form that suits one user."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.core.terminal import say
from medsearch.study.engine.databases import remedy
from medsearch.tracking.backend import Backend, create_database, locate, quiet_mlflow
from medsearch.tracking.saved_views import TAG, opened

LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Without these a server is fifteen processes and 3 GB."""
HOST = "127.0.0.1"
ENDING_S = 10.0
"""Seconds for a server to end when it is told to."""


def serve(home: Path, *, port: int, uri: str | None = None) -> int:
    """Serve until interrupted, print where the saved views are once that answers, and return MLflow's exit code.

    Raises:
        BadInput: nothing was ever tracked in `home`, its database cannot be opened, the port is taken, or `uri` is that
            of a server, which has pages of its own.
        StudyFailed: the server ends before it answers.

    """
    backend = locate(uri, home=home)
    if backend.artifacts is None:
        msg = f"{backend.shown} is a server already; open it in a browser"
        raise BadInput(msg)
    if backend.database is not None and not backend.database.exists():
        msg = f"no tracking database {backend.database}; run a study first, or name its --home"
        raise BadInput(msg)
    require_free(port)
    views = _views(backend, f"http://{HOST}:{port}")
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    store = ["--artifacts-destination", str(home / "mlartifacts")]
    # The address of a database may hold a password, which every user of the machine could read in a command.
    secret = {"MLFLOW_BACKEND_STORE_URI": backend.uri}
    with _serving([*command, *store], {**os.environ, **LIGHT, **secret}) as server:
        _await_answer(server, port)
        for line in views:
            say(line)
        return server.wait()


def require_free(port: int) -> None:
    """Refuse a port that another program listens on, or that this user may not take.

    Raises:
        BadInput: it is taken.

    """
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was used just now is free
        try:
            tried.bind((HOST, port))
        except PermissionError as error:
            msg = f"port {port} is not for every user; give another --port, 1024 or above"
            raise BadInput(msg) from error
        except OSError as error:
            msg = f"port {port} is in use; give another --port"
            raise BadInput(msg) from error


@contextmanager
def _serving(command: Sequence[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A server in a session of its own, which ends with the block: also when a signal ends that."""

    def end(number: int, frame: object) -> None:  # noqa: ARG001
        raise SystemExit(128 + number)

    ending = [name for name in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(name) == signal.SIG_DFL]
    for name in ending:
        signal.signal(name, end)
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        for name in ending:
            signal.signal(name, signal.SIG_DFL)


def _await_answer(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until the server takes connections.

    Raises:
        StudyFailed: it ends before.

    """
    while server.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
            return
        time.sleep(0.1)
    msg = f"MLflow's server ended with code {server.returncode} before it answered; what it said stands above"
    raise StudyFailed(msg)


def _views(backend: Backend, pages: str) -> list[str]:
    """The lines of `links`, from a database whose tables are made if it has none."""
    with quiet_mlflow():
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            create_database(backend)
            return list(links(backend, pages))
        except (SQLAlchemyError, MlflowException, ImportError) as error:
            line = backend.masked(str(error).strip().splitlines()[0])
            todo = remedy(line, backend.uri, "see that it runs, and check the address")
            msg = f"cannot open {backend.shown}: {line}; {todo}"
            raise BadInput(msg) from error


def links(backend: Backend, pages: str) -> Iterator[str]:
    """A line for every saved view of every study; `pages` is the address of MLflow's pages."""
    with quiet_mlflow():
        from mlflow import MlflowClient

        for experiment in MlflowClient(tracking_uri=backend.uri).search_experiments():
            for tag, value in sorted(experiment.tags.items()):
                if tag.startswith(TAG) and (view := opened(tag, value)):
                    yield f"{experiment.name}, {view.name}: {pages}/{view.address(experiment.experiment_id)}"
