"""What the system refuses is told with its place and a remedy that fits."""

import errno
import os
from pathlib import Path

import pytest

from medsearch.core import errors
from medsearch.core.errors import explained


@pytest.mark.parametrize(
    ("number", "name", "told"),
    [
        (errno.ENOSPC, "/data/x", "No space left on device: /data/x; free the disk, then run again"),
        (
            errno.EDQUOT,
            "/data/x",
            "Disk quota exceeded: /data/x; free some of your quota, or name another folder, then",
        ),
        (
            errno.EROFS,
            "/data/x",
            "Read-only file system: /data/x; it is on a file system that is read-only: name another",
        ),
        (errno.EACCES, "/data/x", "Permission denied: /data/x; see who may read and write it"),
        (errno.EMFILE, None, "Too many open files; raise the limit of open files (ulimit -n), then run again"),
        (errno.ENOMEM, None, "Cannot allocate memory; end other programs"),
        (errno.EIO, "/data/x", "Input/output error: /data/x; look at the disk"),
        (errno.ESTALE, "/data/x", "Stale file handle: /data/x; the file system was mounted anew"),
        (errno.ENOENT, "/data/x", "No such file or directory: /data/x; check the path, then run again"),
        (errno.ECONNREFUSED, None, "Connection refused; run again"),
    ],
)
def test_each_refusal_has_its_remedy(number: int, name: str | None, told: str) -> None:
    assert explained(OSError(number, os.strerror(number), name), [Path("/")]).startswith(told)


def test_an_error_of_two_files_names_both_and_one_in_words_alone_is_kept() -> None:
    assert "/a -> /b; check" in explained(FileNotFoundError(errno.ENOENT, "No such file", "/a", None, "/b"), [])
    assert explained(OSError("odd"), []) == "odd; run again"


def test_the_full_disk_is_named_where_the_system_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, roomy = tmp_path / "full", tmp_path / "roomy"
    full.mkdir()
    monkeypatch.setattr(errors, "_full", lambda place: place.is_relative_to(full))
    error = OSError(errno.ENOSPC, "No space left on device")
    assert explained(error, [roomy, full / "runs"]) == (
        f"No space left on device: {full / 'runs'}; free the disk, then run again"
    )
    assert str(roomy) in explained(error, [roomy]), "where none is full any more, the last is named"


def test_fullness_is_that_of_the_file_system_also_of_a_folder_to_be(tmp_path: Path) -> None:
    assert errors._full(tmp_path / "not" / "yet") == errors._full(tmp_path)
    assert errors._full(Path("/proc")) or os.statvfs("/proc").f_bavail > 0
