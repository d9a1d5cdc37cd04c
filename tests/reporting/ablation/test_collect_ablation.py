import shutil

import pytest

from medsearch.core.errors import BadInput
from medsearch.reporting.ablation.narrative import failures
from medsearch.reporting.collect import MOST, collect_ablation
from medsearch.stages.manifest import Manifest
from medsearch.stages.stage import Epoch
from medsearch.stages.store import Store
from medsearch.study.record.headers import Figure
from medsearch.study.record.ledger import Ledger, PlannedRun
from tests.reporting import made_up_ablation as made_up
from tests.reporting.made_up_ablation import BRATS, CROSSMODA, NO_ST, NO_TAMT, PROPOSED, SPARSE, SUPERVISED
from tests.study.headers import put, search_header


@pytest.fixture
def empty(tmp_path):
    return tmp_path / "studies" / "table", Store(tmp_path / "stages")


def replicate(results, row, column, seed):
    return next(run for run in results.cell(row, column).replicates if run.seed == seed)


def test_rows_columns_and_seeds_are_the_headers(results):
    assert [row.label for row in results.rows] == [NO_TAMT, NO_ST, PROPOSED, SPARSE, SUPERVISED]
    assert [column.label for column in results.columns] == [BRATS, CROSSMODA]
    assert results.row(SUPERVISED).kind == "reference"
    assert results.row(NO_ST).against == PROPOSED
    assert [run.seed for run in results.cell(PROPOSED, BRATS).replicates] == [0, 1, 2]
    assert (results.design.margin, results.design.supervised) == (0.03, SUPERVISED)
    assert results.design.reported == made_up.reported()


def test_a_column_says_on_which_data_and_by_which_rule_it_stands(results):
    brats, crossmoda = results.columns
    assert (brats.direction, brats.layout, brats.selection) == ("t1 → t2", "brats2020", "oracle")
    assert (crossmoda.layout, crossmoda.selection) == ("crossmoda2022", "pseudo-target")
    assert (brats.provenance.subjects, crossmoda.provenance.subjects) == (369, 274)
    assert brats.provenance.data_fingerprint != crossmoda.provenance.data_fingerprint


def test_a_finished_replicate_has_its_scores_cases_stages_and_seconds(results):
    run = replicate(results, PROPOSED, BRATS, 0)
    scores = made_up.scores(made_up.ROWS[2], BRATS, 0)
    assert run.state == "complete"
    assert set(run.metrics) == {"test/dice", "test/assd"}
    assert run.metrics["test/dice"] == pytest.approx(sum(case["dice"] for case in scores) / len(scores))
    assert [dict(case) for case in run.cases] == scores
    assert [node for node, _ in run.stages] == list(made_up.NODES)
    assert run.seconds == 60.0 * len(made_up.NODES)


def test_a_failed_replicate_says_where_and_why(results):
    diverged, too_large = replicate(results, NO_TAMT, BRATS, 1), replicate(results, SPARSE, CROSSMODA, 0)
    assert (diverged.state, diverged.cause, diverged.metrics) == ("failed", "diverged", {})
    assert diverged.reason == "test: loss 'adv' = nan at epoch 3: training diverged"
    assert (too_large.state, too_large.cause) == ("failed", "out of memory")
    assert too_large.reason.startswith("translation: ")


def test_what_is_under_way_or_not_begun_waits(results):
    assert replicate(results, SPARSE, CROSSMODA, 2).state == "waiting"
    assert replicate(results, SPARSE, CROSSMODA, 1).state == "complete"


def test_a_row_that_is_not_asked_of_a_column_has_an_empty_cell_there(results):
    assert not results.cell(SUPERVISED, CROSSMODA).asked
    assert results.cell(SUPERVISED, BRATS).asked
    assert SUPERVISED not in [row.label for row in results.rows_of(CROSSMODA)]


def test_a_stage_that_failed_and_was_then_stored_is_finished(home):
    folder, store = home
    key = made_up.stages(made_up.ROWS[0], BRATS, 1)[-1][1]
    store.aside(key)
    store.commit(key, Manifest(metrics={"test/dice": 0.5}, notes={}, seconds=1.0))
    assert replicate(collect_ablation(folder, store), NO_TAMT, BRATS, 1).state == "complete"


def test_test_cases_without_masks_are_counted(home):
    folder, store = home
    key = made_up.stages(made_up.ROWS[0], BRATS, 1)[-1][1]
    store.aside(key)
    store.commit(key, Manifest(metrics={}, notes={"cases": [], "unscored": 64}, seconds=1.0))
    assert replicate(collect_ablation(folder, store), NO_TAMT, BRATS, 1).unscored == 64


