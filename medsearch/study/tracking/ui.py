"""MLflow's own pages over a home, on loopback, in the light form that suits one user."""

import os
import subprocess
import sys
from pathlib import Path

from medsearch.core.errors import BadInput
from medsearch.study.tracking.backend import create_database, locate

LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Without these a server is fifteen processes and 3 GB."""


def serve(home: Path, *, port: int) -> int:
    """Serve until interrupted; return MLflow's exit code.

    Raises:
        BadInput: nothing was ever tracked in `home`.
    """
    backend = locate(None, home=home)
    if not (home / "mlflow.db").exists():
        msg = f"no tracking database in {home}; run a study first, or name its --home"
        raise BadInput(msg)
    create_database(backend)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", backend.uri, "--artifacts-destination", str(home / "mlartifacts")]
    return subprocess.run([*command, *store], env={**os.environ, **LIGHT}, check=False).returncode
