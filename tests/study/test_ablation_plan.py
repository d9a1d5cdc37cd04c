"""What a dry run promises holds afterwards; what a running ablation says; what sharing saved."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from medsearch.cohorts.tasks import CrossModalityTask
from medsearch.core.errors import BadInput
from medsearch.core.records import read_record, write_sealed
from medsearch.study.declare.spaces import uniform
from medsearch.study.declare.variants import Variant
from medsearch.study.engine.driver import Event
from medsearch.study.engine.jobs import RunResult
from medsearch.study.plan import Plan, plan_ablation, table
from medsearch.study.progress import board_of, progress, render
from tests.study import toy
from tests.study.ablations import FORTH, ROWS, ablation, sweep_of, sweep_out


def counted(plan: Plan) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(row.group, row.stage): (row.asked, row.distinct, row.stored) for row in plan.rows}


def shown(renderable: object, width: int = 120) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(renderable)
    return text.getvalue()


def test_what_is_planned_is_what_is_trained(tmp_path: Path) -> None:
    environments = {"brats2020": toy.study_environment(tmp_path)}
    before = plan_ablation(ablation(), environments)
    assert (before.asked, before.distinct, before.stored) == (48, 36, 0)
    assert counted(before)[FORTH, "toy-translation"] == (6, 2, 0)
    assert counted(before)[FORTH, "toy-segmentation"] == (6, 4, 0)
    assert before.hours is None
    sweep = sweep_of(ablation(), tmp_path)
    sweep_out(sweep)
    assert len(toy.executions(tmp_path)) == before.distinct
    after = plan_ablation(ablation(), environments)
    assert (after.asked, after.distinct, after.stored, after.hours) == (48, 36, 36, 0)


def test_hours_are_those_of_like_stages(tmp_path: Path) -> None:
    environments = {"brats2020": toy.study_environment(tmp_path)}
    sweep_out(sweep_of(ablation(seeds=(0,), toy_knobs={"translation.seconds": 0.02}), tmp_path))
    plan = plan_ablation(ablation(toy_knobs={"translation.seconds": 0.02}), environments, slots=1)
    assert plan.hours is not None
    assert plan.hours * 3600 >= 2 * 2 * 0.02
    assert plan.saved is not None
    assert plan.saved * 3600 >= 4 * 2 * 2 * 0.02


def test_one_row_s_plan(tmp_path: Path) -> None:
    plan = plan_ablation(ablation(), {"brats2020": toy.study_environment(tmp_path)}, only=["wide"])
    assert (plan.asked, plan.distinct) == (16, 16)
    with pytest.raises(BadInput, match="no row 'narrow'"):
        plan_ablation(ablation(), {"brats2020": toy.study_environment(tmp_path)}, only=["narrow"])


def test_a_plan_without_data_counts_what_is_distinct() -> None:
    plan = plan_ablation(ablation())
    assert (plan.asked, plan.distinct, plan.stored) == (48, 36, 0)


def test_cells_that_wait_for_candidates_are_told(tmp_path: Path) -> None:
    what = ablation(retune={"segmentation.weights.b": uniform(0, 1)}, trials=3, variants=ROWS[:2])
    plan = plan_ablation(what, {"brats2020": toy.study_environment(tmp_path)})
    assert plan.retuned == 8
    assert "8 cells follow once their rows' candidates have ended" in shown(table(plan))


def test_the_plan_as_a_table_fits_a_log() -> None:
    text = shown(table(plan_ablation(ablation())), width=80)
    assert "toy_ablation: 36 stage runs to train" in text
    assert "sharing saves 12 stage runs" in " ".join(text.split())
    assert all(len(line) <= 80 for line in text.splitlines())


def test_what_sharing_saved(tmp_path: Path) -> None:
    sweep = sweep_of(ablation(), tmp_path)
    assert sweep.graph.savings(sweep.store) == "no stage run is stored yet"
    sweep_out(sweep)
    assert sweep.graph.savings(sweep.store).startswith("36 stage runs served 48: ")
    for key, item in sweep.graph.items.items():
        manifest = sweep.store.folder(key) / "manifest.json"
        seconds = 1000.0 if item.run.node == "translation" else 10.0
        write_sealed(manifest, {**read_record(manifest), "seconds": seconds})
    assert sweep.graph.savings(sweep.store) == (  # 4 translations served 12, 8 segmentations served 12
        "36 stage runs served 48: 4,320 stage-seconds instead of 12,360, 65% saved by sharing"
    )


def test_a_log_says_what_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = Variant("broken", {"segmentation.weights.b": 1.0, "segmentation.accident": "bug"})
    what = ablation(variants=(Variant("good"), broken), seeds=(0,), tasks={FORTH: ablation().tasks[FORTH]})
    plan = plan_ablation(what, {"brats2020": toy.study_environment(tmp_path)})
    with progress(what, plan) as listener:
        sweep_out(sweep_of(what, tmp_path, listener=listener))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert "1/7 stage runs  translation-" in lines[0]
    assert "(good, seed 0)" in lines[0]
    failed = next(line for line in lines if "failed" in line)
    assert failed.endswith("(broken, seed 0): ValueError: a bug")


def test_the_board_shows_what_runs_and_how_long_is_left() -> None:
    plan = plan_ablation(ablation())
    board = board_of(ablation(), plan)
    assert board.seconds_left() is None
    from medsearch.study.record.ledger import PlannedRun

    planned = PlannedRun(role="stage", seed=0, label="wide", stages=(("polish", "ab" * 8),))
    board.hear(Event(kind="started", run=planned.run, planned=planned))
    board.hear(Event(kind="epoch", run=planned.run, planned=planned, node="polish", epoch=3))
    text = shown(render(board))
    assert "polish-abababababab" in text
    assert "wide, seed 0: epoch 3" in text
    assert "0/36" in text
    board.hear(Event(kind="ended", run=planned.run, planned=planned, end=RunResult(state="complete")))
    assert board.seconds_left() is not None
    assert "1/36" in shown(render(board))
    assert "goes on from its checkpoint" in str(board.hear(Event(kind="retried", run=planned.run)))


def test_what_sharing_saves_is_known_where_another_column_trains_it_all(tmp_path: Path) -> None:
    """Translation reads no target mask: columns that differ in those alone have none of their own."""
    tasks = {f"{part:.0%}": CrossModalityTask(target_labels=part) for part in (0.0, 0.5)}
    toy_knobs = {"translation.seconds": 0.02}
    sweep_out(sweep_of(ablation(tasks=tasks, toy_knobs=toy_knobs, seeds=(0,)), tmp_path))
    plan = plan_ablation(
        ablation(tasks=tasks, toy_knobs=toy_knobs, seeds=(0, 1)), {"brats2020": toy.study_environment(tmp_path)}
    )
    assert counted(plan)["50%", "toy-translation"] == (6, 0, 0)
    assert plan.saved is not None
    assert plan.saved * 3600 >= 10 * 2 * 0.02


def test_what_diverged_and_what_takes_it_is_not_planned_again(tmp_path: Path) -> None:
    environments = {"brats2020": toy.study_environment(tmp_path)}
    broken = Variant("broken", {"segmentation.weights.b": 1.0, "segmentation.accident": "diverge"})
    what = ablation(variants=(Variant("good"), broken))
    sweep_out(sweep_of(what, tmp_path))
    assert sweep_of(what, tmp_path).next() == "finished"
    plan = plan_ablation(what, environments)
    assert (plan.stored, plan.lost, plan.left) == (16, 12, 0)
    board = board_of(what, plan)
    board.hear(Event(kind="ended", run="found", end=RunResult(state="complete")))
    assert board.seconds_left() == 0, "nothing is waited for"
    text = " ".join(shown(table(plan)).split())
    assert "toy_ablation: 0 stage runs to train" in text
    assert "12 stage runs diverged before, or take what did: they are not tried again" in text
    bug = ablation(
        name="bug", variants=(Variant("good"), Variant("bug", {**broken.knobs, "segmentation.accident": "bug"}))
    )
    sweep_out(sweep_of(bug, tmp_path))
    assert (plan_ablation(bug, environments).lost, plan_ablation(bug, environments).left) == (0, 12), (
        "a bug may have been mended"
    )
