"""The report of a search for a front, of a method without Dice: page, terminal, csv, LaTeX and json."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from medsearch.reporting.collect import collect_search
from medsearch.reporting.render.plotly_charts import figure
from medsearch.reporting.report import write_report
from medsearch.reporting.results import SearchResults
from medsearch.reporting.search import tables
from medsearch.reporting.search.charts import front_chart
from medsearch.reporting.search.document import summary_table
from medsearch.reporting.search.front import Front
from medsearch.reporting.search.narrative import answer, caption
from medsearch.reporting.search.tables import leading_metric
from medsearch.study.engine.ranking import dominates, scored
from tests.reporting.made_synthesis import searched
from tests.reporting.written import summary
from tests.study.synthesis import FORMS, OBJECTIVES

FOREIGN = ("Dice", "ASSD", "diseased", "hemisphere", "target-supervised", "Share of target", "false tumour")
"""Words of segmentation, which have no place here."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchResults, Path]:
    folder, store = searched(tmp_path_factory.mktemp("front"))
    results = collect_search(folder, store)
    write_report(results, folder / "report")
    return results, folder / "report"


def text_of(report: Path) -> str:
    """What a reader of the page sees, without its scripts."""
    page = (report / "index.html").read_text()
    return page[page.index("<body") :].split("<script>")[0].split("<div hidden")[0]


def test_the_front_is_what_no_trial_beats(written: tuple[SearchResults, Path]) -> None:
    results, _ = written
    of = Front(results)
    scores = {trial.number: scored(trial.values, OBJECTIVES.values()) for trial in of.compared}
    on = {trial.number for trial in of.trials}
    assert on == {n for n in scores if not any(dominates(other, scores[n]) for other in scores.values())}
    assert of.dominated
    assert not {trial.number for trial in results.in_state("failed")} & {*scores}
    assert list(of.trials) == sorted(of.trials, key=lambda trial: -trial.values[0])


def test_the_answer_says_that_there_is_a_front_and_no_winner(written: tuple[SearchResults, Path]) -> None:
    results, _ = written
    told, of = answer(results), Front(results)
    many = f"{len(of.trials)} of {len(of.compared)} complete trials are beaten by no other"
    assert told.startswith(f"There is no one best configuration but a front: {many} in validation SSIM and training")
    assert "reaches a test SSIM of 0." in told
    assert "finalists repeated over seeds" in told


def test_the_caption_counts_and_says_the_rule(written: tuple[SearchResults, Path]) -> None:
    results, _ = written
    lines, of = "\n".join(caption(results)), Front(results)
    assert f"{len(of.compared)} trials compared under seed 0, {len(of.trials)} on the front" in lines
    assert f"{len(of.dominated)} dominated; not compared: {len(results.in_state('failed'))} failed" in lines
    assert "first the best in validation SSIM, then always the one farthest" in lines
    assert "Less is better in MSE, MAE (HU) and training time (h)." in lines
    assert "Model selection (none): nothing is looked at; the weights of the last epoch count." in lines
    assert all(f"{form}." in lines for form in FORMS.values())
    assert any(
        line.startswith("The given images, unchanged, come to MSE 0.0123 and SSIM 0.457") for line in lines.splitlines()
    )


def test_the_columns_are_what_the_tests_report(written: tuple[SearchResults, Path]) -> None:
    results, _ = written
    assert leading_metric(results) == "test/ssim"
    assert summary_table(results, (), None).head == (
        "", "Validation SSIM", "Training time (h)", "Test SSIM", "MSE", "PSNR (dB)", "MAE (HU)", "Training time (h)",
    )  # fmt: skip
    bare = replace(results, finalists=(), references=())
    assert [column.metric for column in tables.tested(bare)] == ["test/ssim"]


def test_the_page_has_the_front_and_no_word_of_segmentation(written: tuple[SearchResults, Path]) -> None:
    _, report = written
    page = text_of(report)
    for part in ('href="#front"', "Pareto front", 'id="pareto_front"', "over seeds", "Test SSIM", "On the front"):
        assert part in page
    assert not [word for word in FOREIGN if word in page]
    files = {path.name for path in (report / "figures").iterdir()}
    assert {"pareto_front.png", "pareto_front.svg"} <= files


def test_the_figure_shows_trials_front_and_means_with_spread(written: tuple[SearchResults, Path]) -> None:
    results, _ = written
    chart, of = front_chart(results), Front(results)
    by_role = {series.role: series for series in chart.series}
    assert (chart.x, chart.y) == ("Training time (h), less is better", "Validation SSIM, more is better")
    assert len(by_role["front"].points) == len(of.trials)
    assert len(by_role["dominated"].points) == len(of.dominated)
    assert by_role["mean of the best"].spreads[0][1] > 0
    stairs = by_role["front line"].points
    assert stairs == tuple(sorted(stairs)), "from left to right, never down"
    drawn = figure(chart)
    assert any(trace.get("error_y") for trace in drawn["data"])
    assert "dtick" not in drawn["layout"]["xaxis"]


def test_files_hold_the_front_in_full(written: tuple[SearchResults, Path]) -> None:
    results, report = written
    of = Front(results)
    lines = list(csv.DictReader((report / "front.csv").open()))
    assert [int(line["trial"]) for line in lines] == [trial.number for trial in of.compared]
    assert sum(line["on_front"] == "True" for line in lines) == len(of.trials)
    best = next(csv.DictReader((report / "table.csv").open()))
    assert float(best["objective_hours_mean"]) == float(best["training_hours_mean"])
    assert best["on_front"] == "True"
    derived = json.loads((report / "results.json").read_text())["derived"]["front"]
    assert [one["trial"] for one in derived["front"]] == [trial.number for trial in of.trials]
    assert derived["objectives"][1] == {"metric": "training/hours", "direction": "minimize"}
    for name in ("table.md", "table.tex"):
        text = (report / name).read_text()
        assert not [word for word in FOREIGN if word in text]
    assert r"\label{tab:toy-weight-search-front}" in text


def test_the_terminal_has_it_too(written: tuple[SearchResults, Path]) -> None:
    text = summary(written[0])
    assert "On the front" in text
    assert "Training time (h), over seeds" in text


def test_a_search_that_minimises_one_error_is_sound(tmp_path: Path) -> None:
    folder, store = searched(tmp_path, objectives={"training/hours": "minimize"})
    results = collect_search(folder, store)
    write_report(results, folder / "report")
    assert results.design.objectives == {}
    page = text_of(folder / "report")
    assert "Pareto" not in page
    assert not [word for word in FOREIGN if word in page]
    assert "First finalist" not in page
    assert "Best = lowest mean training time (h) over seeds" in page
    values = [trial.value for trial in results.in_state("complete")]
    assert min(value for value in values if value is not None) == results.trial(results.finalists[0].number).value  # type: ignore[union-attr]


def test_before_anything_is_tested_no_word_of_segmentation_is_there_either(
    written: tuple[SearchResults, Path], tmp_path: Path
) -> None:
    results, _ = written
    untested = replace(
        results,
        finalists=(),
        references=tuple(replace(one, replicates=()) for one in results.references),
        design=replace(results.design, selection="oracle"),
        provenance=replace(results.provenance, truth="pairs"),
    )
    assert leading_metric(untested) == "test/ssim"
    write_report(untested, tmp_path / "report")
    assert not [word for word in FOREIGN if word in text_of(tmp_path / "report")]
