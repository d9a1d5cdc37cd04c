"""Errors: one line that a terminal shows as it is, and what the system refuses with its place and a remedy."""

import errno
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.cohorts.checks import check
from medsearch.cohorts.cohort import Finding
from medsearch.core import errors
from medsearch.core.errors import BadInput, Diverged, MedsearchError, explained, printable
from tests.cohorts import broken


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


STRANGE = {
    "colour": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "title of the window": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "one-byte CSI": ("\x9b2J", r"\x9b2J"),
    "backspace": ("good\b\b\b\bbad", r"good\x08\x08\x08\x08bad"),
    "carriage return": ("error\rfine ", "error fine "),
    "line": ("a\nwarning: b", "a warning: b"),
    "line separator": ("a\u2028b", r"a\u2028b"),
    "turned round": ("a\u202egz.iin", r"a\u202egz.iin"),
    "isolated": ("\u2066x\u2069", r"\u2066x\u2069"),
    "not UTF-8": (b"M\xfcller".decode("utf-8", "surrogateescape"), r"M\xfcller"),
    "lone surrogate": ("\ud800", r"\ud800"),
    "NUL": ("a\0b", r"a\x00b"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_control_characters_are_spelt_out(name: str) -> None:
    text, shown = STRANGE[name]
    assert printable(text) == shown
    assert str(BadInput(f"case {text}: gone; look")) == f"case {shown}: gone; look"
    assert str(Diverged(text)) == shown
    assert shown in str(Finding(text, Path("/data") / text.replace("\0", ""), text, text)).replace("/data/", "")


@pytest.mark.parametrize("text", ["Müller", "λ_seg → ±0.5 %", "患者-01", "a b", "é", "père\u00a0Noël", "مريض"])
def test_letters_of_any_language_stay(text: str) -> None:
    assert printable(text) == text == str(MedsearchError(text))


@given(st.text())
def test_whatever_is_shown_is_one_line_without_controls_and_can_be_encoded(text: str) -> None:
    shown = printable(text)
    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert printable(shown) == shown


@pytest.mark.parametrize("name", ["BraTS20_\x1b[2J_001", "BraTS20_\u202e_001", "BraTS20_\n_001"])
def test_a_subject_with_controls_in_its_name_is_a_faulty_case(name: str, tmp_path: Path) -> None:
    root = broken.write(tmp_path / "cohort")
    folder = (root / broken.BAD).rename(root / name)
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace(broken.BAD, name))
    (finding,) = [one for one in check(root).findings if one.fatal]
    assert (finding.subject, finding.problem) == (name, "has control characters in its name")
    line = str(finding)
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "\n" not in line
