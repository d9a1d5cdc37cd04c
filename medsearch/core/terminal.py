"""Standard streams as a user may have them: in any encoding, closed, on a full device, or a pipe that nobody reads.

A study's results lie on the disk, so what it prints may be lost: hours of training do not end because a terminal has.
What a command prints is its result: there, output that cannot be written is an error.
"""

import io
import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, final

from medsearch.core.errors import spelt_out

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

REPLACING = ("ignore", "replace", "backslashreplace", "xmlcharrefreplace", "namereplace")
"""What an encoding may do with a character that it lacks, short of an error."""
LOG_WIDTH = 120
"""Columns where no terminal says how many there are: a table that is folded cannot be searched."""


def prepare_streams(*, lossy: bool) -> None:
    """Make standard input, output and error usable, whatever they are.

    Closed ones lead nowhere; characters that an encoding lacks are escaped. lossy: what cannot be written is dropped,
    and standard error told once; otherwise it raises OSError, whose `filename` is "standard output". Streams that a
    program has put in their place, such as a notebook's, are left alone.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would get its number, and what a library prints
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
            os.set_inheritable(descriptor, True)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open
    sys.stdout = _usable(sys.stdout, 1, lossy=lossy)
    sys.stderr = _usable(sys.stderr, 2, lossy=True)


def interactive() -> bool:
    """Whether a person calls from a prompt or a notebook, where no command line belongs to the call."""
    return hasattr(sys, "ps1") and getattr(sys.modules["__main__"], "__file__", None) is None


def say(line: str) -> None:
    """A line for the user, now."""
    sys.stdout.write(spelt_out(line) + "\n")
    sys.stdout.flush()


def show(content: "RenderableType") -> None:
    """Print a table, or whatever else rich can render, on standard output."""
    console().print(content)


def console() -> "Console":
    """Rich's console, as wide as a log needs it where there is no terminal; nothing in a label is markup."""
    from rich.console import Console
    from rich.segment import Segment

    class Visible(Console):
        """Shows control characters in what it is given; those that it adds itself are not text."""

        def render(self, *given: Any, **options: Any) -> Iterator[Segment]:
            for text, style, control in super().render(*given, **options):
                yield Segment(text if control else spelt_out(text), style, control)

    return Visible(width=None if sys.stdout.isatty() else LOG_WIDTH, markup=False, emoji=False, highlight=False)


@final
class _Descriptor(io.FileIO):
    """The file descriptor of standard output or error; after its first error it leads nowhere."""

    def __init__(self, descriptor: int, *, lossy: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lossy = lossy

    def write(self, content: Any) -> int:
        """Write all or a part of `content`; how many bytes."""
        try:
            while (written := super().write(content)) is None:  # another program has made it non-blocking
                select.select([], [self], [])
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            name = "standard output" if self.fileno() == 1 else "standard error"
            if not self.lossy:
                raise OSError(error.errno, error.strerror, name) from error
            if self.fileno() == 1:
                sys.stderr.write(f"medsearch: {name} is lost ({error.strerror}); the study goes on without it\n")
            return len(content)
        return written


def _usable(stream: TextIO | None, descriptor: int, *, lossy: bool) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - it stays open
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    errors = stream.errors if stream.errors in REPLACING else "backslashreplace"
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if isinstance(raw, _Descriptor):
        raw.lossy = lossy
    if type(raw) is not io.FileIO or raw.fileno() != descriptor:
        stream.reconfigure(errors=errors)
        return stream
    replacement = _Descriptor(descriptor, lossy=lossy)
    with suppress(OSError):  # what was printed before is lost with it
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(replacement),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, bold: Sequence[int] = ()) -> "Table":
    """A table of text cells, whose labels are never taken for markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, heading in enumerate(headings):
        table.add_column(heading, justify="right" if column else "left", overflow="fold")
    for number, row in enumerate(rows):
        # Text, not str: what stands in a label is never markup.
        table.add_row(*(Text(cell) for cell in row), style="bold" if number in bold else None)
    return table
