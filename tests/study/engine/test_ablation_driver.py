"""A sweep trains each distinct stage run once, in an order in which inputs come first, whatever happens to it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.core.errors import BadInput, StudyFailed
from medsearch.study.declare.spaces import uniform
from medsearch.study.declare.variants import Variant
from medsearch.study.engine.ablation_header import describe
from medsearch.study.engine.jobs import Job, RunResult
from tests.study import toy
from tests.study.ablations import FORTH, REQUEUED, ablation, header_of, sweep_of, sweep_out
from tests.study.ray.drive import do

EACH = {"toy-translation": 4, "toy-segmentation": 8, "toy-polish": 12, "toy-test": 12}  # two columns, two seeds


def trained(home: Path) -> Counter[str]:
    return Counter(execution["stage"] for execution in toy.executions(home))


def test_every_distinct_stage_run_is_trained_once(tmp_path: Path) -> None:
    sweep = sweep_of(ablation(), tmp_path)
    assert sum(len(owner.runs) for owner in sweep.graph.owners) == 48
    assert len(sweep.graph.items) == sum(EACH.values())
    sweep_out(sweep, slots=3)
    assert trained(tmp_path) == EACH
    assert (sweep.counts.stored, sweep.counts.failed) == (36, 0)
    again = sweep_of(ablation(), tmp_path)
    assert again.next() == "finished"
    assert trained(tmp_path) == EACH


@settings(max_examples=10, deadline=None)
@given(slots=st.integers(1, 5), seed=st.integers(0, 99))
def test_nothing_begins_before_its_inputs(slots: int, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("sweep")
    sweep = sweep_of(ablation(), home)
    taken, keep = {}, sweep.next

    def watched() -> object:
        job = keep()
        if isinstance(job, Job):
            (run,) = job.runs
            assert all(sweep.store.has(key) for key in run.upstream.values())
            taken[run.key] = taken.get(run.key, 0) + 1
        return job

    sweep.next = watched  # type: ignore[method-assign,assignment]
    sweep_out(sweep, slots=slots, seed=seed)
    assert set(taken.values()) == {1}
    assert len(taken) == 36


def test_the_longest_chain_begins_first(tmp_path: Path) -> None:
    sweep = sweep_of(ablation(), tmp_path)
    first = sweep.next()
    assert isinstance(first, Job)
    assert first.runs[0].node == "translation"
    sweep.ended(first.run, RunResult(state="failed", reason="made to fail", cause="error"))
    others = [sweep.next() for _ in range(3)]
    assert [job.runs[0].node for job in others if isinstance(job, Job)] == ["translation"] * 3
    assert sweep.next() == "not yet"


def test_a_failure_holds_back_what_takes_it_and_nothing_else(tmp_path: Path) -> None:
    broken = {"segmentation.weights.b": 1.0, "segmentation.accident": "bug"}
    rows = (Variant("good"), Variant("broken", broken))
    what = ablation(variants=rows)
    sweep = sweep_of(what, tmp_path)
    sweep_out(sweep)
    assert sweep.counts.failed == 4
    states = Counter(run.state for run in sweep.ledger.runs().values())
    assert states == {"complete": 4 + 4 * 3, "failed": 4}
    assert "Traceback" in next((sweep.ledger.folder / "failures").iterdir()).read_text()
    sweep.require_result()
    again = sweep_of(what, tmp_path)
    assert isinstance(again.next(), Job)  # a bug may have been mended


def test_a_divergence_is_not_tried_again(tmp_path: Path) -> None:
    what = ablation(toy_knobs={"translation.breaks": True})
    sweep = sweep_of(what, tmp_path)
    sweep_out(sweep)
    with pytest.raises(StudyFailed, match="toy translation diverged"):
        sweep.require_result()
    again = sweep_of(what, tmp_path)
    assert again.next() == "finished"
    assert again.counts.failed == 4


def test_one_row_alone(tmp_path: Path) -> None:
    sweep_out(sweep_of(ablation(), tmp_path, only=["wide"]))
    assert trained(tmp_path) == {"toy-translation": 4, "toy-segmentation": 4, "toy-polish": 4, "toy-test": 4}
    assert len(header_of(sweep_of(ablation(), tmp_path)).cells) == 12  # the table is whole


def test_another_study_s_stages_are_found_and_written_down(tmp_path: Path) -> None:
    sweep_out(sweep_of(ablation(), tmp_path))
    before = trained(tmp_path)
    other = sweep_of(ablation(name="other", variants=(Variant("same as wide", {"polish.wide": True}),)), tmp_path)
    assert other.next() == "finished"
    assert trained(tmp_path) == before
    runs = other.ledger.runs().values()
    assert {run.state for run in runs} == {"complete"}
    assert len(runs) == 16


def test_rows_retune_their_nuisance_knobs_on_equal_terms(tmp_path: Path) -> None:
    what = ablation(retune={"segmentation.weights.b": uniform(0, 1)}, trials=4, variants=ablation().variants[:2])
    sweep = sweep_of(what, tmp_path)
    assert not sweep.graph.cells
    sweep_out(sweep, slots=2)
    header = header_of(sweep)
    tried: dict[tuple[str, str], list[Any]] = {(one.row, one.column): [] for one in header.candidates}
    for one in header.candidates:
        tried[one.row, one.column].append((one.knobs, one.value, one.chosen))
    assert len(tried) == 4
    knobs = [[knobs for knobs, _, _ in each] for each in tried.values()]
    assert all(each == knobs[0] for each in knobs)
    assert knobs[0][0] == {}
    for each in tried.values():
        assert [chosen for _, _, chosen in each].count(True) == 1
        best = max(value for _, value, _ in each)
        assert next(value for _, value, chosen in each if chosen) == best
    cell = next(cell for cell in header.cells if cell.row == "wide" and cell.column == FORTH)
    assert "segmentation.weights.b" in cell.knobs


def test_a_row_whose_candidates_all_fail_is_a_failed_row(tmp_path: Path) -> None:
    broken = Variant("broken", {"translation.breaks": True})
    what = ablation(retune={"segmentation.weights.b": uniform(0, 1)}, trials=2, variants=(Variant("good"), broken))
    sweep = sweep_of(what, tmp_path)
    sweep_out(sweep)
    cells = [cell for cell in header_of(sweep).cells if cell.row == "broken"]
    assert len(cells) == 4
    assert all(dict(cell.stages)["translation"] in sweep.failed for cell in cells if cell.seed == 0)


def test_a_home_holds_one_scale_of_a_study(tmp_path: Path) -> None:
    sweep_of(ablation(), tmp_path)
    with pytest.raises(BadInput, match=r"'toy_ablation' .* another scale; choose another --home"):
        sweep_of(ablation().at("small"), tmp_path)


def test_the_table_grows_without_losing_what_is_stored(tmp_path: Path) -> None:
    sweep_out(sweep_of(ablation(seeds=(0,), tasks={FORTH: ablation().tasks[FORTH]}), tmp_path))
    sweep_out(sweep_of(ablation(), tmp_path))
    assert trained(tmp_path) == EACH
    assert REQUEUED in {cell.column for cell in header_of(sweep_of(ablation(), tmp_path)).cells}


def test_cells_of_a_row_that_retunes_are_in_the_header_before_their_stages_begin(tmp_path: Path) -> None:
    what = ablation(retune={"segmentation.weights.b": uniform(0, 1)}, trials=2, variants=ablation().variants[:2])
    sweep = sweep_of(what, tmp_path)
    while isinstance(job := sweep.next(), Job):
        assert set(job.keys) <= header_of(sweep).owners.keys()
        sweep.ended(job.run, do(sweep, job))
    before = sweep.ledger.header()
    describe(sweep.grapher, sweep.ledger, sweep.failed)
    assert sweep.ledger.header() == before, "a killed driver would have left nothing out"


def test_stages_that_are_found_for_a_cell_once_it_is_known_are_written_down(tmp_path: Path) -> None:
    base = {"fixed": {"segmentation.weights.b": 0.5}, "variants": (Variant("best as it stands"),), "seeds": (0,)}
    sweep_out(sweep_of(ablation(**base), tmp_path))
    retuned = sweep_of(
        ablation(**base, name="retuned", retune={"segmentation.weights.b": uniform(0, 1)}, trials=2), tmp_path
    )
    sweep_out(retuned)
    cells = {key for cell in header_of(retuned).cells for _, key in cell.stages}
    written = {run.stages[0][1] for run in retuned.ledger.runs().values() if run.state == "complete"}
    assert cells <= written


def test_an_objective_that_no_stage_reports_is_named(tmp_path: Path) -> None:
    what = ablation(retune={"segmentation.weights.b": uniform(0, 1)}, trials=2, objective="validation/dise")
    told = "stage 'polish' reports no 'validation/dise'; it reports validation/dice, validation/cost"
    with pytest.raises(BadInput, match=told):
        sweep_out(sweep_of(what, tmp_path))
