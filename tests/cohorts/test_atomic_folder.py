import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from medsearch.cohorts import atomic_folder as module
from medsearch.cohorts.atomic_folder import local_copy, publish, record_contents
from medsearch.cohorts.prepared import PreparedVolumes
from medsearch.core import remote as remote_module
from medsearch.core.errors import BadInput, Damaged
from medsearch.core.records import warn_once, write_json
from medsearch.core.remote import Remote, Unreachable, remote_at
from tests.bucket import Buckets

NAME = "prepared-0123-4mm-each-v1"
IMAGE = np.arange(240, dtype=np.float16).reshape(2, 4, 5, 6)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared" / NAME
    folder.mkdir(parents=True)
    np.save(folder / "image-t1.npy", IMAGE)
    np.save(folder / "mask.npy", IMAGE.astype(np.uint8))
    case = {"box": [[0, 4], [0, 5], [0, 6]], "presence": [True, False]}
    cases = [{"subject": name, **case} for name in ("a", "b")]
    write_json(folder / "cases.json", {"contrasts": ["t1"], "shape": [4, 5, 6], "spacing": 4.0, "cases": cases})
    return folder


@pytest.fixture(params=["folder", "bucket", "file"])
def source(request: pytest.FixtureRequest, prepared: Path, buckets: Buckets, tmp_path: Path) -> Iterator[str | Path]:
    uris = {"bucket": buckets.new, "file": lambda: (tmp_path / "remote").as_uri()}
    yield prepared if request.param == "folder" else publish(prepared, uris[request.param]())
    remote_at.cache_clear()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_copy_holds_what_was_prepared(source: str | Path, tmp_path: Path) -> None:
    copy = local_copy(source, tmp_path / "cache")
    assert copy == tmp_path / "cache" / NAME
    cohort = PreparedVolumes(copy)
    assert cohort.subjects == ("a", "b")
    np.testing.assert_array_equal(cohort.image("t1"), IMAGE)
    np.testing.assert_array_equal(cohort.mask, IMAGE.astype(np.uint8))
    assert names(copy) == {"image-t1.npy", "mask.npy", "cases.json", "files.json"}
    assert {name for name in names(tmp_path / "cache") if not name.startswith(".verified")} == {NAME, f".{NAME}.lock"}


