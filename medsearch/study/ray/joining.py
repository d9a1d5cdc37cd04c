"""Joining a Ray cluster that is there: at once, or with one line on why not."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medsearch.core.errors import BadInput

ANSWER = 10.0
"""Seconds for the head to take a connection."""

TOKEN = "set RAY_AUTH_TOKEN_PATH to a copy of its auth_token file"


def join(address: str) -> None:
    """Make this process a driver of the cluster at `address`: HOST:PORT, or "auto" on one of its machines.

    Raises:
        BadInput: nothing answers there, it is no Ray head, or it refuses the token.

    """
    import ray

    try:
        with _hushed():
            if address.rpartition(":")[2].isdigit():
                _require_head(address)
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except ray.exceptions.AuthenticationError as error:
        msg = f"the Ray cluster at {address!r} refuses this token; {TOKEN}"
        raise BadInput(msg) from error
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        line = lines[-1].strip() if lines else type(error).__name__
        msg = f"cannot join the Ray cluster at {address!r}: {line}; is it up, and is this what `ray start --head` said?"
        raise BadInput(msg) from error


def _require_head(address: str) -> None:
    """Ray itself asks twenty times, for a second to a minute each.

    Raises:
        OSError: nothing listens there.
        AuthenticationError: the token is wrong.
        RpcError: it speaks something else.

    """
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    GcsClient(address=address)


@contextmanager
def _hushed() -> Iterator[None]:
    """Ray's C++ writes its doubts to standard error, where the one line that matters would drown."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
