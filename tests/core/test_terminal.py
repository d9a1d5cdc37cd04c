"""Standard streams as users have them: what is printed arrives, escaped or lost, and never ends a study."""

import os
import socket
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import spelt_out

STUDY = """
import os, sys
from medsearch.cli.exits import exits
from medsearch.core.terminal import say, show
with exits(lossy={lossy}):
    opened = open({file!r}, "w")
    for number in range(3000):
        say(f"{{number}} λ → ± 3 \\udcff")
    show("[w/o λ] \\x1b[31mred")
    os.write(1, b"")
    assert opened.fileno() > 2
    assert sys.stdin.read() == ""
    opened.write("trained")
"""


def command(tmp_path: Path, *, lossy: bool = True) -> list[str]:
    file = tmp_path / "study.py"
    file.write_text(STUDY.format(lossy=lossy, file=str(tmp_path / "result")), encoding="utf-8")
    return [sys.executable, str(file)]


def done(tmp_path: Path) -> bool:
    return (tmp_path / "result").exists() and (tmp_path / "result").read_text() == "trained"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "cp932"},
        {"PYTHONIOENCODING": "ascii:replace"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "C.UTF-8"},
        {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "latin-1"},
    ],
)
def test_characters_that_an_encoding_lacks_are_escaped(environment: dict[str, str], tmp_path: Path) -> None:
    given = {**os.environ, **environment}
    ended = subprocess.run(command(tmp_path), capture_output=True, stdin=subprocess.DEVNULL, env=given, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert done(tmp_path)
    lines = ended.stdout.splitlines()
    assert len(lines) == 3001
    assert lines[7].startswith(b"7 ")
    assert b"\x1b" not in lines[-1]
    assert b"[w/o " in lines[-1]  # no markup
    assert b"\\x1b[31mred" in lines[-1]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere_and_no_file_takes_their_place(closed: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f'exec "$@" {closed}', "bash", *command(tmp_path)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert done(tmp_path)  # and holds nothing that was printed


@pytest.mark.parametrize(
    ("lossy", "redirected", "code", "said"),
    [
        (True, "> /dev/full", 0, "standard output is lost (No space left on device); the study goes on"),
        (True, "> /dev/full 2>&1", 0, ""),
        (True, "| head -n 1 > /dev/null", 0, "standard output is lost (Broken pipe); the study goes on"),
        (True, "2>&1 | head -n 1 > /dev/null", 0, ""),
        (False, "> /dev/full", 2, "No space left on device: standard output; free the disk, then run again"),
        (False, "| head -n 1 > /dev/null", 1, ""),
    ],
)
def test_output_that_nobody_takes(lossy: bool, redirected: str, code: int, said: str, tmp_path: Path) -> None:
    """A study goes on; a command whose output is its result ends, and says why unless its reader has simply gone."""
    ended = subprocess.run(
        ["bash", "-c", f'"$@" {redirected}; exit ${{PIPESTATUS[0]}}', "bash", *command(tmp_path, lossy=lossy)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert done(tmp_path) == lossy
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == bool(said)


def test_a_reader_that_is_slow_and_not_waited_for_still_gets_all(tmp_path: Path) -> None:
    """Another program on the same terminal or socket may have made it non-blocking."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    process = subprocess.Popen(command(tmp_path), stdout=theirs, stdin=subprocess.DEVNULL)
    theirs.close()
    heard = b""
    while piece := ours.recv(512):
        heard += piece
    assert process.wait() == 0
    assert len(heard.splitlines()) == 3001
    ours.close()


@given(st.text())
def test_what_is_printable_moves_no_cursor_and_stays_what_it_is(text: str) -> None:
    shown = spelt_out(text)
    assert not {unicodedata.category(sign) for sign in shown if sign not in "\n\t\u200c\u200d"} & {"Cc", "Cf", "Cs"}
    assert spelt_out(shown) == shown
    if text.isprintable():
        assert shown == text
    shown.encode()  # no half of a surrogate pair is left


def test_escapes_are_seen() -> None:
    assert spelt_out("a\x1b[2J\r\x07b\u202ec\x9b\udcffλ\u00a0é") == r"a\x1b[2J\x0d\x07b\u202ec\x9b\xffλ" + "\u00a0é"
