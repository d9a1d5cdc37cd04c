import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.locks import locked
from medsearch.core.records import append_line, read_json, read_lines, write_json


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
