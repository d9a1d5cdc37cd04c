"""A PostgreSQL of a test's own: Debian's binaries, a folder under /tmp, a free port on loopback, a made-up password.

    with PostgreSQL.temporary() as postgres:      # raises Unavailable (its text says why) where it cannot be
        uri = postgres.database("tracking")       # postgresql://user:password@127.0.0.1:port/tracking
        postgres.restart()                        # as an administrator does; `crash()` is what a power cut does

In tests, `from tests.postgres import postgresql` (a fixture) skips where it is unavailable. PostgreSQL refuses to be
root: a test that is root runs it as the user `postgres`. Studies take such a URI, and so does `psycopg2.connect`;
SQLAlchemy wants a driver in it, `postgresql+psycopg2://`.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

USER = "medsearch"
SYSTEM_USER = "postgres"
QUICK = ("fsync=off", "full_page_writes=off", "max_connections=60")  # a test survives no power cut anyway
PATIENCE_S = 30


class Unavailable(Exception):
    """No PostgreSQL can be started here; the text says why."""


@dataclass
class PostgreSQL:
    """A server in `folder`; `port` stays the same over restarts."""

    folder: Path
    binaries: Path
    port: int
    password: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator["PostgreSQL"]:
        """A running server that is gone afterwards, with everything it holds."""
        binaries = _binaries()
        folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        try:
            made = cls(folder, binaries, _free_port())
            made.create()
            made.start()
            try:
                yield made
            finally:
                made.stop("immediate")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def create(self) -> None:
        """An empty cluster with one user, who must give the password."""
        secret = self.folder / "password"
        secret.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self.folder, secret):
                shutil.chown(path, SYSTEM_USER)
        options = ["--username", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8"]
        self._run("initdb", "--pgdata", self._data, "--no-sync", "--locale=C", *options)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = ["listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.folder}", *QUICK]
        said = " ".join(f"-c {option}" for option in options)
        start = ["start", "-D", self._data, "-w", "-t", str(PATIENCE_S), "-l", str(self.folder / "log"), "-o", said]
        for _ in range(20):  # a crashed one's children hold its memory until they notice
            try:
                return self._run("pg_ctl", *start)
            except Unavailable:
                time.sleep(0.25)
        return self._run("pg_ctl", *start)

    def stop(self, mode: str = "fast") -> None:
        """Stop it. "fast" breaks off what clients are at; "immediate" writes nothing more, as if the power had gone."""
        self._run("pg_ctl", "stop", "-D", self._data, "-m", mode, "-w", "-t", str(PATIENCE_S), check=False)

    def restart(self, *, away_s: float = 0.0) -> None:
        """Stop it, leave it stopped for `away_s` seconds, start it."""
        self.stop()
        time.sleep(away_s)
        self.start()

    def crash(self) -> None:
        """Kill it in the middle of whatever it does; `start` then recovers what was committed."""
        os.kill(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def database(self, name: str) -> str:
        """Create an empty database; its URI."""
        self._execute(f'create database "{name}"')
        return self._uri(name)

    def end_connections(self, name: str) -> None:
        """Break off every connection to a database, whatever it is at."""
        self._execute(f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}'")

    def _execute(self, statement: str) -> None:
        import psycopg2

        connection = psycopg2.connect(self._uri("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _uri(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        as_user = ["runuser", "-u", SYSTEM_USER, "--"] if os.geteuid() == 0 else []
        # What stays running must not hold a pipe of ours open: output goes to a file.
        with (self.folder / "commands.log").open("ab") as log:
            done = subprocess.run(
                [*as_user, str(self.binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                check=False,
            )
        if check and done.returncode:
            said = (self.folder / "commands.log").read_text()[-800:]
            msg = f"{program} failed: {said}"
            raise Unavailable(msg)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all tests of a session; take a `database` of your own."""
    pytest.importorskip("psycopg2", reason="psycopg2-binary is not installed")
    try:
        _binaries()
    except Unavailable as why:
        pytest.skip(str(why))
    with PostgreSQL.temporary() as made:
        yield made


def _binaries() -> Path:
    """The newest installed version's programs.

    Raises:
        Unavailable: none is installed, or this is root and there is nobody else to run it.

    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not found:
        msg = "no PostgreSQL in /usr/lib/postgresql (Debian package postgresql)"
        raise Unavailable(msg)
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            msg = f"PostgreSQL must not be root, and there is no user {SYSTEM_USER}"
            raise Unavailable(msg) from None
        if shutil.which("runuser") is None:
            msg = "PostgreSQL must not be root, and there is no runuser"
            raise Unavailable(msg)
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
