import multiprocessing
import shutil
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.locks import claimed, free, locked

FORK = multiprocessing.get_context("fork")


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def enter_and_leave(path: Path, log: Path, go: Event) -> None:
    """Note in `log` when the lock is entered and left; two at once would show."""
    go.wait(20)
    with locked(path):
        with log.open("a") as file:
            file.write("(")
        time.sleep(0.05)
        with log.open("a") as file:
            file.write(")")


def test_whoever_waits_for_a_lock_that_is_removed_waits_for_its_successor(tmp_path: Path) -> None:
    """The old file's lock is free as soon as it is let go; holding that would hold nothing."""
    path, log = tmp_path / "stage" / "lock", tmp_path / "log"
    early, late = FORK.Event(), FORK.Event()
    # Begun before the lock is taken: a fork would share it.
    waiting = [FORK.Process(target=enter_and_leave, args=(path, log, go)) for go in (early, late) for _ in range(3)]
    for process in waiting:
        process.start()
    with locked(path):
        early.set()
        time.sleep(0.3)  # they have opened the file
        shutil.rmtree(path.parent)
        late.set()
    for process in waiting:
        process.join(20)
        assert process.exitcode == 0
    assert log.read_text() == "()" * 6


def hold(path: Path, held: Path) -> None:
    with locked(path):
        held.touch()
        time.sleep(60)


def test_free_asks_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with free(path) as mine:
        assert mine
    holder = FORK.Process(target=hold, args=(path, tmp_path / "held"))
    holder.start()
    until((tmp_path / "held").exists)
    with free(path) as mine:
        assert not mine
    with pytest.raises(BadInput, match="busy"), claimed(path, "busy"):
        raise AssertionError
    holder.kill()
    holder.join()
    with free(path) as mine:
        assert mine


def test_nothing_to_hold_is_not_made(tmp_path: Path) -> None:
    with free(tmp_path / "gone" / "lock") as mine:
        assert not mine
    assert list(tmp_path.iterdir()) == []
