"""How a command ends: 0 done, 1 the study failed, 2 bad input (one line), 130 interrupted and resumable."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from medsearch.core.errors import BadInput, Interrupted, MedsearchError


@contextmanager
def exits() -> Iterator[None]:
    """Turn the errors that a user is meant to read into one line and an exit code."""
    try:
        yield
    except MedsearchError as error:
        sys.stderr.write(f"medsearch: {_one_line(error)}\n")
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt as error:
        sys.stderr.write("medsearch: interrupted; run the same command again to go on\n")
        raise SystemExit(Interrupted.exit_code) from error
    except BrokenPipeError as error:
        sys.stderr.close()  # the reader (head, less) has gone, and nothing more can be said to it
        raise SystemExit(0) from error
    except OSError as error:
        msg = f"{error.strerror or error}: {error.filename}; free the disk or check the path, then run again"
        sys.stderr.write(f"medsearch: {msg}\n")
        raise SystemExit(BadInput.exit_code) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
