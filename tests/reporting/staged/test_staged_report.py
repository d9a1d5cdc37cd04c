"""The page, the files and the summary of a staged search, from its folder or made up."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from medsearch.core.errors import BadInput
from medsearch.reporting.collect import collect_staged
from medsearch.reporting.report import rebuild, summary, write_report
from medsearch.reporting.results import StagedResults, Trial
from medsearch.reporting.staged.document import answer, caption
from medsearch.reporting.storage import read_results
from medsearch.stages.store import Store
from medsearch.study import Best, Reaching, Refinement, StagedSearch
from medsearch.study.declare.rules import Rule
from medsearch.study.engine.jobs import StudyEnvironment
from medsearch.study.engine.staged_status import describe
from medsearch.study.record.headers import Bound, StagedHeader
from medsearch.study.record.ledger import Ledger
from tests.reporting.outline import Outline
from tests.reporting.staged import made_up_staged as made_up
from tests.reporting.written import files, page
from tests.reporting.written import summary as summary_of
from tests.study import toy
from tests.study.headers import written
from tests.study.staging import FIRST, SECOND, A, B, carry_out_staged, staged

MADE_UP = {
    "finished": made_up.finished(),
    "half done": made_up.half_done(),
    "begun": made_up.begun(),
    "no refinement": replace(made_up.finished(), refinement=None),
}


def shown(of: object) -> str:
    console = Console(width=160, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(of)
    return console.export_text()


@pytest.mark.parametrize("results", MADE_UP.values(), ids=MADE_UP)
def test_the_page_is_whole_and_links_to_its_searches_only(results: StagedResults) -> None:
    found = Outline(page(results))
    assert found.faults == []
    assert found.open == []
    begun = [group.study for group in results.groups if group.search]
    begun += [results.refinement.study] if results.refinement and results.refinement.search else []
    links = [href for href in found.attributes("href") if not href.startswith(("#", "data:"))]
    assert set(links) == {f"../../{study}/report/index.html" for study in begun}
    assert results.design.question in found.text


@pytest.mark.parametrize("results", MADE_UP.values(), ids=MADE_UP)
def test_files_can_be_read_again(results: StagedResults, tmp_path: Path) -> None:
    assert write_report(results, tmp_path) == tmp_path / "index.html"
    assert read_results(StagedResults, tmp_path / "results.json") == results
    lines = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [line["knob"] for line in lines] == list(made_up.POINT)
    assert "\n\n| Group | Frozen |" in files(results)["table.md"]
    assert summary_of(results)


def test_the_summary_has_a_line_for_each_group_and_the_verdict() -> None:
    lines = [line.strip() for line in summary_of(made_up.finished()).splitlines()]
    assert any(line.startswith("translation") and "λ_cyc = 8" in line and "0.310 (n=1)" in line for line in lines)
    assert any(line.startswith("segmentation") and line.endswith("2 of 2") for line in lines)
    assert any(line.startswith("Refinement: Left on the table: +0.050 test Dice") for line in lines)


def test_knobs_stand_in_their_domains_beside_the_paper_s() -> None:
    found = Outline(page(made_up.finished()))
    places = [dict(attributes) for name, attributes in found.elements if name == "circle"]
    assert len(places) >= 2
    assert "one of 1 and 1.5" in found.text
    assert "1 to 100, logarithmic" in found.attributes("aria-label")


def test_a_group_with_failed_and_cut_trials_says_so() -> None:
    whole = made_up.finished()
    cut = Trial(number=2, knobs={}, state="cut", value=0.1)
    failed = Trial(number=3, knobs={}, state="failed", reason="loss = nan")
    search = whole.groups[0].search
    assert search is not None
    first = replace(whole.groups[0], search=replace(search, trials=(*search.trials, cut, failed)), trials=4)
    results = replace(whole, groups=(first, whole.groups[1]))
    assert "4 of 4 (1 cut, 1 failed)" in Outline(page(results)).text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> StudyEnvironment:
    home = tmp_path_factory.mktemp("staged")
    list(carry_out_staged(staged(), home))
    return toy.study_environment(home)


def test_a_report_is_rebuilt_from_the_folders(place: StudyEnvironment) -> None:
    folder = place.study("toy_staged")
    assert rebuild(folder, place.store) == folder / "report" / "index.html"
    results = collect_staged(folder, place.store)
    assert [group.frozen is not None for group in results.groups] == [True, True]
    assert results.refinement is not None
    assert results.refinement.search is not None
    assert results.refinement.search.design.published.keys() <= {A, "segmentation.weights.b"}
    derived = json.loads((folder / "report" / "results.json").read_text())["derived"]
    assert derived["left"]["metric"] == "validation/dice"
    assert "Refinement: " in shown(summary(folder, place.store))


def test_a_group_s_own_page_names_its_metric_and_that_nothing_is_tested(place: StudyEnvironment) -> None:
    folder = place.study("toy_staged.1-first")
    page_of = rebuild(folder, place.store).read_text()
    assert "Validation Dice of segmentation" in page_of
    assert "no trial is tested in this search" in page_of


def test_a_refinement_around_another_point_is_not_shown(place: StudyEnvironment) -> None:
    first = replace(FIRST, freeze=Reaching(metric="validation/dice", at_most=0.7))
    describe(staged(groups=(first, SECOND)), place)
    results = collect_staged(place.study("toy_staged"), place.store)
    assert [group.frozen is not None for group in results.groups] == [True, False]
    assert "study 'toy_staged.2-second' in " in results.refused
    assert " stands on other frozen values: " in results.refused
    assert results.refinement is not None
    assert results.refinement.search is None
    assert answer(results).startswith("No answer yet: λ_a = ")
    describe(staged(), place)


def test_a_refinement_that_moved_is_refused_and_not_shown_whatever_it_moves_itself(tmp_path: Path) -> None:
    def declared(rule: Rule) -> StagedSearch:
        second = replace(SECOND, finalists=0, freeze=rule)
        return staged(groups=(FIRST, second), refinement=Refinement(trials=2, knobs=(B,)))

    list(carry_out_staged(declared(Best()), tmp_path))
    place = toy.study_environment(tmp_path)
    ledger = Ledger(place.study("toy_staged"))
    refined = collect_staged(ledger.folder, place.store).refinement
    assert refined is not None
    assert refined.search is not None

    whole = written(ledger, StagedHeader)
    first, second = whole.groups
    assert first.frozen is not None
    assert second.frozen is not None
    other = replace(first, frozen=replace(first.frozen, knobs={A: 1.5}))
    ledger.write_header(replace(whole, groups=(other, second)))
    refined = collect_staged(ledger.folder, place.store).refinement
    assert refined is not None
    assert refined.search is None, "a knob that stands still in it was frozen elsewhere"
    ledger.write_header(whole)

    below = Reaching(metric="validation/dice", at_most=second.frozen.value - 1e-6)
    describe(declared(below), place)
    results = collect_staged(ledger.folder, place.store)
    assert "study 'toy_staged.refinement' in " in results.refused
    assert " stands on other frozen values: " in results.refused
    assert results.refinement is not None
    assert results.refinement.search is None


def test_bounds_are_looked_up_in_the_refinement_s_last_stage(tmp_path: Path) -> None:
    bounded = replace(SECOND, freeze=Reaching(metric="validation/cost", at_most=3.0))
    list(carry_out_staged(staged(groups=(FIRST, bounded)), tmp_path))
    results = collect_staged(toy.study_environment(tmp_path).study("toy_staged"), toy.study_environment(tmp_path).store)
    assert results.groups[1].bound == Bound(metric="validation/cost", at_most=3.0)
    assert results.refinement is not None
    assert results.refinement.metrics["validation/cost"] in (1.0, 2.0)
    assert any("is within second's bound: validation/cost " in line for line in caption(results))


def test_a_folder_without_a_staged_search_is_refused(place: StudyEnvironment) -> None:
    with pytest.raises(BadInput, match="no staged search in"):
        collect_staged(place.study("toy_staged.1-first"), Store(place.home / "stages"))
