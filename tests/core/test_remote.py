import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medsearch.core import remote as module
from medsearch.core.contents import Content
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.remote import Remote, Unreachable, each, local_sizes, remote_at, require_writable, without_password
from tests.bucket import Buckets


@pytest.fixture(params=["bucket", "file", "path", "fsspec"])
def uri(request: pytest.FixtureRequest, buckets: Buckets, tmp_path: Path) -> str:
    kinds: dict[str, Callable[[], str]] = {
        "bucket": buckets.new,
        "file": lambda: f"file://{tmp_path}/with%20space",
        "path": lambda: str(tmp_path / "remote"),
        "fsspec": lambda: f"memory://{tmp_path.name}",
    }
    return kinds[request.param]()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.05,))


def test_what_is_written_can_be_read_listed_and_removed(uri: str, tmp_path: Path) -> None:
    remote = Remote(uri)
    assert remote.read("a/b.json") is None
    assert not remote.exists("a/b.json")
    assert remote.sizes("a") == {}
    remote.write("a/b.json", b"first")
    remote.write("a/b.json", b"second, longer")
    (tmp_path / "source").write_bytes(b"x" * 1000)
    remote.upload(tmp_path / "source", "a/deep/er/c.bin")
    assert remote.read("a/b.json") == b"second, longer"
    assert remote.exists("a/b.json")
    assert not remote.exists("a")
    assert remote.sizes("a") == {"b.json": 14, "deep/er/c.bin": 1000}
    assert remote.sizes("a/deep") == {"er/c.bin": 1000}
    remote.download("a/deep/er/c.bin", tmp_path / "new" / "c.bin", wanted=Content(1000))
    assert (tmp_path / "new" / "c.bin").read_bytes() == b"x" * 1000
    remote.remove("a/b.json")
    remote.remove("a/b.json")
    assert remote.read("a/b.json") is None


def test_a_file_that_is_written_in_many_pieces_is_whole(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 1 << 20)
    content = os.urandom((12 << 20) + 3)
    (tmp_path / "large").write_bytes(content)
    Remote(uri).upload(tmp_path / "large", "large")
    Remote(uri).download("large", tmp_path / "back", wanted=Content(len(content)))
    assert (tmp_path / "back").read_bytes() == content


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stored", [b"", b"short", b"much too long for it"])
def test_a_download_of_another_size_leaves_nothing_behind(uri: str, tmp_path: Path, stored: bytes) -> None:
    remote, path = Remote(uri), tmp_path / "here" / "weights"
    remote.write("weights", stored)
    with pytest.raises(Damaged, match=rf"weights has {len(stored)} bytes, 10 were stored; run again"):
        remote.download("weights", path, wanted=Content(10))
    assert list(path.parent.iterdir()) == []


def test_what_is_not_there_any_more_is_named_with_what_to_do(uri: str, tmp_path: Path) -> None:
    with pytest.raises(Damaged, match=r"weights is not there any more; run again"):
        Remote(uri).download("weights", tmp_path / "here" / "weights", wanted=Content(10))


KILLED = """
import os, signal, sys
from pathlib import Path
from medsearch.core import remote

remote.CHUNK = 6 << 20
path, uri = Path(sys.argv[1]), sys.argv[2]

class Dying:
    def __init__(self, file): self.file, self.reads = file, 0
    def __enter__(self): return self
    def __exit__(self, *_): self.file.close()
    def read(self, size):
        self.reads += 1
        if self.reads == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.file.read(size)

opened = Path.open
Path.open = lambda self, *mode: Dying(opened(self, *mode)) if self == path else opened(self, *mode)
remote.Remote(uri).upload(path, "weights")
"""


@pytest.mark.parametrize("kind", ["bucket", "file"])
def test_of_an_upload_that_was_killed_nothing_is_seen(kind: str, buckets: Buckets, tmp_path: Path) -> None:
    uri = buckets.new() if kind == "bucket" else (tmp_path / "remote").as_uri()
    remote = Remote(uri)
    remote.write("weights", b"old")
    path = tmp_path / "source"
    path.write_bytes(os.urandom(20 << 20))
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), uri], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert remote.read("weights") == b"old"
    assert remote.sizes("") == {"weights": 3}


def test_an_outage_is_waited_for(tmp_path: Path) -> None:
    own = Buckets()
    remote = Remote(own.new())
    remote.write("one", b"1")
    own.stop()
    begins_again = threading.Timer(2.0, own.start)
    begins_again.start()
    began = time.monotonic()
    remote.write("two", b"2")
    assert time.monotonic() - began > 1.5
    assert remote.sizes("") == {"one": 1, "two": 1}
    begins_again.join()
    own.stop()


def test_one_line_names_the_address_without_its_password(tmp_path: Path) -> None:
    uri = "s3://key:secret@nowhere/prefix?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1"
    with pytest.raises(Unreachable) as caught:
        Remote(uri, pauses=()).write("x", b"")
    said = str(caught.value)
    assert said.startswith("s3://nowhere/prefix: writing x failed for")
    assert "check address, credentials, network and room, then run again" in said
    assert "secret" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://key:secret@bucket/a?region=x", "s3://bucket/a?region=x"),
        ("s3://key:sec/ret@bucket/a", "s3://bucket/a"),
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
        ("abfs://container@account/a", "abfs://container@account/a"),
        ("file:///a:b@c", "file:///a:b@c"),
    ],
)
def test_what_is_shown_of_an_address_holds_no_secret(uri: str, told: str) -> None:
    assert without_password(uri) == told


def test_an_address_that_cannot_be_opened_is_told_without_its_secret() -> None:
    with pytest.raises(BadInput, match=r"^s3://bucket/x cannot be opened") as caught:
        require_writable("s3://key:sec/ret@bucket/x")
    assert "sec/ret" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_refused_at_once(buckets: Buckets) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match="NO_SUCH_BUCKET"):
        require_writable(buckets.uri("no-such-bucket"))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("uri", ["nonsense://x/y", "s3://bucket/x?no_such_option=1"])
def test_an_address_that_nothing_can_open_is_bad_input(uri: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be opened .* give an address such as s3://bucket/prefix"):
        require_writable(uri)


def test_a_place_that_can_be_written_to_is_left_as_it_was(uri: str) -> None:
    require_writable(uri)
    assert Remote(uri).sizes("") == {}


def test_a_folder_that_may_not_be_written_to_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    began = time.monotonic()
    with pytest.raises(Unreachable, match="file/remote: writing"):
        require_writable(str(tmp_path / "file" / "remote"))
    assert time.monotonic() - began < 3


def test_a_client_is_made_once() -> None:
    assert remote_at("file:///x") is remote_at("file:///x")


def test_each_takes_items_at_once_and_hands_on_the_first_error() -> None:
    barrier = threading.Barrier(4, timeout=10)

    def meet(number: int) -> int:
        barrier.wait()
        return number

    assert each(meet, range(4)) == [0, 1, 2, 3]
    with pytest.raises(ZeroDivisionError):
        each(lambda number: 1 / number, [1, 0])


def test_local_sizes(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"123")
    assert local_sizes(tmp_path) == {"a/b/c": 3}


@pytest.fixture(autouse=True)
def _no_client_outlives_its_test() -> Iterator[None]:
    yield
    remote_at.cache_clear()
