"""How a command ends: 0 done, 1 the study failed, 2 bad input (one line), 130 interrupted and resumable."""

import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from medsearch.core.errors import BadInput, Interrupted, MedsearchError, explained, printable
from medsearch.core.terminal import interactive, prepare_streams


def require_values(arguments: Sequence[str]) -> None:
    """Refuse options with an empty value, as of a shell's variable that is not set.

    It would be taken for the working directory, or for the default that it was meant to replace.

    Raises:
        BadInput: there is one.

    """
    for before, text in itertools.pairwise(["", *arguments]):
        name, equals, value = text.partition("=")
        if text and not (text.startswith("--") and equals and not value):
            continue
        name = name or (before if before.startswith("--") and "=" not in before else "an argument")
        msg = f"{name} has an empty value; give one, or leave it out"
        raise BadInput(msg)


@contextmanager
def exits(*, lossy: bool = False) -> Iterator[list[Path]]:
    """Turn the errors that a user is meant to read into one line and an exit code; at a prompt they are raised.

    lossy: what is printed may be lost, as the result lies on the disk (`core.terminal`). Yields the folders that are
    written to, for the caller to fill: one of them is named where the system does not say which disk is full.

    Raises:
        SystemExit: with the exit code.
        MedsearchError: at a prompt or in a notebook, where an exit would end what others are doing there.

    """
    places = [Path(tempfile.gettempdir())]
    if interactive():
        with _raising(places):
            yield places
        return
    prepare_streams(lossy=lossy)
    try:
        try:
            yield places
        except BaseException:
            with suppress(OSError):  # why it ended is what the user must see
                sys.stdout.flush()
            raise
        sys.stdout.flush()
    except MedsearchError as error:
        raise _printed(error) from error
    except KeyboardInterrupt as error:
        sys.stderr.write("medsearch: interrupted; run the same command again to go on\n")
        raise SystemExit(Interrupted.exit_code) from error
    except BrokenPipeError as error:  # the reader (head, less) has gone: what is left is for nobody
        raise SystemExit(MedsearchError.exit_code) from error
    except OSError as error:
        raise _printed(BadInput(explained(error, places))) from error


@contextmanager
def _raising(places: Sequence[Path]) -> Iterator[None]:
    try:
        yield
    except MedsearchError as error:
        raise error from None  # its line says all
    except OSError as error:
        raise BadInput(explained(error, places)) from error
    except SystemExit as end:  # the parser of the arguments
        if end.code:
            msg = "these arguments cannot be used, see above; give them as run(STUDY, ['--trials', '4'])"
            raise BadInput(msg) from None


def tell_of_uncaught() -> None:
    """Outside of `exits`, too: a study file is wrong before it can call `run`. Bugs keep their traceback."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, MedsearchError):
            prepare_streams(lossy=True)
            raise _printed(error)
        before(kind, error, trace)

    sys.excepthook = hook


def _printed(error: MedsearchError) -> SystemExit:
    sys.stderr.write(f"medsearch: {printable(' '.join(str(error).split()))}\n")
    return SystemExit(error.exit_code)
