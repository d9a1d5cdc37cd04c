"""What is asked of MLflow, and how its client does it."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from medsearch.core.errors import BadInput
from medsearch.core.recipes import fingerprint
from medsearch.tracking.backend import Backend, create_database
from medsearch.tracking.desired_runs import Point
from medsearch.tracking.reading import SUMMARY, File

REFUSALS = ("INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED")
"""What a server answers that keeps no such tag, or not for this user."""

LONGEST_FOLDER = 200 - len("/0123456789abcdef0123456789abcdef/artifacts")
"""Characters of the address of an experiment's files; PostgreSQL refuses runs whose own is longer than 200."""

SIDE = 512
"""Pixels of the longer side of a small picture; MLflow's pages draw them at 120 to 225."""

PAGE = 1000
"""Runs in one answer; servers differ in what they allow above it."""


SENT = "medsearch.sent"
"""The tag that counts, per series, the entries that are on the server; it travels in one batch with them."""


@final
@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run as a server has it.

    `summary` holds the last values of metrics that are replaced, `files` (name -> digest) what this place remembers to
    have uploaded.
    """

    id: str
    status: str
    ended: int | None = None
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    summary: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> dict[str, int]:
        """Entries on the server, per series."""
        return {str(key): int(count) for key, count in json.loads(self.tags.get(SENT, "{}")).items()}


@final
@dataclass(frozen=True)
class Log:
    """One batch. The server stores params, then points, then tags."""

    params: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@final
class MlflowServer:
    """An MLflow server or database. Any operation may raise; `load` tells whether it took effect all the same."""

    def __init__(self, backend: Backend) -> None:
        """Open it; an embedded database is made first.

        Raises:
            MlflowException: a database of another MLflow version.

        """
        create_database(backend)
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=backend.uri)
        self._artifacts, self._embedded = backend.artifacts, backend.database is not None
        self._experiment = ""

    def load(self, study: str, origin: str) -> list[TrackedRun]:
        """Every run of the study that is not deleted; the study's experiment is made if it does not exist."""
        experiment = self._client.get_experiment_by_name(study) or self._make_experiment(study)
        if experiment.lifecycle_stage == "deleted":  # a view of the store can be rebuilt, so it comes back
            self._client.restore_experiment(experiment.experiment_id)
        self._experiment = str(experiment.experiment_id)
        found: list[TrackedRun] = []
        page = None
        while True:
            runs = self._client.search_runs(
                [self._experiment], f"tags.`medsearch.origin` = '{origin}'", max_results=PAGE, page_token=page
            )
            found += [_held(run) for run in runs]
            page = runs.token
            if not page:
                return found

    def _make_experiment(self, name: str) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_experiment(name, artifact_location=self._folder(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # a study of the same name elsewhere was faster
                raise
        return self._client.get_experiment_by_name(name)

    def _folder(self, name: str) -> str | None:
        """Where an experiment keeps its files: a folder that bears its name, or a short one where that is too long."""
        named = self._artifacts and f"{self._artifacts}/{name}"
        if named is None or len(named) <= LONGEST_FOLDER:
            return named
        short = f"{self._artifacts}/{fingerprint(name)[:12]}"
        if len(short) > LONGEST_FOLDER and not self._embedded:
            what = f"MLflow's tables take addresses of {LONGEST_FOLDER} characters for an experiment's files"
            msg = f"{what}, not of {len(short)}; choose another --home than that of {self._artifacts}"
            raise BadInput(msg)
        return short

    def create(self, name: str, started: int, tags: dict[str, str]) -> str:
        """A new run in the experiment of the last `load`; its id."""
        run = self._client.create_run(self._experiment, start_time=started, tags=tags, run_name=name)
        return str(run.info.run_id)

    def log(self, run: str, batch: Log) -> None:
        """Store a batch; what is stored already is stored once."""
        from mlflow.entities import Metric, Param, RunTag

        self._client.log_batch(
            run,
            metrics=[Metric(point.key, point.value, point.time, point.step) for point in batch.points],
            params=[Param(key, value) for key, value in batch.params.items()],
            tags=[RunTag(key, value) for key, value in batch.tags.items()],
            synchronous=True,
        )

    def untag(self, run: str, key: str) -> None:
        """Remove a tag from a run."""
        self._client.delete_tag(run, key)

    def upload(self, run: str, file: File) -> None:
        """Store a file among the run's artifacts."""
        with _sendable(file) as path:
            self._client.log_artifact(run, str(path), artifact_path=file.folder)

    def close(self, run: str, status: str, ended: int | None) -> None:
        """Set the status, and the end (Unix milliseconds) if there is one."""
        if ended is None:
            self._client.update_run(run, status=status)
        else:
            self._client.set_terminated(run, status=status, end_time=ended)

    def delete(self, run: str) -> None:
        """Mark a run as deleted; MLflow keeps it until its garbage is collected."""
        self._client.delete_run(run)

    def marks(self) -> tuple[str, dict[str, str]]:
        """The id and the tags of the experiment of the last `load`."""
        return self._experiment, dict(self._client.get_experiment(self._experiment).tags)

    def mark(self, key: str, value: str) -> bool:
        """Set a tag of that experiment; whether the server takes such a tag."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_experiment_tag(self._experiment, key, value)
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
            return False
        return True


def _held(run: Any) -> TrackedRun:
    return TrackedRun(
        id=run.info.run_id,
        status=run.info.status,
        ended=run.info.end_time,
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        value=run.data.metrics.get("value"),
        summary={key: value for key, value in run.data.metrics.items() if key.startswith(SUMMARY)},
    )


@contextmanager
def _sendable(file: File) -> Iterator[Path]:
    """A path that bears the file's name and holds what is to be sent: a picture scaled down where a small one is."""
    if not file.label:
        yield file.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.label
        if file.small:
            from PIL import Image, UnidentifiedImageError

            try:
                with Image.open(file.path) as image:
                    image.thumbnail((SIDE, SIDE))
                    image.save(path, "WEBP", quality=90)
            except UnidentifiedImageError:
                shutil.copyfile(file.path, path)
        else:
            shutil.copyfile(file.path, path)
        yield path
