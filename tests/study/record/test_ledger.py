"""The ledger: names are functions of the run, the last event wins, and a torn line costs nothing else."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsearch.core.errors import BadInput
from medsearch.study.record.headers import AblationHeader, Event, Recovered, SearchHeader
from medsearch.study.record.ledger import HEADER, HEADER_COPY, Ledger, PlannedRun, fold, reference_name
from tests.study.headers import finished, search_header, started

TRIAL = PlannedRun(
    role="trial",
    number=3,
    seed=0,
    knobs={"segmentation.weights.rec": 2.5},
    stages=(("translation", "a1"), ("test", "b2")),
)


def test_names_say_what_is_run() -> None:
    assert PlannedRun(role="prefix", seed=2).run == "prefix-2"
    assert TRIAL.run == "trial-0003"
    assert PlannedRun(role="replicate", number=12, seed=1).run == "replicate-0012-seed-1"
    assert PlannedRun(role="reference", label="w/o ST (T1→T2)", seed=0).run == "reference-w-o-st-t1-t2-seed-0"


def test_a_run_without_a_name_is_refused() -> None:
    with pytest.raises(BadInput, match="needs the number"):
        _ = PlannedRun(role="trial", seed=0).run
    with pytest.raises(BadInput, match="letter or digit"):
        reference_name("→", 0)


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.started(TRIAL) == "trial-0003"
    running = ledger.runs()["trial-0003"]
    assert (running.state, running.value, running.ended) == ("running", None, None)
    assert (running.role, running.number, running.seed, running.label) == ("trial", 3, 0, "")
    assert (running.knobs, running.stages) == (dict(TRIAL.knobs), TRIAL.stages)
    ledger.finished("trial-0003", state="cut", values=(0.25,), rung=4, reason="below the median at epoch 4")
    cut = Ledger(tmp_path).runs()["trial-0003"]
    assert (cut.state, cut.value, cut.rung, cut.cause) == ("cut", 0.25, 4, None)
    assert cut.reason == "below the median at epoch 4"
    assert cut.started == running.started
    assert cut.ended is not None
    assert cut.ended >= cut.started


def test_starting_again_reopens_and_keeps_the_first_start(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.started(TRIAL)
    ledger.finished(TRIAL.run, state="failed", reason="out of memory", cause="OutOfMemoryError")
    first = ledger.runs()[TRIAL.run]
    ledger.started(TRIAL)
    again = ledger.runs()[TRIAL.run]
    assert (again.state, again.cause, again.ended, again.started) == ("running", None, None, first.started)


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.started(TRIAL)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + b'{"event":"finished","run":"trial-0003","state":"comp')
    assert ledger.runs()[TRIAL.run].state == "running"
    ledger.finished(TRIAL.run, state="complete", values=(0.5,))
    assert ledger.runs()[TRIAL.run].value == 0.5
    assert len(list(ledger.events())) == 2


def test_a_non_finite_value_survives(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.started(TRIAL)
    ledger.finished(TRIAL.run, state="failed", values=(math.nan,), cause="Diverged", reason="loss is nan")
    value = ledger.runs()[TRIAL.run].value
    assert value is not None
    assert math.isnan(value)


def test_an_empty_folder_is_an_empty_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "none")
    assert (ledger.runs(), ledger.header(), list(ledger.events())) == ({}, None, [])
    assert not ledger.folder.exists()


def test_the_header_is_replaced_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write_header(search_header(name="λ search", question="why?", seeds=(0, 1)))
    ledger.write_header(header := search_header(name="λ search", selection="oracle"))
    assert ledger.header() == header
    assert (tmp_path / HEADER_COPY).read_bytes() == (tmp_path / HEADER).read_bytes()


def test_a_header_that_says_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write_header(header := search_header(seeds=(0, 1)))
    before = (tmp_path / HEADER).stat().st_mtime_ns, (tmp_path / HEADER).stat().st_ino
    ledger.write_header(replace(header, seeds=(0, 1)))
    assert ((tmp_path / HEADER).stat().st_mtime_ns, (tmp_path / HEADER).stat().st_ino) == before


def test_a_header_is_asked_for_by_its_kind(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write_header(header := search_header())
    assert ledger.header(SearchHeader) == ledger.header() == header
    assert ledger.header(AblationHeader) is None


STEP = st.tuples(st.sampled_from(["p", "q", "r"]), st.sampled_from(["started", "complete", "cut", "failed"]))


@given(st.lists(STEP, max_size=12))
def test_the_last_event_of_a_run_wins(story: list[tuple[str, str]]) -> None:
    events: list[Event] = []
    last: dict[str, str] = {}
    for clock, (run, what) in enumerate(story):
        if what == "started":
            events.append(started(run=run, time=clock))
            last[run] = "running"
        else:
            events.append(finished(run=run, state=what, time=clock))
            if run in last:
                last[run] = what
    assert {run: record.state for run, record in fold(events).items()} == last


WRITTEN = (
    b'{"event":"started","run":"trial-0003","role":"trial","number":3,"label":"\\u03bb","seed":0,"knobs":{'
    b'"segmentation.weights.rec":2.5,"size":[8,8.0],"n":null},"stages":[{"node":"translation","key":"a1"},{"node":"test",'
    b'"key":"b2"}],"time":1700000000.25,"crc32":"946acc8a"}',
    b'{"event":"finished","run":"trial-0003","state":"cut","value":0.25,"rung":4,"reason":"below the median at epoch '
    b'4","cause":null,"time":1700000000.25,"crc32":"75786e68"}',
    b'{"event":"finished","run":"trial-0003","state":"complete","value":0.25,"rung":null,"values":[0.25,3],"reason":null,'
    b'"cause":null,"time":1700000000.25,"crc32":"1e4f0ff0"}',
    b'{"event":"finished","run":"trial-0003","state":"failed","value":NaN,"rung":null,"reason":"loss is nan",'
    b'"cause":"Diverged","time":1700000000.25,"crc32":"7550324b"}',
    b"17",
    b'{"event":"recovered","faulty":1,"time":1700000000.25,"crc32":"bcfc65f6"}',
)
"""By the version before events were records."""


def test_a_ledger_is_written_byte_by_byte_as_earlier_versions_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1700000000.25)
    ledger = Ledger(tmp_path)
    knobs = {"segmentation.weights.rec": 2.5, "size": (8, 8.0), "n": None}
    run = ledger.started(replace(TRIAL, label="λ", knobs=knobs))
    ledger.finished(run, state="cut", values=(0.25,), rung=4, reason="below the median at epoch 4")
    ledger.finished(run, state="complete", values=(0.25, 3))
    ledger.finished(run, state="failed", values=(math.nan,), reason="loss is nan", cause="Diverged")
    with ledger.path.open("a") as file:
        file.write("17\n")
    ledger.note_recovered()
    assert ledger.path.read_bytes().splitlines() == list(WRITTEN)


def test_faulty_lines_are_passed_over_until_the_study_has_ended_since(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    run = ledger.started(TRIAL)
    with ledger.path.open("a") as file:
        file.write('{"event":"of a later version"}\n17\n{"event":"started"}\n')
    ledger.finished(run, state="complete", values=(0.5,))
    assert [event.event for event in ledger.events()] == ["started", "finished"]
    faulty = ledger.faulty()
    assert [(of.what, of.problem) for of in faulty] == [
        (f"line 3 of {ledger.path}", "is a number instead of an object"),
        (f"line 4 of {ledger.path}", "has no field 'run'"),
    ]
    assert [str(of) for of in ledger.unrecovered()] == [str(of) for of in faulty]
    ledger.note_recovered()
    assert ledger.unrecovered() == []
    assert len(ledger.faulty()) == 2
    ledger.note_recovered()
    assert sum(isinstance(event, Recovered) for event in ledger.events()) == 1
