import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput, Damaged
from medsearch.core.locks import locked
from medsearch.core.records import (
    SEAL,
    append_line,
    faulty_lines,
    intact,
    line_of,
    parsed_json,
    parsed_line,
    read_json,
    read_lines,
    sealed,
    unsealed,
    write_json,
)


def test_a_written_record_comes_back(tmp_path):
    path = tmp_path / "folder" / "record.json"
    write_json(path, {"a": (1, 2), "b": None})
    assert read_json(path) == {"a": [1, 2], "b": None}
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3), max_size=6), st.integers(0, 40))
def test_lines_before_and_after_a_torn_one_survive(tmp_path_factory, events, cut):
    path = tmp_path_factory.mktemp("lines") / "journal.jsonl"
    for event in events:
        append_line(path, event)
    whole = path.read_bytes() if events else b""
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    kept = list(read_lines(path))
    assert kept == events[: len(kept)]
    append_line(path, {"next": 1})
    assert list(read_lines(path)) == [*kept, {"next": 1}]


@pytest.mark.parametrize(
    "rewritten",
    [
        json.dumps,
        lambda of: json.dumps(of, indent=None, separators=(", ", ":")),
        lambda of: json.dumps(of, sort_keys=True),
    ],
)
def test_a_line_that_another_program_wrote_anew_is_no_sound_one(tmp_path, rewritten):
    path = tmp_path / "ledger.jsonl"
    append_line(path, {"event": "finished", "value": 0.5})
    append_line(path, {"event": "next"})
    first, second = path.read_text().splitlines()
    edited = {**json.loads(first), "value": 0.9}
    path.write_text(f"{rewritten(edited)}\n{second}\n")
    assert list(read_lines(path)) == [{"event": "next"}]
    (fault,) = faulty_lines(path, passed_over="and so")
    assert str(fault) == f"line 1 of {path} was changed since it was written; and so"
    path.write_text('{"event": "old"}\n')  # of before lines had checksums
    assert list(read_lines(path)) == [{"event": "old"}]


VALUES = st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
RECORDS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


@given(RECORDS, st.data())
def test_no_flipped_bit_changes_what_is_read(of, data):
    def flipped(content):
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]

    with pytest.raises(ValueError, match=r"is no whole JSON|instead of an object|was changed"):
        parsed_line(flipped(line_of(of)))
    assert intact(line_of(of)) == bool(of), "nothing stands before the checksum of a line that says nothing"
    assert not intact(flipped(line_of(of)))
    with contextlib.suppress(Damaged):
        assert unsealed(parsed_json(flipped(json.dumps(sealed(of), indent=1).encode()), "it"), "it") == of


@pytest.mark.parametrize("lost", range(5))
def test_a_flip_in_the_name_of_a_checksum_is_damage_too(lost):
    def renamed(text, name):
        other = name[:lost] + chr(ord(name[lost]) ^ 1) + name[lost + 1 :]
        return text.replace(f'"{name}"', f'"{other}"')

    with pytest.raises(ValueError, match="was changed"):
        parsed_line(renamed(line_of({"a": 1}).decode(), "crc32").encode())
    with pytest.raises(Damaged, match="was changed"):
        unsealed(json.loads(renamed(json.dumps(sealed({"a": 1})), SEAL)), "it")


@pytest.mark.parametrize("write", [lambda path: append_line(path, {"a": 1}), lambda path: write_json(path, {"a": 1})])
def test_nothing_is_written_through_a_link(tmp_path, write):
    other, path = tmp_path / "other", tmp_path / "ledger.jsonl"
    other.write_text("precious")
    path.symlink_to(other)
    path.with_name(f".{path.name}.{os.getpid()}").symlink_to(other)
    with pytest.raises(BadInput, match="is a link"):
        write(path)
    assert other.read_text() == "precious"


def test_no_file_has_no_lines(tmp_path):
    assert list(read_lines(tmp_path / "none.jsonl")) == []


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from medsearch.core.locks import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        os.kill(holder.pid, signal.SIGKILL)
        began = time.monotonic()
        with locked(tmp_path / "lock"):
            assert time.monotonic() - began < 10
