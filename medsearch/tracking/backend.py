"""Which MLflow to talk to, and making its database before anyone else opens it.

Who names an MLflow by `--tracking-uri` gets that; who does not gets the database embedded in the home. MLflow's own
variable MLFLOW_TRACKING_URI is not read: what a shell was set up for another project must not decide where a study of
patients is sent, and a study that goes on must find its runs again whatever shell it is started from.

A new database is made by one process while others wait: several that open an empty one together, or one that dies
while it does, would leave tables that MLflow can never use. An embedded one is built aside under a lock of the file
system and renamed into place. PostgreSQL holds the lock itself, and takes back what was half done.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from medsearch.core.errors import BadInput
from medsearch.core.locks import locked
from medsearch.core.recipes import fingerprint
from medsearch.study.engine.databases import hidden, with_driver

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
TABLES_LOCK = 0x6D656473  # a number that other programs on the same database are unlikely to lock
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
        """`text`, an error's say, without the user and the passwords that the URI names."""
        return hidden(text, self.uri)

    @property
    def short(self) -> str:
        """A name for files that belong to this backend."""
        return fingerprint(self.uri)


def locate(uri: str | None, *, home: Path, artifacts: Path | None = None) -> Backend:
    """The backend that `uri` means; None is the database embedded in `home`. Paths in the result are absolute.

    `artifacts` is the folder in which a database's experiments keep their files; a server has its own.

    Raises:
        BadInput: MLflow has no store for such a URI, it would depend on the working directory, or a driver is missing.

    """
    home = home.resolve()
    if uri is not None and not uri.strip():
        msg = "the tracking URI is empty; give one, or leave it out for the database in the home"
        raise BadInput(msg)
    uri = uri or f"sqlite:///{home / 'mlflow.db'}"
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in SERVERS:
        return Backend(uri, None)
    if scheme not in DATABASES:
        kinds = "postgresql://HOST/NAME, sqlite:///FILE or http://HOST"
        msg = f"tracking URI {hidden(uri, uri)!r}: MLflow keeps runs in a database or on a server; use {kinds}"
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
    """Make the tables of a database that has none yet; others wait, and find it whole. A server makes its own."""
    if backend.uri.startswith("postgresql"):
        _fill_postgresql(backend)
    database = backend.database
    if database is None or database.exists():
        return
    with locked(database.with_name(f".{database.name}.lock")):
        if database.exists():
            return
        for left in database.parent.glob(f".{database.name}.new*"):  # by a process that died
            left.unlink()
        aside = database.with_name(f".{database.name}.new{os.getpid()}")
        aside.touch()  # by the umask, which SQLite does not ask
        _create_tables(f"sqlite:///{aside}", backend.artifacts)
        aside.rename(database)


def _fill_postgresql(backend: Backend) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(backend.uri, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:  # the lock goes with the connection, however that ends
        connection.execute(sqlalchemy.text(f"select pg_advisory_lock({TABLES_LOCK})"))
        if not sqlalchemy.inspect(connection).has_table("alembic_version"):  # written last, with all that MLflow adds
            _create_tables(backend.uri, backend.artifacts)


def _create_tables(uri: str, artifacts: str | None) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(uri, artifacts)
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
