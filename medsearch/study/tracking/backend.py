"""Which MLflow to talk to, and making an embedded database before anyone else opens it.

An embedded database is built aside under a lock and renamed into place: several processes that open a new one
together, or one that dies while it does, would leave tables that MLflow can never use.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.parse import urlsplit

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.recipes import fingerprint
from medsearch.study.databases import with_driver

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https", "databricks")

ENVIRONMENT = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",  # it drops batches when the server dies
    # Requests are repeated by the sender, which looks first whether the lost one arrived; MLflow would not look.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


@final
@dataclass(frozen=True)
class Backend:
    """An MLflow by its URI. `artifacts` (a URI) is where a new experiment keeps files; None: the server decides."""

    uri: str
    artifacts: str | None
    database: Path | None = None

    @property
    def shown(self) -> str:
        """The URI without user and password."""
        return self.masked(self.uri)

    def masked(self, text: str) -> str:
        """`text`, an error's say, without the URI's user and password."""
        user, at, _ = urlsplit(self.uri).netloc.rpartition("@")
        return text.replace(user + at, "") if at else text

    @property
    def short(self) -> str:
        """A name for files that belong to this backend."""
        return fingerprint(self.uri)


def locate(uri: str | None, *, home: Path, artifacts: Path | None = None) -> Backend:
    """The backend that `uri` means; None is the database embedded in `home`. Paths in the result are absolute.

    `artifacts` is the folder in which a database's experiments keep their files; a server has its own.

    Raises:
        BadInput: MLflow has no store for such a URI, or it would depend on the working directory.

    """
    home = home.resolve()
    uri = uri or f"sqlite:///{home / 'mlflow.db'}"
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in SERVERS:
        return Backend(uri, None)
    if scheme not in DATABASES:
        msg = f"tracking URI {uri!r}: MLflow keeps runs in a database or on a server; use sqlite:///FILE or http://HOST"
        raise BadInput(msg)
    if scheme != "sqlite":
        return Backend(with_driver(uri), (artifacts or home / "mlartifacts").resolve().as_uri())
    file = uri.partition("///")[2]
    if not file:
        msg = f"tracking URI {uri!r} names no file; use sqlite:////absolute/path/mlflow.db"
        raise BadInput(msg)
    database = Path(file).resolve()
    folder = (artifacts or database.parent / "mlartifacts").resolve()
    return Backend(f"sqlite:///{database}", folder.as_uri(), database)


def create_database(backend: Backend) -> None:
    """Make an embedded database that does not exist yet; others wait, and find it whole."""
    database = backend.database
    if database is None or database.exists():
        return
    with locked(database.with_name(f".{database.name}.lock")):
        if database.exists():
            return
        for left in database.parent.glob(f".{database.name}.new*"):  # by a process that died
            left.unlink()
        aside = database.with_name(f".{database.name}.new{os.getpid()}")
        _create_tables(aside, backend.artifacts)
        aside.rename(database)


def _create_tables(database: Path, artifacts: str | None) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(f"sqlite:///{database}", artifacts)
    store.engine.dispose()


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """MLflow without telemetry, without retries of its own, and without lines on the terminal."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    os.environ.update(ENVIRONMENT)
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
