"""The plan counts what a run would then do."""

from collections import Counter
from pathlib import Path

import pytest

from medsearch.study import Random, Variant
from medsearch.study.plan import plan_search, table
from tests.study import toy
from tests.study.ray.drive import carry_out, driver_of, search

BOTH = (
    Variant("Plain", {"segmentation.weights.a": 0.2}),
    Variant("Wide", {"segmentation.weights.a": 0.3, "polish.wide": True}),
)


def test_what_is_planned_is_what_is_then_trained(tmp_path: Path) -> None:
    what = search(trials=3, finalists=1, sampler=Random(), references=BOTH, nuisance={})
    empty = plan_search(what, toy.study_environment(tmp_path), slots=2)
    assert not (tmp_path / "cohorts").exists(), "a plan prepares nothing"
    assert empty.hours is None
    counts = {(row.group, row.stage): (row.asked, row.distinct, row.stored, row.left) for row in empty.rows}
    assert counts[("prefix", "translation")] == (2, 2, 0, 2)
    assert counts[("trial", "segmentation")] == (3, 3, 0, 3)
    assert counts[("reference", "translation")] == (4, 0, 0, 0)
    assert counts[("reference", "test")] == (4, 4, 0, 4)
    assert counts[("replicate", "segmentation")] == (2, 1, 0, 1)
    assert counts[("replicate", "test")] == (2, 2, 0, 2)
    carry_out(driver_of(what, tmp_path))
    assert empty.left == len(toy.executions(tmp_path))

    done = plan_search(what, toy.study_environment(tmp_path))
    assert (done.left, done.hours) == (0, 0)
    more = search(trials=5, finalists=1, sampler=Random(), references=BOTH, nuisance={}, seeds=(0, 1, 2))
    left = {(row.group, row.stage): row.left for row in plan_search(more, toy.study_environment(tmp_path)).rows}
    assert left[("prefix", "translation")] == 1
    assert left[("trial", "polish")] == 2
    assert left[("reference", "test")] == 2


def test_without_data_there_is_still_a_plan() -> None:
    planned = plan_search(search(trials=3))
    assert Counter(row.group for row in planned.rows) == {"prefix": 1, "trial": 2, "reference": 4, "replicate": 3}
    assert all(row.stored == 0 for row in planned.rows)
    alone = plan_search(search(trials=3, finalists=0, references=()))
    assert [(row.group, row.asked) for row in alone.rows] == [("prefix", 1), ("trial", 3), ("trial", 3)]


def test_hours_come_from_recorded_timings_of_the_same_stage(tmp_path: Path) -> None:
    what = search(trials=2, finalists=0, references=(), seeds=(0,), toy={"segmentation.seconds": 0.05})
    carry_out(driver_of(what, tmp_path))
    longer = search(
        name="longer",
        trials=10,
        finalists=0,
        references=(),
        seeds=(0,),
        toy={"segmentation.seconds": 0.05, "segmentation.epochs": 40},
    )
    hours = {row.stage: row.hours for row in plan_search(longer, toy.study_environment(tmp_path)).rows}
    assert hours["translation"] == 0
    assert hours["segmentation"] == pytest.approx(10 * 40 * 0.05 / 3600, rel=1.0)
    assert (hours["segmentation"] or 0) > 10 * 40 * 0.05 / 3600


def test_the_table_shows_every_row() -> None:
    from rich.console import Console

    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(table(plan_search(search(trials=3))))
    text = shown.get()
    for word in ("toy_search", "translation", "replicate", "unknown", "to train"):
        assert word in text
