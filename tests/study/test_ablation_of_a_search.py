"""An ablation of what a search found: its rows vary the winner."""

from pathlib import Path

import pytest

from medsearch.core.errors import BadInput
from medsearch.study.declare.variants import Variant
from medsearch.study.engine.identity import note
from medsearch.study.plan import plan_ablation
from tests.study import toy
from tests.study.ablations import FORTH, TASKS, ablation, header_of, sweep_of, sweep_out
from tests.study.ray.drive import carry_out, driver_of, search

SEARCHED = search(trials=4, finalists=1, seeds=(0,), references=())
ROWS = (Variant("winner"), Variant("winner, other b", {"segmentation.weights.b": 0.9}))


def test_rows_vary_the_best_configuration(tmp_path: Path) -> None:
    driver = driver_of(SEARCHED, tmp_path)
    carry_out(driver)
    note(driver.ledger, chosen=driver.finalists)
    trained = len(toy.executions(tmp_path))
    best = driver.ledger.runs()[f"trial-{driver.finalists[0]:04d}"].knobs
    what = ablation(of=SEARCHED, variants=ROWS, seeds=(0,), tasks={FORTH: TASKS[FORTH]})
    sweep = sweep_of(what, tmp_path)
    assert (base := header_of(sweep).of) is not None
    assert base.trial == driver.finalists[0]
    knobs = {cell.row: cell.knobs for cell in sweep.graph.cells}
    assert all(knobs["winner"][knob] == value for knob, value in best.items())
    assert knobs["winner, other b"]["segmentation.weights.b"] == 0.9
    assert knobs["winner, other b"]["segmentation.weights.a"] == best["segmentation.weights.a"]
    sweep_out(sweep)
    assert len(toy.executions(tmp_path)) == trained + 3, "the winner's own stages are the search's"


def test_a_search_that_has_not_ended_is_named(tmp_path: Path) -> None:
    what = ablation(of=SEARCHED, variants=ROWS)
    told = r"varies the best configuration of 'toy_search', which has none at scale 'tiny' .*; run that study first"
    with pytest.raises(BadInput, match=told):
        sweep_of(what, tmp_path)
    with pytest.raises(BadInput, match="run that study first"):
        plan_ablation(what, {"brats2020": toy.study_environment(tmp_path)})
