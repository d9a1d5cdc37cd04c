"""Stopping when told to: SIGINT, SIGTERM and SIGHUP end a study at once, in order, with a word on how to go on.

A signal that was ignored when the study began stays ignored: that is what `nohup` asks for, and a shell for `cmd &`.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, final

from medsearch.core.errors import Interrupted

GO_ON = "what is finished is stored: run the same command again to go on"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Halt(BaseException):
    """Ends Ray's loop at once: a BaseException, which no handler takes for a failed trial.

    `error` is what the user is told.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def halting() -> Iterator[None]:
    """Within, an error ends the study: it is raised as `Halt`, which Tune does not take for a trial's failure."""
    try:
        yield
    except Exception as error:
        raise Halt(error) from error


@final
class Interruption:
    """A block in which a signal raises `Interrupted` in the main thread; elsewhere, or ignored before, it does nothing.

    Nothing is waited for: the store, the ledger and the sampler's storage are right at any moment.
    """

    def __init__(self, study: str) -> None:
        self.study = study
        self._received = ""
        self._gentle = False
        self._before: dict[signal.Signals, Any] = {}
        self._ignored: list[signal.Signals] = []

    def __enter__(self) -> "Interruption":
        """Take the signals from here on, where this is the main thread."""
        if threading.current_thread() is threading.main_thread():
            before = {name: signal.getsignal(name) for name in SIGNALS}
            self._ignored = [name for name, handler in before.items() if handler == signal.SIG_IGN]
            # None: a handler that is not Python's, which could not be set again
            self._before = {name: handler for name, handler in before.items() if handler not in (signal.SIG_IGN, None)}
            self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the handlers as they were; turn a signal into `Interrupted`."""
        for name, handler in [*self._before.items(), *((name, signal.SIG_IGN) for name in self._ignored)]:
            signal.signal(name, handler)  # Ray sets some to the system's default when it ends
        if self._received and error is not None:
            raise self._interrupted() from None
        if isinstance(error, Halt):
            raise error.error from None

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Within, a signal is only noted, for `check` to raise, or the end of the block.

        Ray's C++ does not bear an exception: starting, it crashes; waiting, it makes a SystemError of it.
        """
        self._gentle = True
        try:
            yield
        finally:
            self._gentle = False
            self._listen()
        self.check()

    def check(self) -> None:
        """Raise `Halt` if a signal has come since the block began."""
        if self._received:
            raise Halt(self._interrupted())

    def _listen(self) -> None:
        """Take the signals, once more after Ray has started: it puts a handler beneath ours that may abort."""
        for name in self._ignored:
            signal.signal(name, signal.SIG_IGN)
        if not self._received:
            for name in self._before:
                signal.signal(name, self._stop)

    def _interrupted(self) -> Interrupted:
        return Interrupted(f"study {self.study!r} stopped by {self._received}; {GO_ON}")

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        for name in self._before:
            signal.signal(name, signal.SIG_IGN)  # one is enough: what follows takes seconds
        self._received = signal.Signals(number).name
        if not self._gentle:
            raise Halt(self._interrupted())
