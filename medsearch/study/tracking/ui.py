"""MLflow's own pages over a home or a database, on loopback, in the light form that suits one user."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.study.tracking.backend import Backend, create_database, locate, quiet_mlflow
from medsearch.study.tracking.saved import TAG, opened

LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Without these a server is fifteen processes and 3 GB."""
HOST = "127.0.0.1"


def serve(home: Path, *, port: int, uri: str | None = None) -> int:
    """Print where the saved views are, serve until interrupted, and return MLflow's exit code.

    Raises:
        BadInput: nothing was ever tracked in `home`, its database cannot be opened, or `uri` is that of a server, which
            has pages of its own.
    """
    backend = locate(uri, home=home)
    if backend.artifacts is None:
        msg = f"{backend.shown} is a server already; open it in a browser"
        raise BadInput(msg)
    if backend.database is not None and not backend.database.exists():
        msg = f"no tracking database {backend.database}; run a study first, or name its --home"
        raise BadInput(msg)
    for line in _views(backend, f"http://{HOST}:{port}"):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    store = ["--artifacts-destination", str(home / "mlartifacts")]
    # The address of a database may hold a password, which every user of the machine could read in a command.
    secret = {"MLFLOW_BACKEND_STORE_URI": backend.uri}
    return subprocess.run([*command, *store], env={**os.environ, **LIGHT, **secret}, check=False).returncode


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
            msg = f"cannot open {backend.shown}: {line}; see that it runs, and check the address"
            raise BadInput(msg) from error


def links(backend: Backend, pages: str) -> Iterator[str]:
    """A line for every saved view of every study; `pages` is the address of MLflow's pages."""
    with quiet_mlflow():
        from mlflow import MlflowClient

        for experiment in MlflowClient(tracking_uri=backend.uri).search_experiments():
            for tag, value in sorted(experiment.tags.items()):
                if tag.startswith(TAG) and (view := opened(tag, value)):
                    yield f"{experiment.name}, {view.name}: {pages}/{view.address(experiment.experiment_id)}"
