"""Signals become `Interrupted`, wherever they strike, and leave no trace."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from medsearch.core.errors import BadInput, Interrupted
from medsearch.study.ray.interruption import SIGNALS, Interruption, halting


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Whatever the tests themselves were started with, such as `nohup`."""
    before = {name: signal.getsignal(name) for name in SIGNALS}
    for name in SIGNALS:
        signal.signal(name, signal.default_int_handler)
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def struck(*numbers: signal.Signals) -> None:
    """A study's block in which signals come, the second while the first is cleaned up after."""
    with Interruption("λ search"):
        try:
            os.kill(os.getpid(), numbers[0])
        finally:
            for number in numbers[1:]:
                os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_raises_interrupted_and_the_old_handlers_return(number: signal.Signals) -> None:
    before = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(Interrupted, match=f"'λ search' stopped by {number.name}.*run the same command again") as caught:
        struck(number)
    assert caught.value.exit_code == 130
    assert [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_what_was_ignored_stays_ignored_in_the_block_and_after_it() -> None:
    """As `nohup` has it for SIGHUP, a shell for SIGINT of `cmd &`; whatever Ray puts in its place when it starts."""
    for ignored in SIGNALS:
        before = signal.signal(ignored, signal.SIG_IGN)
        try:
            with Interruption("s") as interruption:
                os.kill(os.getpid(), ignored)
                with interruption.gently():
                    signal.signal(ignored, signal.default_int_handler)  # as Ray does
                os.kill(os.getpid(), ignored)
                signal.signal(ignored, signal.SIG_DFL)  # as Ray does when it ends
            os.kill(os.getpid(), ignored)
            assert signal.getsignal(ignored) == signal.SIG_IGN
            for other in set(SIGNALS) - {ignored}:
                with pytest.raises(Interrupted, match=other.name):
                    struck(other, ignored)
            assert signal.getsignal(ignored) == signal.SIG_IGN
        finally:
            signal.signal(ignored, before)


def test_a_second_signal_does_not_disturb_the_stopping() -> None:
    with pytest.raises(Interrupted, match="SIGTERM"):
        struck(signal.SIGTERM, signal.SIGINT)


def test_what_becomes_of_the_signal_on_its_way_does_not_matter() -> None:
    def as_in_ray_s_cython() -> None:
        with Interruption("s"):
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException as error:
                msg = "returned a result with an exception set"
                raise SystemError(msg) from error

    with pytest.raises(Interrupted):
        as_in_ray_s_cython()


def test_gently_it_is_noted_and_raised_when_asked_or_at_the_end() -> None:
    passed = []

    def work(*, ask: bool) -> None:
        with Interruption("s") as interruption, interruption.gently():
            os.kill(os.getpid(), signal.SIGINT)
            passed.append("noted")
            if ask:
                interruption.check()
            passed.append("not asked")

    for ask in (True, False):
        with pytest.raises(Interrupted):
            work(ask=ask)
    assert passed == ["noted", "noted", "not asked"]


def test_an_error_that_halts_comes_out_as_itself() -> None:
    def work(error: Exception) -> None:
        with Interruption("s"), halting():
            raise error

    for error in (BadInput("no ledger"), KeyError("x")):
        with pytest.raises(type(error)) as caught:
            work(error)
        assert caught.value is error


def test_outside_the_main_thread_it_listens_to_nothing() -> None:
    found: list[object] = []

    def work() -> None:
        with Interruption("s"):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
