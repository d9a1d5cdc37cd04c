"""Addresses of databases as SQLAlchemy wants them."""

from importlib.util import find_spec

from medsearch.core.errors import BadInput

DRIVERS = ("psycopg2", "psycopg")
"""Of PostgreSQL, in the order in which they are taken; the extra `postgresql` installs the first."""


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
