"""An MLflow server on PostgreSQL, and what it says of a study: asked over its REST interface, past all of our code."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .processes import free_port, kill_tree, wait_for

LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass
class Tracking:
    """A server that can be stopped and started; it keeps its address. store: URI of its database."""

    folder: Path
    store: str
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; `wait` until it answers, which takes some seconds."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", self.store]
        command += ["--artifacts-destination", str(self.folder / "served")]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **LIGHT}, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        wait_for(self._answers, "an answer of the MLflow server")

    def stop(self, *, at_once: bool) -> None:
        """End it: by SIGTERM, or at once in the middle of what it does."""
        assert self.process is not None
        if not at_once:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                at_once = True
        if at_once:
            kill_tree(self.process.pid)
            self.process.wait()

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """Every run of an experiment that is not deleted: `info` and `data`, tags as a mapping."""
        found = self._ask("experiments/get-by-name", {"experiment_name": experiment}, post=False)
        body: dict[str, Any] = {"experiment_ids": [found["experiment"]["experiment_id"]], "max_results": 1000}
        runs: list[dict[str, Any]] = []
        while True:
            answer = self._ask("runs/search", body)
            runs += answer.get("runs", [])
            if not (token := answer.get("next_page_token")):
                break
            body["page_token"] = token
        for run in runs:
            run["tags"] = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
        return runs

    def _ask(self, what: str, body: dict[str, Any], *, post: bool = True) -> Any:
        url = f"{self.uri}/api/2.0/mlflow/{what}"
        if not post:
            url += "?" + "&".join(f"{name}={value}" for name, value in body.items())
        request = urllib.request.Request(url, json.dumps(body).encode() if post else None)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def duplicates(runs: list[dict[str, Any]]) -> list[str]:
    """Names of the runs that are there more than once."""
    named = Counter(run["tags"].get("medsearch.run", run["info"]["run_id"]) for run in runs)
    return sorted(name for name, count in named.items() if count > 1)


def unfinished(runs: list[dict[str, Any]]) -> list[str]:
    """Names of the runs that are not FINISHED."""
    return sorted(run["info"]["run_name"] for run in runs if run["info"]["status"] != "FINISHED")
