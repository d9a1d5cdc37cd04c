"""Databases of studies: addresses as SQLAlchemy wants them, and patience with servers that are being restarted."""

import re
import shlex
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.remote import Unreachable

T = TypeVar("T")

DRIVERS = ("psycopg2", "psycopg")
"""Of PostgreSQL, in the order in which they are taken; the extra `postgresql` installs the first."""

PAUSES: tuple[float, ...] = (0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8)
"""Seconds between tries: a database server that is restarted is back within a minute."""


def with_driver(url: str) -> str:
    """`url`, with a driver that is installed where it is one of PostgreSQL and names none.

    SQLAlchemy's own choice differs between its versions, and may be one that is not there.

    Raises:
        BadInput: no driver is installed.

    """
    scheme, colon, rest = url.partition(":")
    if scheme not in ("postgresql", "postgres"):
        return url
    driver = next((name for name in DRIVERS if find_spec(name) is not None), None)
    if driver is None:
        msg = f"{scheme}://... needs a driver of PostgreSQL; pip install 'medsearch[postgresql]'"
        raise BadInput(msg)
    return f"postgresql+{driver}{colon}{rest}"


def shown(url: str) -> str:
    """`url` without user, password and options, for messages."""
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        return f"{url.partition(':')[0]}:..."
    return str(URL.create(parts.drivername, host=parts.host, port=parts.port, database=parts.database))


def hidden(text: str, url: str) -> str:
    """`text`, an error's message, without the user and the passwords that `url` names.

    They may stand before the host, where SQLAlchemy takes any sign but @, and as options.
    """
    login = re.match(r"[^:]*://([^/?#]*@|[^:/@]*:[^@]*@)", url)
    for secret in (*(login.groups() if login else ()), *re.findall(r"[?&](\w*password=[^&]+)", url)):
        text = text.replace(secret, "")
    return text


EMBEDDED = {
    "database is locked": (
        "another process holds it (a study, a server on this database, or a network folder's lock that was left): "
        "wait for it, or find it with `fuser {file}`, then run again"
    ),
    "disk is full": "free the disk of {file}, then run again",
    "readonly database": "see who may write {file} and its folder, then run again",
    "unable to open database file": "see that the folder of {file} is there, and who may write it",
    "disk I/O error": "look at the disk of {file}; a network folder that SQLite cannot lock needs another address",
    "malformed": (
        "{file} is damaged: bring it back from a copy, rescue it with `sqlite3 {file} .recover`, or move it aside"
    ),
    "not a database": "{file} is another kind of file: check the address, bring it back from a copy, or move it aside",
}
"""What SQLite says, and what to do about it. Nothing is to be removed: it may be the only record of a search."""


def remedy(line: str, url: str, otherwise: str) -> str:
    """What to do about an error of the database at `url` whose message is `line`; `otherwise`: of a server."""
    file = url.partition("///")[2] if url.startswith("sqlite") else ""
    remedies = (todo for message, todo in EMBEDDED.items() if file and message in line)
    return next(remedies, otherwise).format(file=shlex.quote(file))


def patiently(call: Callable[[], T], *, url: str, what: str, pauses: tuple[float, ...] | None = None) -> T:
    """What `call` returns, tried again while the database at `url` does not answer; twice must be as good as once.

    what: the database's name in the message.

    Raises:
        Unreachable: it did not answer for a minute or so.
        Damaged: its file is no database, or not any more.

    """
    left = list(PAUSES if pauses is None else pauses)
    while True:
        try:
            return call()
        except (Damaged, Unreachable):  # of a call within that was as patient
            raise
        except Exception as error:
            if (damage := malformed(error)) is not None:
                todo = "bring it back from a copy, or move it aside and run again: it is filled from the ledger"
                where = f"{what} {shown(url)}"
                raise Damaged(where, f"is damaged ({damage})", todo) from error
            why = away(error)
            if why is None:
                raise
            if not left:
                line = str(why).strip().splitlines()[0]
                todo = remedy(line, url, "see that it runs, then run the same command again to go on")
                msg = f"{what} at {shown(url)} does not answer: {line}; {todo}"
                raise Unreachable(msg) from error
            time.sleep(left.pop(0))


def malformed(error: BaseException) -> str | None:
    """What says that a database's file is damaged; None where nothing does."""
    below: BaseException | None = error
    while below is not None:
        line = str(below).strip().partition("\n")[0]
        if "file is not a database" in line or "malformed" in line:
            return line
        below = below.__cause__ or below.__context__
    return None


def away(error: BaseException) -> BaseException | None:
    """What says that a database server is down, or was when the connection was last used; None where nothing does.

    It may lie below `error`: Optuna asks again within a transaction that is lost, and raises what that leads to.
    """
    from sqlalchemy.exc import InterfaceError, OperationalError

    below: BaseException | None = error
    while below is not None and not isinstance(below, OperationalError | InterfaceError):
        below = below.__cause__ or below.__context__
    return below