def test_a_copy_is_made_once(source: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = local_copy(source, tmp_path / "cache")
    before = {path.name: path.stat().st_ino for path in copy.iterdir()}
    monkeypatch.setattr(Remote, "download", None)  # whoever copies again fails
    assert local_copy(source, tmp_path / "cache") == copy
    assert {path.name: path.stat().st_ino for path in copy.iterdir()} == before


def test_a_copy_that_lost_something_is_made_again(source: str | Path, tmp_path: Path) -> None:
    copy = local_copy(source, tmp_path / "cache")
    (copy / "image-t1.npy").write_bytes(b"torn")
    (copy / "mask.npy").unlink()
    np.testing.assert_array_equal(PreparedVolumes(local_copy(source, tmp_path / "cache")).image("t1"), IMAGE)


def test_a_file_that_is_torn_at_the_source_is_never_taken(
    buckets: Buckets, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "PAUSES", ())
    uri = publish(prepared, buckets.new())
    Remote(uri).write("image-t1.npy", b"torn")
    with pytest.raises(Damaged, match=r"image-t1\.npy has 4 bytes, 608 were stored"):
        local_copy(uri, tmp_path / "cache")
    assert not (tmp_path / "cache" / NAME).exists()


def test_without_a_cache_a_folder_is_read_where_it_lies(prepared: Path) -> None:
    assert local_copy(prepared, None) == prepared
    with pytest.raises(BadInput, match=r"s3://bucket/x must be copied to be read; give a cache folder"):
        local_copy("s3://bucket/x?region=here", None)


def test_arrays_are_published_once_and_completely_or_not_at_all(
    buckets: Buckets, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = buckets.new()
    sent: list[str] = []
    upload = Remote.upload

    def killed(self: Remote, path: Path, name: str) -> None:
        sent.append(name)
        if len(sent) == 2:
            raise KeyboardInterrupt
        upload(self, path, name)

    monkeypatch.setattr(Remote, "upload", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(prepared, uri)
    there = uri.replace("?", f"/{NAME}?")
    with pytest.raises(BadInput, match=rf"no prepared arrays at s3://\S+/a/prefix/{NAME}, or not all of them yet"):
        local_copy(there, tmp_path / "cache")
    assert publish(prepared, uri) == there
    count = len(sent)
    assert publish(prepared, uri) == there
    assert len(sent) == count
    assert local_copy(there, tmp_path / "cache").is_dir()


KILLED = """
import os, signal, sys
from pathlib import Path
from medsearch.core.remote import Remote
from medsearch.cohorts import atomic_folder

atomic_folder.each = lambda of, items: [of(item) for item in items]
download, done = Remote.download, []
def counting(self, name, path, *, wanted):
    if len(done) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    download(self, name, path, wanted=wanted)
    done.append(name)
Remote.download = counting
atomic_folder.local_copy(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.mark.parametrize("files", range(3))
def test_a_kill_leaves_no_half_and_what_was_copied_is_not_copied_again(
    prepared: Path, tmp_path: Path, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", KILLED, str(prepared), str(cache), str(files)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (cache / NAME).exists()
    copied: list[str] = []
    download = Remote.download
    monkeypatch.setattr(
        Remote,
        "download",
        lambda self, name, path, *, wanted: copied.append(name) or download(self, name, path, wanted=wanted),
    )
    np.testing.assert_array_equal(PreparedVolumes(local_copy(prepared, cache)).image("t1"), IMAGE)
    assert len(copied) == 3 - files


def copy_and_note(prepared: Path, cache: Path, log: Path) -> None:
    real = module._copy

    def noted(where: str, copy: Path) -> None:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        real(where, copy)

    module._copy = noted
    local_copy(prepared, cache)


def test_processes_that_ask_at_once_wait_for_the_first(prepared: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    asking = [context.Process(target=copy_and_note, args=(prepared, tmp_path / "cache", log)) for _ in range(4)]
    for process in asking:
        process.start()
    for process in asking:
        process.join(30)
        assert process.exitcode == 0
    assert len(log.read_text().split()) == 1


def test_no_room_is_said_before_anything_is_copied(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(BadInput, match=r"a copy of prepared-\S+ needs 0.0 GB, 0.0 GB are free; make room"):
        local_copy(prepared, tmp_path / "cache")


def test_a_folder_without_arrays_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"no prepared arrays in \S+empty: it has no cases.json"):
        local_copy(tmp_path / "empty", tmp_path / "cache")


def test_a_cache_is_its_user_s_alone(prepared: Path, tmp_path: Path) -> None:
    local_copy(prepared, tmp_path / "deep" / "cache")
    assert (tmp_path / "deep" / "cache").stat().st_mode & 0o7777 == 0o700


def test_a_cache_that_others_could_fill_is_refused_before_anything_in_it_is_read(
    prepared: Path, tmp_path: Path
) -> None:
    whole = local_copy(prepared, tmp_path / "whole")
    np.save(whole / "image-t1.npy", np.full_like(IMAGE, 66))  # of the same size
    (tmp_path / "whole").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "whole")
    planted = {"whole": "can be written to by others", "link": "is a link"}
    if os.geteuid() == 0:
        shutil.copytree(tmp_path / "whole", tmp_path / "theirs")
        (tmp_path / "theirs").chmod(0o700)
        os.chown(tmp_path / "theirs", 12345, 12345)
        planted["theirs"] = "belongs to user 12345"
    for name, why in planted.items():
        with pytest.raises(BadInput, match=why):
            local_copy(prepared, tmp_path / name)


def test_a_link_in_the_cache_leads_nowhere(prepared: Path, tmp_path: Path) -> None:
    victim, cache = tmp_path / "settings", tmp_path / "cache"
    victim.write_text("precious")
    cache.mkdir(mode=0o700)
    (cache / f".{NAME}.lock").symlink_to(victim)
    with pytest.raises(BadInput, match="is a link"):
        local_copy(prepared, cache)
    (cache / f".{NAME}.lock").unlink()
    (cache / f".{NAME}").mkdir()
    (cache / f".{NAME}" / ".image-t1.npy.fetched").symlink_to(victim)
    with pytest.raises(Unreachable, match="symbolic links"):
        local_copy(prepared, cache)
    assert victim.read_text() == "precious"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def swap(path: Path) -> None:
    path.write_bytes(path.with_name("cases.json" if path.name != "cases.json" else "mask.npy").read_bytes())


@pytest.mark.parametrize("damage", [flip, cut, swap], ids=lambda of: of.__name__)
@pytest.mark.parametrize("name", ["image-t1.npy", "cases.json", "files.json"])
def test_a_damaged_copy_is_set_aside_and_made_again(
    prepared: Path, tmp_path: Path, name: str, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    warn_once.cache_clear()
    record_contents(prepared)
    copy = local_copy(prepared, tmp_path / "cache")
    damage(copy / name)
    again = local_copy(prepared, tmp_path / "cache")
    np.testing.assert_array_equal(PreparedVolumes(again).image("t1"), IMAGE)
    assert len(list((tmp_path / "cache").glob(f"{NAME}.damaged-*"))) == 1
    assert f"{copy / name} " in caplog.text


@pytest.mark.parametrize("damage", [flip, cut, swap], ids=lambda of: of.__name__)
def test_damaged_arrays_are_not_copied(
    prepared: Path, tmp_path: Path, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "PAUSES", ())
    record_contents(prepared)
    damage(prepared / "image-t1.npy")
    with pytest.raises(Damaged, match=r"image-t1\.npy (was changed|has \d+ bytes)"):
        local_copy(prepared, tmp_path / "cache")
    assert not prepared.exists(), "whoever prepares the cohort makes them anew"
    assert len(list(prepared.parent.glob(f"{NAME}.damaged-*"))) == 1


def test_arrays_that_were_changed_at_the_uri_are_published_anew(
    buckets: Buckets, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "PAUSES", ())
    record_contents(prepared)
    base = buckets.new()
    uri = publish(prepared, base)
    Remote(uri).write("image-t1.npy", (prepared / "image-t1.npy").read_bytes()[:-1] + b"!")
    with pytest.raises(Damaged, match=r"image-t1\.npy was changed since it was stored"):
        local_copy(uri, tmp_path / "cache")
    with pytest.raises(BadInput, match="or not all of them yet"):
        local_copy(uri, tmp_path / "cache")
    assert publish(prepared, base) == uri
    np.testing.assert_array_equal(PreparedVolumes(local_copy(uri, tmp_path / "cache")).image("t1"), IMAGE)


def test_published_names_stay_below_the_copy(buckets: Buckets, prepared: Path, tmp_path: Path) -> None:
    uri = publish(prepared, buckets.new())
    Remote(uri).write("files.json", b'{"../../victim": 4}')
    with pytest.raises(Damaged, match=r"files\.json names the file '../../victim'"):
        local_copy(uri, tmp_path / "cache")


@pytest.mark.parametrize("damage", [flip, cut, swap], ids=lambda of: of.__name__)
def test_an_array_that_is_damaged_while_it_is_used_is_not_mapped(
    prepared: Path, damage: Callable[[Path], None]
) -> None:
    record_contents(prepared)
    assert PreparedVolumes(prepared).image("t1").shape == IMAGE.shape
    damage(prepared / "image-t1.npy")
    with pytest.raises(Damaged, match=r"image-t1\.npy (was changed|has \d+ bytes)"):
        PreparedVolumes(prepared).image("t1")
    assert not prepared.exists()


def test_an_array_of_before_digests_that_was_cut_is_named(prepared: Path) -> None:
    cut(prepared / "image-t1.npy")
    with pytest.raises(Damaged, match=r"image-t1\.npy is no whole array .*; run again"):
        PreparedVolumes(prepared).image("t1")


def test_arrays_stay_mapped(prepared: Path) -> None:
    record_contents(prepared)
    assert isinstance(PreparedVolumes(prepared).image("t1"), np.memmap)
