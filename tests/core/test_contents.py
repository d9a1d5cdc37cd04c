import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core import contents as module
from medsearch.core.contents import Content, Verified, content_of, digests_of, fault, recorded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "weights").write_bytes(b"weights" * 1000)
    return tmp_path


NAME = "a/weights"


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from here on."""
    found: list[Path] = []
    real = content_of
    monkeypatch.setattr(module, "content_of", lambda path: found.append(path) or real(path))
    return found


def test_a_file_is_read_once_on_a_node(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, read = content_of(folder / NAME), reads(monkeypatch)
    first = Verified(folder)
    assert [first.problem(NAME, wanted) for _ in range(3)] == [""] * 3
    assert Verified(folder).problem(NAME, wanted) == ""  # another process
    assert len(read) == 1
    assert Verified(folder).problem(NAME, wanted, again=True) == ""
    assert len(read) == 2


@given(st.integers(0, 6999), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(tmp_path_factory: pytest.TempPathFactory, byte: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    path = folder / "weights"
    path.write_bytes(b"weights" * 1000)
    verified, wanted = Verified(folder), content_of(path)
    assert verified.problem("weights", wanted) == ""
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)
    assert verified.problem("weights", wanted) == "was changed since it was written"
    assert Verified(folder).problem("weights", wanted) == "was changed since it was written"


def test_an_old_time_does_not_hide_a_change(folder: Path) -> None:
    path = folder / NAME
    verified, wanted, stat = Verified(folder), content_of(path), path.stat()
    assert verified.problem(NAME, wanted) == ""
    path.write_bytes(b"weighty" * 1000)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert verified.problem(NAME, wanted) == "was changed since it was written"


def test_what_is_cut_gone_or_swapped_is_said(folder: Path) -> None:
    verified, wanted = Verified(folder), content_of(folder / NAME)
    (folder / "a" / "other").write_bytes(b"WEIGHTS" * 1000)
    other = content_of(folder / "a" / "other")
    assert verified.problem("a/other", other) == ""
    (folder / "a" / "other").replace(folder / NAME)
    assert verified.problem(NAME, wanted) == "was changed since it was written"
    assert verified.problem("a/other", other).startswith("cannot be found")
    (folder / NAME).write_bytes(b"we")
    assert verified.problem(NAME, wanted) == "has 2 bytes, 7000 were written"
    assert verified.problem(NAME, Content(2)) == "", "of before digests were kept"


@pytest.mark.parametrize("damage", [b"", b"17\n", b'{"name": "a/weights"}\n', b"torn", b'["a"]\n{}\n'])
def test_a_damaged_record_costs_a_reading_and_nothing_else(folder: Path, damage: bytes) -> None:
    wanted = content_of(folder / NAME)
    assert Verified(folder).problem(NAME, wanted) == ""
    (record,) = folder.glob(".verified-*.jsonl")
    record.write_bytes(damage)
    assert Verified(folder).problem(NAME, wanted) == ""
    record.write_bytes(record.read_bytes().replace(wanted.digest.encode(), b"0" * 32))
    assert Verified(folder).problem(NAME, wanted) == ""


def test_the_record_stays_short(folder: Path) -> None:
    verified = Verified(folder)
    for number in range(400):
        (folder / NAME).write_bytes(str(number).encode())
        assert verified.problem(NAME, content_of(folder / NAME)) == ""
    (record,) = folder.glob(".verified-*.jsonl")
    assert len(record.read_bytes().splitlines()) < 100


def test_a_file_that_is_read_again_and_is_the_same_is_not_recorded_again(folder: Path) -> None:
    wanted = content_of(folder / NAME)
    for _ in range(300):
        assert Verified(folder).problem(NAME, wanted, again=True) == ""
    (record,) = folder.glob(".verified-*.jsonl")
    assert len(record.read_bytes().splitlines()) == 1


def test_many_threads_may_ask_while_the_record_is_shortened(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"f{number}").write_bytes(b"%d" % number)
    names = [f"f{number}" for number in range(600)]
    wanted = digests_of(tmp_path, names)
    Verified(tmp_path).note(wanted)
    (record,) = tmp_path.glob(".verified-*.jsonl")
    for number in range(600, 700):
        (tmp_path / f"f{number}").write_bytes(b"%d" % number)
        wanted[f"f{number}"] = content_of(tmp_path / f"f{number}")
    lines = record.read_bytes()
    record.write_bytes(lines * 4)
    verified = Verified(tmp_path)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda name: verified.problem(name, wanted[name]), wanted)) == {""}
    assert len(record.read_bytes().splitlines()) < 1500
    assert Verified(tmp_path).problem("f7", wanted["f7"]) == ""


def test_the_record_is_written_through_no_link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other, wanted = tmp_path_factory.mktemp("other") / "file", content_of(folder / NAME)
    other.write_text("precious\n")
    Verified(folder).note({NAME: wanted})
    (record,) = folder.glob(".verified-*.jsonl")
    record.unlink()
    record.symlink_to(other)
    (folder / NAME).write_bytes(b"other")
    assert Verified(folder).problem(NAME, content_of(folder / NAME)) == ""
    assert other.read_text() == "precious\n"


def test_hosts_of_other_names_use_one_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers of one node do, each of which has a name of its own, on the same file system."""
    wanted = content_of(folder / NAME)
    for name in ("pod-1", "pod-2", "pod-3"):
        monkeypatch.setattr("platform.node", lambda name=name: name)
        assert Verified(folder).problem(NAME, wanted) == ""
    (record,) = folder.glob(".verified-*.jsonl")
    assert len(record.read_bytes().splitlines()) == 1


def test_a_folder_of_another_is_verified_without_a_record(folder: Path) -> None:
    wanted = content_of(folder / NAME)
    real = os.open

    def refused(path: object, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refused)
        assert Verified(folder).problem(NAME, wanted) == ""
    assert not list(folder.glob(".verified-*.jsonl"))


def verify_and_count(folder: Path, wanted: Content, count: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    real = module.content_of

    def counted(path: Path) -> Content:
        with count.get_lock():
            count.value += 1
        return real(path)

    module.content_of = counted
    assert Verified(folder).problem("large", wanted) == ""


def test_of_many_processes_one_reads_a_long_file(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(40 << 20))
    wanted, fork = content_of(tmp_path / "large"), multiprocessing.get_context("fork")
    count = fork.Value("i", 0)
    workers = [fork.Process(target=verify_and_count, args=(tmp_path, wanted, count)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert count.value == 1


def test_contents_come_back_from_their_record(folder: Path) -> None:
    found = digests_of(folder, [NAME])
    assert found == {NAME: content_of(folder / NAME)}
    sizes, digests = {NAME: found[NAME].size}, {NAME: found[NAME].digest}
    assert fault(sizes, digests) == ""
    assert recorded(sizes, digests) == found
    assert recorded(sizes, {}) == {NAME: Content(7000)}


@pytest.mark.parametrize(
    ("sizes", "digests"),
    [
        (17, {}), ({}, []), ({"../a": 1}, {}), ({"/a": 1}, {}), ({"a": "1"}, {}), ({"a": True}, {}), ({"a": -1}, {}),
        ({"a": 1}, {"a": 7}), ({"": 1}, {}), (None, {}),
    ],
)  # fmt: skip
def test_a_record_that_lists_no_files_is_faulty(sizes: object, digests: object) -> None:
    assert fault(sizes, digests)
