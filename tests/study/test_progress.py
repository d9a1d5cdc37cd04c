"""The board says what the events said, and guesses the time left from what runs took."""

from typing import Any

import pytest
from rich.console import Console

from medsearch.study import Random
from medsearch.study.engine.driver import Event
from medsearch.study.engine.jobs import RunResult
from medsearch.study.progress import board_of, clock, progress, render
from medsearch.study.record.ledger import PlannedRun
from tests.study.ray.drive import search
from tests.study.synthesis import weight_search


def trial(number: int, **knobs: Any) -> PlannedRun:
    return PlannedRun(role="trial", seed=0, number=number, knobs=knobs)


def ended(planned: PlannedRun, end: RunResult, kind: Any = "ended") -> Event:
    return Event(kind=kind, run=planned.run, planned=planned, end=end)


def started(planned: PlannedRun) -> Event:
    return Event(kind="started", run=planned.run, planned=planned)


def test_counts_best_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("medsearch.study.progress.time.monotonic", lambda: now[0])
    board = board_of(search(trials=4, finalists=1, references=(), sampler=Random()))
    one, two, three = (trial(number, **{"segmentation.weights.a": 1.5 + number}) for number in range(3))
    assert board.hear(ended(one, RunResult(state="complete", values=(0.5,)), kind="resumed")) is None
    assert board.seconds_left() is None, "what an earlier life did foretells nothing"
    board.hear(started(two))
    board.hear(started(three))
    now[0] = 10.0
    board.hear(Event(kind="epoch", run=three.run, node="segmentation", epoch=3, metrics={"validation/dice": 0.25}))
    assert (
        board.hear(ended(two, RunResult(state="complete", values=(0.75,))))
        == "trial-0001 complete: 0.7500 (best so far)"
    )
    assert board.leaders is not None
    assert (board.leaders.best or ("",))[0] == "trial-0001"
    # One trial and two replicates are to come, 10 s each; the one that runs has had its ten.
    assert board.seconds_left() == pytest.approx(4 * 10 - 10)
    line = board.hear(ended(three, RunResult(state="failed", reason="train/dice = nan at epoch 3", cause="diverged")))
    assert line == "trial-0002 failed: train/dice = nan at epoch 3"
    assert (board.count("trial"), board.count("trial", "failed"), board.count("trial", "cut")) == (3, 1, 0)
    assert "goes on from its checkpoint" in str(board.hear(Event(kind="retried", run="trial-0003")))


def test_the_board_on_a_terminal_shows_all_of_it() -> None:
    board = board_of(search(trials=4, sampler=Random()))
    one, two = trial(0, **{"segmentation.weights.a": 12.345}), trial(1)
    board.hear(started(one))
    board.hear(started(two))
    board.hear(ended(one, RunResult(state="complete", values=(0.5,))))
    dice = {"validation/dice": 0.25}
    board.hear(Event(kind="epoch", run=two.run, planned=two, node="segmentation", epoch=3, metrics=dice))
    console = Console(width=120)
    with console.capture() as shown:
        console.print(render(board))
    text = shown.get()
    for words in (
        "1/4",
        "1 running, 0 stopped, 0 failed",
        "0.5000 validation/dice",
        "a = 12.3",
        "epoch 3, 0.2500",
        "0/2",
    ):
        assert words in text


def test_without_a_terminal_each_end_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(search(trials=4, sampler=Random())) as listener:
        listener(started(trial(0)))
        listener(
            ended(trial(0), RunResult(state="cut", values=(0.1,), rung=2, reason="stopped by asha at epoch 2 with 0.1"))
        )
    assert capsys.readouterr().out == "[0:00:00] 1/4 trials  trial-0000 stopped by asha at epoch 2 with 0.1\n"


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0, 61.9, 3600 * 25 + 59)] == ["0:00:00", "0:01:01", "25:00:59"]


def test_of_several_objectives_the_front_is_told_and_not_a_best() -> None:
    board = board_of(weight_search())

    def ends(number: int, *values: float) -> str:
        planned = PlannedRun(role="trial", seed=0, number=number)
        end = RunResult(state="complete", values=values)
        return str(board.hear(Event(kind="ended", run=planned.run, planned=planned, end=end)))

    assert ends(0, 0.6, 2.0) == "trial-0000 complete: 0.6000, 2.0000 (on the front so far)"
    assert ends(1, 0.5, 3.0) == "trial-0001 complete: 0.5000, 3.0000"
    assert ends(2, 0.5, 1.0).endswith("(on the front so far)")
    assert ends(3, 0.7, 0.5).endswith("(on the front so far)")
    assert board.leaders is not None
    assert set(board.leaders.front) == {"trial-0003"}
