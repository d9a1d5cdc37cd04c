"""Whole searches without Ray: every job done in this process."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.study import NSGA2, Random, Variant
from medsearch.study.engine.jobs import Job, RunResult
from medsearch.study.engine.search_driver import SearchDriver
from medsearch.study.record.headers import Finished
from medsearch.study.record.ledger import Ledger, RunRecord
from tests.study import toy
from tests.study.ray.drive import carry_out, do, driver_of, search

PLAIN = (Variant("Plain", {"segmentation.weights.a": 0.2}),)


def runs(home: Path) -> dict[str, RunRecord]:
    return Ledger(home / "studies" / "toy_search").runs()


def test_a_search_finds_better_than_the_paper_and_tests_only_what_it_may(tmp_path: Path) -> None:
    driver = driver_of(search(trials=10), tmp_path)
    carry_out(driver)
    found = runs(tmp_path)
    assert Counter(run.role for run in found.values()) == {"trial": 10, "prefix": 2, "reference": 2, "replicate": 4}
    assert {run.state for run in found.values()} == {"complete"}
    published, best = found["trial-0000"], found[f"trial-{driver.finalists[0]:04d}"]
    assert published.knobs["segmentation.weights.a"] == 1.0
    assert published.knobs["polish.wide"] is False, "what the paper does not name keeps the recipe's value"
    assert best.value is not None
    assert published.value is not None
    assert best.value > published.value + 0.1
    assert {run.role for run in found.values() if "test" in dict(run.stages)} == {"replicate", "reference"}
    for number in driver.finalists:
        again = found[f"replicate-{number:04d}-seed-0"]
        assert again.value == found[f"trial-{number:04d}"].value, "under the first seed it is the trial itself"
    assert len({execution["key"] for execution in toy.executions(tmp_path)}) == len(toy.executions(tmp_path))


class Killed(BaseException):
    """Stands in for a kill: nothing may catch it and tidy up."""


def frail(driver: SearchDriver, when: int) -> None:
    """Let the driver die at its `when`-th write, before or after it."""
    left = [when]

    def wrap(write: Any) -> Any:
        def dying(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            result = write(*args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return result

        return dying

    for owner, names in ((driver.ledger, ("started", "finished")), (driver.proposals, ("tell", "propose"))):
        for name in names:
            setattr(owner, name, wrap(getattr(owner, name)))


def outcome(home: Path) -> dict[str, Any]:
    return {name: (run.state, run.value, dict(run.knobs), run.stages) for name, run in runs(home).items()}


def test_killed_between_any_two_writes_it_ends_the_same(tmp_path: Path) -> None:
    small = search(trials=3, finalists=1, sampler=Random(), references=PLAIN, seeds=(0, 1))
    carry_out(driver_of(small, tmp_path / "whole"))
    whole = outcome(tmp_path / "whole")
    home, when = tmp_path / "frail", 1
    while True:  # die ever later in life after life, so that every kind of write is met
        driver = driver_of(small, home)
        frail(driver, when)
        try:
            carry_out(driver)
            break
        except Killed:
            when = when % 11 + 1 if when % 3 else when + 4
    assert outcome(home) == whole
    finished = Counter(
        event.run for event in Ledger(home / "studies" / "toy_search").events() if isinstance(event, Finished)
    )
    assert set(finished.values()) == {1}
    executed = Counter(execution["key"] for execution in toy.executions(home))
    assert set(executed.values()) == {1}, "a finished stage was trained again"
    told = [(number, end.value) for number, _, end in driver_of(small, home).proposals.ended()]
    assert told == [(number, whole[f"trial-{number:04d}"][1]) for number in range(3)]


def test_an_end_that_only_the_sampler_heard_of_stands(tmp_path: Path) -> None:
    small = search(trials=2, finalists=0, sampler=Random(), references=(), seeds=(0,))
    driver = driver_of(small, tmp_path)
    cut = RunResult(state="cut", values=(0.1,), rung=2, reason="stopped by asha at epoch 2 with 0.1")
    while isinstance(job := driver.next(), Job):
        if job.planned.role == "trial":
            driver.proposals.tell(0, cut)
            break  # killed before the ledger was written
        driver.ended(job.run, do(driver, job))
    again = driver_of(small, tmp_path)
    job = again.next()
    assert isinstance(job, Job)
    assert job.run == "trial-0001", "what was cut is not begun again"
    known = runs(tmp_path)["trial-0000"]
    assert (known.state, known.value, known.rung, known.reason) == ("cut", 0.1, 2, cut.reason)


def test_runs_side_by_side_share_no_unfinished_stage_and_their_order_changes_nothing(tmp_path: Path) -> None:
    small = search(trials=3, finalists=1, sampler=Random(), references=PLAIN)
    for slots in (3, 7):
        driver = driver_of(small, tmp_path / str(slots))
        watch(driver)
        carry_out(driver, slots=slots, seed=slots)
    assert outcome(tmp_path / "3") == outcome(tmp_path / "7")


def watch(driver: SearchDriver) -> None:
    """Refuse a job that shares an unfinished stage with one under way."""
    following = driver._next_job

    def watched() -> Job | None:
        job = following()
        busy = {key for other in driver.running.values() for key in other.keys if not driver.store.has(key)}
        assert job is None or not busy & set(job.keys)
        return job

    driver._next_job = watched  # type: ignore[method-assign]


def test_more_trials_seeds_and_references_train_only_what_is_new(tmp_path: Path) -> None:
    carry_out(driver_of(search(trials=2, finalists=1, seeds=(0,), references=()), tmp_path))
    before = {execution["key"] for execution in toy.executions(tmp_path)}
    driver = driver_of(search(trials=4, finalists=1, seeds=(0, 1), references=PLAIN), tmp_path)
    carry_out(driver)
    executed = Counter(execution["key"] for execution in toy.executions(tmp_path))
    assert set(executed.values()) == {1}
    assert before < set(executed)
    assert [run.state for run in runs(tmp_path).values()].count("complete") == 2 + 4 + 2 + len(
        [run for run in runs(tmp_path).values() if run.role == "replicate"]
    )


def test_a_reference_that_means_something_else_now_is_run_again(tmp_path: Path) -> None:
    what = search(trials=1, finalists=0, seeds=(0,), references=PLAIN)
    carry_out(driver_of(what, tmp_path))
    other = (Variant("Plain", {"segmentation.weights.a": 5.0}),)
    carry_out(driver_of(replace(what, references=other), tmp_path))
    reference = runs(tmp_path)["reference-plain-seed-0"]
    assert reference.knobs == {"segmentation.weights.a": 5.0}
    assert reference.value == pytest.approx(toy.quality(toy.Weights(a=5.0)), abs=0.01)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"nuisance": {}}, "space"),
        ({"selection": "source"}, "objective"),
        ({"fixed": {"translation.epochs": 3}}, "recipe"),
        ({"seeds": (1, 2)}, "first seed"),
    ],
)
def test_another_question_does_not_get_the_same_folder(tmp_path: Path, changes: dict[str, Any], part: str) -> None:
    driver_of(search(), tmp_path)
    with pytest.raises(BadInput, match=f"begun with another .*{part}"):
        driver_of(search(**changes), tmp_path)


@pytest.mark.parametrize(
    ("accident", "cause", "words"),
    [
        ("diverge", "diverged", "training diverged"),
        ("bug", "error", "ValueError: a bug"),
        ("memory", "infeasible", "no smaller micro-batch"),
    ],
)
def test_a_failed_trial_says_why_and_harms_no_other(tmp_path: Path, accident: str, cause: str, words: str) -> None:
    method = {"segmentation.accident": accident}
    published = {"segmentation.weights.a": 1.0, "segmentation.weights.b": 0.95}
    small = search(trials=3, finalists=1, sampler=Random(), references=(), toy=method, published=published)
    carry_out(driver_of(small, tmp_path))
    failed = runs(tmp_path)["trial-0000"]
    assert (failed.state, failed.cause, failed.value) == ("failed", cause, None)
    assert failed.reason is not None
    assert words in failed.reason
    assert "\n" not in failed.reason
    assert "Traceback" in (tmp_path / "studies/toy_search/failures/trial-0000.txt").read_text()
    told = driver_of(small, tmp_path).proposals.study.trials[0]
    state = "PRUNED" if cause == "infeasible" else "FAIL"
    assert (told.state.name, told.user_attrs["cause"], told.user_attrs["reason"]) == (state, cause, failed.reason)
    assert any(run.state == "complete" for run in runs(tmp_path).values() if run.role == "trial")


def test_without_its_shared_stages_a_study_fails_with_their_reason(tmp_path: Path) -> None:
    broken = search(toy={"translation.breaks": True}, references=())
    with pytest.raises(StudyFailed, match="toy translation diverged"):
        carry_out(driver_of(broken, tmp_path))
    assert runs(tmp_path)["prefix-0"].state == "failed"
    with pytest.raises(StudyFailed, match="diverged"):
        carry_out(driver_of(broken, tmp_path))


def test_without_one_complete_trial_a_study_fails_and_fewer_make_fewer_finalists(tmp_path: Path) -> None:
    few = search(trials=3, finalists=2, sampler=Random(), references=())
    driver = driver_of(few, tmp_path)
    failing = {0, 1}
    while isinstance(job := driver.next(), Job):
        end = do(driver, job)
        if job.planned.role == "trial" and job.planned.number in failing:
            end = replace(end, state="failed", values=(), reason="made to fail", cause="error")
        driver.ended(job.run, end)
    assert driver.finalists == (2,)
    driver.require_result()

    driver = driver_of(few, tmp_path / "other")
    while isinstance(job := driver.next(), Job):
        end = do(driver, job)
        if job.planned.role == "trial":
            end = replace(end, state="failed", values=(), reason="made to fail", cause="error")
        driver.ended(job.run, end)
    with pytest.raises(StudyFailed, match=r"none of 3 trials .* made to fail"):
        driver.require_result()


def test_several_objectives_choose_what_nothing_beats(tmp_path: Path) -> None:
    both = search(
        sampler=NSGA2(population=4),
        objectives={"validation/dice": "maximize", "validation/cost": "minimize"},
        trials=8,
        finalists=1,
        seeds=(0,),
        references=(),
    )
    driver = driver_of(both, tmp_path)
    carry_out(driver)
    values = {number: end.values for number, _, end in driver.proposals.ended()}
    best = values[driver.finalists[0]]
    assert not any(dice >= best[0] and cost <= best[1] and (dice, cost) != best for dice, cost in values.values())
    assert driver_of(both, tmp_path).next() == "finished"


def test_a_failed_replicate_is_tried_again_unless_it_diverged(tmp_path: Path) -> None:
    small = search(trials=2, finalists=1, sampler=Random(), references=PLAIN, seeds=(0,))
    driver = driver_of(small, tmp_path)
    causes = {"reference": "diverged", "replicate": "error"}
    while isinstance(job := driver.next(), Job):
        end = do(driver, job)
        if job.planned.role in causes:
            cause: Any = causes[job.planned.role]
            end = replace(end, state="failed", values=(), reason="made to fail", cause=cause)
        driver.ended(job.run, end)
    carry_out(driver_of(small, tmp_path))
    states = {run.role: run.state for run in runs(tmp_path).values()}
    assert (states["reference"], states["replicate"]) == ("failed", "complete")
