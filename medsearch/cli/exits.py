"""How a command ends: 0 done, 1 the study failed, 2 bad input (one line), 130 interrupted and resumable."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from medsearch.core.errors import BadInput, Interrupted, MedsearchError


@contextmanager
def exits() -> Iterator[None]:
    """Turn the errors that a user is meant to read into one line and an exit code."""
    try:
        yield
    except MedsearchError as error:
        raise _told(error) from error
    except KeyboardInterrupt as error:
        sys.stderr.write("medsearch: interrupted; run the same command again to go on\n")
        raise SystemExit(Interrupted.exit_code) from error
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader (head, less) has gone: what is left is for nobody
        raise SystemExit(MedsearchError.exit_code) from error
    except OSError as error:
        msg = f"{error.strerror or error}: {error.filename}; free the disk or check the path, then run again"
        sys.stderr.write(f"medsearch: {msg}\n")
        raise SystemExit(BadInput.exit_code) from error


def tell_of_uncaught() -> None:
    """Outside of `exits`, too: a study file is wrong before it can call `run`. Bugs keep their traceback."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, MedsearchError):
            raise _told(error)
        before(kind, error, trace)

    sys.excepthook = hook


def _told(error: MedsearchError) -> SystemExit:
    sys.stderr.write(f"medsearch: {_one_line(error)}\n")
    return SystemExit(error.exit_code)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