def test_a_stage_that_is_tried_again_no_longer_counts_as_failed(home):
    folder, store = home
    stage = made_up.stages(made_up.ROWS[0], BRATS, 1)[-1]
    Ledger(folder).started(PlannedRun(role="stage", seed=1, label=NO_TAMT, stages=(stage,)))
    assert replicate(collect_ablation(folder, store), NO_TAMT, BRATS, 1).state == "waiting"


def test_every_distinct_stage_run_comes_once_with_all_its_owners(results):
    keys = [run.key for run in results.runs]
    assert len(keys) == len(set(keys))
    shared = next(run for run in results.runs if run.node == "segmentation" and (NO_ST, BRATS) in run.owners)
    assert shared.owners == ((NO_ST, BRATS), (PROPOSED, BRATS))
    assert shared.asked == 2
    assert {run.state for run in results.runs} == {"complete", "failed", "running", "waiting"}
    (failed,) = (run for run in results.runs if run.state == "failed" and run.node == "test")
    assert failed.reason == "loss 'adv' = nan at epoch 3: training diverged"


def test_a_running_stage_shows_what_its_journal_has(home):
    folder, store = home
    (running,) = (run for run in collect_ablation(folder, store).runs if run.state == "running")
    assert running.seconds is None
    store.record(running.key, Epoch(1, {}), seconds=7.0, time=0.0)
    assert [run.seconds for run in collect_ablation(folder, store).runs if run.state == "running"] == [7.0]


def test_a_row_that_is_being_retuned_waits_and_its_configurations_are_told(retuned, tmp_path):
    folder, store = shutil.copytree(retuned[0], tmp_path / "table"), retuned[1]  # only the ledger changes
    _, key = made_up.retuned().candidates[4].stages[-1]
    planned = PlannedRun(role="stage", seed=0, label=NO_ST, stages=(("segmentation", key),))
    Ledger(folder).finished(Ledger(folder).started(planned), state="failed", reason="loss = nan", cause="diverged")
    results = collect_ablation(folder, store)
    assert [run.state for run in results.cell(SPARSE, BRATS).replicates] == ["waiting", "waiting"]
    assert results.cell(SPARSE, BRATS).replicates[0].stages == ()
    assert results.design.retuning.trials == 3
    assert results.design.base.trial == 12
    assert [one.chosen for one in results.candidates if one.row == PROPOSED] == [False, False, True]
    (lost,) = (one for one in results.candidates if one.row == NO_ST and one.value is None)
    assert lost.reason == "loss = nan"
    assert failures(results) == (f"{NO_ST}, {BRATS}, configuration 1: loss = nan",)


def test_pictures_are_of_each_cells_first_finished_seed_and_not_too_many(home):
    folder, store = home
    made_up.add_pictures(folder, store, names=("residuals", "translations", "own"), alike=False)
    results = collect_ablation(folder, store)
    titles = list(dict.fromkeys(picture.title for picture in results.pictures))
    assert titles == ["Translations", "Residuals", "own"]
    assert results.pictures[0].note == f"{NO_TAMT}, {BRATS}, seed 0"
    cells = sum(cell.asked for cell in results.cells)
    assert len(results.pictures) == 3 * MOST
    assert results.pictures_left_out == 3 * (cells - MOST)
    assert all((folder / "report" / picture.path).resolve().is_file() for picture in results.pictures)


def test_a_picture_that_rows_share_comes_once_and_names_them(home):
    folder, store = home
    made_up.add_pictures(folder, store, names=("translations",), alike=True)
    (picture,) = collect_ablation(folder, store).pictures
    assert picture.note == (
        f"{NO_TAMT}, {NO_ST}, {PROPOSED}, {SPARSE} and {SUPERVISED}, {BRATS}, seed 0; "
        f"{NO_TAMT}, {NO_ST} and {PROPOSED}, {CROSSMODA}, seed 0; {SPARSE}, {CROSSMODA}, seed 1"
    )


def test_tiles_are_read_only_where_the_figure_needs_them(home):
    folder, store = home
    made_up.add_tiles(folder, store, kinds={"residuals": ("presence", "absence")})
    assert collect_ablation(folder, store).tiles == ()
    panels = made_up.header(figure=Figure(kind="panels", kinds=("residuals",)))
    Ledger(folder).write_header(panels)
    tiles = collect_ablation(folder, store).tiles
    assert {(tile.kind, tile.what) for tile in tiles} == {("residuals", "presence"), ("residuals", "absence")}
    assert all((folder / "report" / tile.path).resolve().is_file() for tile in tiles)


@pytest.mark.parametrize("header", [None, search_header()])
def test_a_folder_without_an_ablation_is_refused(empty, header):
    folder, store = empty
    if header:
        put(folder, header)
    with pytest.raises(BadInput, match="no ablation in"):
        collect_ablation(folder, store)
