import errno
import multiprocessing
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.core.locks import claimed, free, locked
from medsearch.tracking.sender import Receipts
from tests.core.lockless import mounted

Lock = Callable[[Path], AbstractContextManager[object]]

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


@pytest.mark.parametrize("cannot", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_named(tmp_path: Path, cannot: int) -> None:
    try:
        mount = mounted(tmp_path, cannot)
        folder = mount.__enter__()
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        for lock in (locked(folder / "new" / "lock"), claimed(folder / "driver.lock", "busy"), free(folder / "lock")):
            with pytest.raises(
                BadInput, match=rf"^{folder}\S*: its file system does not lock files .*--home"
            ) as caught:
                lock.__enter__()
            assert "\n" not in str(caught.value)
        receipts = Receipts(folder / "tracking", "backend")
        with pytest.raises(BadInput, match="does not lock files"), receipts.sole_sender():
            raise AssertionError
    finally:
        mount.__exit__(None, None, None)


@pytest.mark.parametrize("lock", [locked, free, lambda path: claimed(path, "busy")], ids=["locked", "free", "claimed"])
def test_a_link_in_the_place_of_a_lock_is_refused_and_what_it_points_at_stays(tmp_path: Path, lock: Lock) -> None:
    victim = tmp_path / "settings"
    victim.write_text("precious")
    (tmp_path / "lock").symlink_to(victim)
    (tmp_path / "dangling").symlink_to(tmp_path / "made by the lock")
    for name in ("lock", "dangling"):
        with pytest.raises(BadInput, match=r"is a link.*remove it"), lock(tmp_path / name):
            raise AssertionError
    assert victim.read_text() == "precious"
    assert not (tmp_path / "made by the lock").exists()


def test_a_lock_empties_no_file(tmp_path: Path) -> None:
    """A hard link is no link that the kernel could refuse."""
    (tmp_path / "settings").write_text("precious")
    (tmp_path / "lock").hardlink_to(tmp_path / "settings")
    with locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "settings").read_text() == "precious"
