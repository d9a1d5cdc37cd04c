"""Early stopping: what it sees, what it cuts, and that a restart does not change its mind."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medsearch.study import ASHA, Median
from medsearch.study.declare.schedulers import RUNG, SELECTION, Scheduler
from medsearch.study.ray.rungs import Point, Rungs, recorded
from tests.study.ray.drive import FULL, carry_out, driver_of, search


def rungs(rule: Scheduler, *, maximise: bool = True) -> Rungs:
    return Rungs(rule, maximise=maximise)


def points(seed: int, runs: int = 8, epochs: int = 9) -> list[Point]:
    """Curves of several runs, their epochs interleaved as workers would."""
    rng = random.Random(seed)
    level = {f"trial-{number:04d}": rng.random() for number in range(runs)}
    left = dict.fromkeys(level, 0)
    found: list[Point] = []
    while left:
        run = rng.choice(sorted(left))
        left[run] += 1
        found.append((float(len(found)), run, left[run], level[run] * left[run] / epochs + 0.05 * rng.random()))
        if left[run] == epochs:
            del left[run]
    return found


def cuts(rule: Rungs, shown: list[Point]) -> dict[str, int]:
    stopped: dict[str, int] = {}
    for _, run, epoch, value in shown:
        if run not in stopped and rule.judge(run, epoch, value):
            stopped[run] = epoch
    return stopped


@pytest.mark.parametrize(
    "rule", [ASHA(grace=2, because="x"), ASHA(grace=1, reduction=2, because="x"), Median(grace=3, because="x")]
)
@pytest.mark.parametrize("seed", range(4))
def test_it_cuts_the_same_whether_or_not_it_was_interrupted(rule: Scheduler, seed: int) -> None:
    shown = points(seed)
    whole = cuts(rungs(rule), shown)
    for at in (5, 20, 40):
        lived = [p for p in shown[:at] if p[1] not in whole or p[2] <= whole[p[1]]]
        again = rungs(rule)
        again.recall(lived, open_runs=set())
        later = [p for p in shown[at:] if p[1] not in whole or p[2] <= whole[p[1]]]
        expected = {run: epoch for run, epoch in whole.items() if any(p[1:3] == (run, epoch) for p in later)}
        assert cuts(again, later) == expected
    assert all(epoch >= rule.at("tiny").grace for epoch in whole.values())  # type: ignore[union-attr]


def test_some_are_cut_and_never_the_best() -> None:
    for seed in range(4):
        shown = points(seed)
        best = max((p for p in shown if p[2] == 9), key=lambda p: p[3])[1]
        for rule in (ASHA(grace=2, because="x"), Median(grace=3, because="x")):
            stopped = cuts(rungs(rule), shown)
            assert stopped
            assert best not in stopped
        lowest = {run: -value for _, run, _, value in shown}
        assert lowest
    assert cuts(rungs(FULL), points(0)) == {}


def test_a_smaller_value_may_be_the_better_one() -> None:
    shown = points(1)
    turned = [(time, run, epoch, -value) for time, run, epoch, value in shown]
    rule = ASHA(grace=2, because="x")
    assert cuts(rungs(rule), shown) == cuts(rungs(rule, maximise=False), turned) != {}


def test_an_open_run_that_its_curve_condemns_is_not_trained_on() -> None:
    shown = points(0)
    whole = cuts(rungs(ASHA(grace=2, because="x")), shown)
    run, epoch = next(iter(whole.items()))
    until = next(index for index, p in enumerate(shown) if p[1:3] == (run, epoch)) + 1
    again = rungs(ASHA(grace=2, because="x"))
    again.recall(shown[:until], open_runs={run})
    assert (again.judged[run].state, again.judged[run].rung) == ("cut", epoch)
    assert f"stopped by asha at epoch {epoch}" in str(again.judged[run].reason)


def tune_trial(run: str, nodes: tuple[str, ...] = ("translation", "test")) -> Any:
    job = SimpleNamespace(run=run, runs=[SimpleNamespace(node=node) for node in nodes])
    metadata = SimpleNamespace(num_failures=0)
    return SimpleNamespace(config={"payload": SimpleNamespace(job=job)}, trial_id="random", run_metadata=metadata)


def test_a_run_that_gets_further_may_lose_as_many_workers_as_it_will() -> None:
    rule, trial = rungs(FULL), tune_trial("trial-0")

    def failures_after(node: str, epoch: int, *, before: int) -> int:
        trial.run_metadata.num_failures = before
        rule.on_trial_result(None, trial, {"node": node, "epoch": epoch})
        return int(trial.run_metadata.num_failures)

    assert failures_after("translation", 1, before=2) == 0
    assert failures_after("translation", 1, before=1) == 1, "as far as the worker that died"
    assert failures_after("translation", 7, before=2) == 0
    assert failures_after("translation", 5, before=2) == 2
    assert failures_after("test", 1, before=2) == 0, "a later stage, whatever its epoch"
    assert failures_after("translation", 9, before=2) == 2


def test_results_without_a_rung_are_never_judged() -> None:
    rule = rungs(ASHA(grace=1, because="x"))
    for number in range(6):
        high = {RUNG: 1, SELECTION: 1.0 + number}
        assert rule.on_trial_result(None, tune_trial(f"trial-{number}"), high) == "CONTINUE"
    assert rule.on_trial_result(None, tune_trial("reference-x-seed-0"), {"node": "test", "epoch": 1}) == "CONTINUE"
    assert rule.on_trial_result(None, tune_trial("trial-9"), {RUNG: 1, SELECTION: 0.0}) == "STOP"


def test_recorded_curves_are_those_of_the_searched_stage_in_order_of_time(tmp_path: Path) -> None:
    what = search(trials=3, finalists=0, references=(), seeds=(0,))
    driver = driver_of(what, tmp_path)
    carry_out(driver)
    found = list(recorded(driver.store, what, driver.ledger.runs().values()))
    assert [p[0] for p in found] == sorted(p[0] for p in found)
    assert [(p[1], p[2]) for p in found] == [(f"trial-{n:04d}", epoch) for n in range(3) for epoch in range(1, 5)]
    driver.ledger.finished("trial-0001", state="cut", values=(0.1,), rung=2)
    found = list(recorded(driver.store, what, driver.ledger.runs().values()))
    shown = [p[2] for p in found if p[1] == "trial-0001"]
    assert shown == [1, 2], "later epochs are another run's, which went on from the cut trial's checkpoint"
