import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from medsearch.reporting.results import Replicate

from medsearch.core.reported import Reported
from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.variance_components import ONE_SEED
from medsearch.study.record.headers import Row, Skipped
from tests.reporting.ablation.ablation_results import CASES, column, results, run

DICE, ASSD = "test/dice", "test/assd"
PAPER = Reported(
    paper="P", where="Table 1", page=1, row="ours", column="task", metric="dice", value=0.70, spread=0.01,
    spread_of="seeds", n=3, cohort="brats2020", selection="oracle",
)  # fmt: skip


def diverged(seed: int) -> Replicate:
    return Replicate(seed=seed, state="failed", reason="loss = nan", cause="diverged")


def waiting(seed: int) -> Replicate:
    return Replicate(seed=seed, state="waiting")


def measure(*runs: Replicate):
    return Measures(results({"ours": runs})).all["ours", "task", DICE]


def test_a_whole_row_has_a_mean_over_seeds_and_another_spread_over_cases():
    of = measure(run(0, 0.5), run(1, 0.7))
    assert of.whole
    assert (of.seeds.mean, of.seeds.sd) == (pytest.approx(0.6), pytest.approx(0.2 / 2**0.5))
    assert of.cases.n == CASES
    assert of.cases.sd == pytest.approx(0.1 * (sum((i - 3.5) ** 2 for i in range(8)) / 7) ** 0.5 / 10)


def test_no_mean_of_a_row_is_one_over_survivors():
    of = measure(run(0, 0.5), diverged(1), waiting(2))
    assert not of.whole
    assert (of.seeds.n, of.seeds.failed, of.seeds.waiting, of.planned) == (1, 1, 1, 3)
    assert [(lost.seed, lost.word) for lost in of.lost] == [(1, "diverged"), (2, "waiting")]


def test_a_finished_seed_without_a_score_is_missing_too():
    of = measure(run(0, 0.5), dataclasses.replace(run(1, 0.7), metrics={DICE: float("nan")}))
    assert not of.whole
    assert [(lost.seed, lost.kind) for lost in of.lost] == [(1, "undefined")]


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ((run(0, 0.5), run(1, 0.7)), "0.600 ± 0.141 (n=2)"),
        ((run(0, 0.5),), "0.500 (n=1)"),
        ((run(0, 0.5), run(1, 0.7), diverged(2)), "0.600 ± 0.141 † (2 of 3, seed 2 diverged)"),
        ((run(0, 0.5), diverged(1), diverged(2)), "0.500 † (1 of 3, seeds 1 and 2 diverged)"),
        ((diverged(0), Replicate(seed=1, state="failed")), "0 of 2, seed 0 diverged, seed 1 failed"),
        ((waiting(0), waiting(1)), "not yet"),
        ((run(0, 0.5), waiting(1)), "0.500 † (1 of 2 so far)"),
        ((diverged(0), waiting(1)), "0 of 2 so far, seed 0 diverged"),
        ((run(0, 0.5), dataclasses.replace(run(1, 0.7), metrics={})), "0.500 † (1 of 2, seed 1 undefined)"),
    ],
)
def test_the_cell_says_what_it_rests_on(runs, text):
    assert cells.measured(measure(*runs)) == text


def test_a_cell_that_nobody_asks_for_says_so():
    assert cells.measured(None) == "not asked"


outcomes = st.lists(st.sampled_from(["complete", "failed", "waiting"]), min_size=1, max_size=5)


@given(outcomes=outcomes)
def test_every_planned_seed_is_counted_once(outcomes):
    made = {"complete": lambda seed: run(seed, 0.5), "failed": diverged, "waiting": waiting}
    of = measure(*(made[state](seed) for seed, state in enumerate(outcomes)))
    assert of.seeds.n + len(of.lost) == of.planned == len(outcomes)
    assert of.whole == (set(outcomes) == {"complete"})
    assert ("†" in cells.measured(of)) == (0 < of.seeds.n < of.planned)


def test_comparisons_are_corrected_within_a_column_over_the_rows_that_are_compared():
    rows = {
        "ours": (run(0, 0.7), run(1, 0.72)),
        "a": (run(0, 0.6, bend=0.01), run(1, 0.6, bend=0.01)),
        "b": (run(0, 0.69, bend=0.02), run(1, 0.71, bend=0.02)),
        "alone": (run(0, 0.3),),
    }
    found = Measures(results(rows, against={"a": "ours", "b": "ours"})).comparisons
    assert set(found) == {("a", "task", DICE), ("b", "task", DICE)}
    assert {one.family for one in found.values()} == {2}
    assert found["a", "task", DICE].effect.estimate == pytest.approx(-0.11, abs=0.01)
    assert all(one.p_holm >= one.p and one.wilcoxon_p_holm >= one.wilcoxon_p for one in found.values())


def test_a_comparison_over_fewer_seeds_is_marked():
    rows = {"ours": (run(0, 0.7), run(1, 0.7)), "a": (run(0, 0.6, bend=0.01), diverged(1))}
    measures = Measures(results(rows, against={"a": "ours"}))
    compared = measures.comparisons["a", "task", DICE]
    assert compared.seeds_left_out == (1,)
    assert cells.effect(measures.all["a", "task", DICE], measures).endswith("†")


def test_a_seed_that_both_rows_lost_is_missed_by_their_comparison():
    rows = {"ours": (run(0, 0.7), diverged(1)), "a": (run(0, 0.6, bend=0.01), diverged(1))}
    measures = Measures(results(rows, against={"a": "ours"}))
    assert measures.comparisons["a", "task", DICE].seeds_left_out == ()
    assert cells.effect(measures.all["a", "task", DICE], measures).endswith("†")
    whole = Measures(results({"ours": (run(0, 0.7),), "a": (run(0, 0.6, bend=0.01),)}, against={"a": "ours"}))
    assert not cells.effect(whole.all["a", "task", DICE], whole).endswith("†")


def test_too_few_cases_are_no_test_and_the_reason_is_kept():
    rows = {"ours": (run(0, 0.7, cases=3),), "a": (run(0, 0.6, cases=3),)}
    compared = Measures(results(rows, against={"a": "ours"})).comparisons["a", "task", DICE]
    assert cells.of_models(compared) == "no test"
    assert "fewer than 6" in compared.wilcoxon_reason
    assert cells.probability(compared) == "one seed"
    assert compared.reason == ONE_SEED


def test_a_row_is_not_compared_where_its_reference_is_not_asked():
    made = results({"ours": (run(0, 0.7),), "a": (run(0, 0.6),)}, against={"a": "ours"})
    only = dataclasses.replace(made, cells=tuple(cell for cell in made.cells if cell.row == "a"))
    assert Measures(only).comparisons == {}


def test_share_of_the_supervised_row():
    measures = Measures(
        results({"ours": (run(0, 0.6), run(1, 0.6)), "best": (run(0, 0.8), run(1, 0.8))}, supervised="best")
    )
    ours, best = (measures.all[row, "task", DICE] for row in ("ours", "best"))
    assert measures.share(ours).estimate == pytest.approx(0.75)
    assert cells.share(ours, measures) == "75% [74, 76]"  # a hundredth more is another share of a hard case
    assert cells.share(best, measures) == "100%"


def test_a_share_of_a_row_that_lacks_seeds_is_marked():
    rows = {"ours": (run(0, 0.6),), "best": (run(0, 0.8), diverged(1))}
    measures = Measures(results(rows, supervised="best"))
    assert cells.share(measures.all["ours", "task", DICE], measures).endswith("†")


def test_distances_have_no_share():
    measures = Measures(results({"ours": (run(0, 0.6),), "best": (run(0, 0.8),)}, supervised="best", metrics=(ASSD,)))
    assert cells.share(measures.all["ours", "task", ASSD], measures) == "–"


CLOSE = (run(0, 0.7), run(1, 0.702), run(2, 0.698))


def judged(runs=CLOSE, *, reported=(PAPER,), scale="paper", **origin):
    made = results({"ours": runs}, reported=reported, scale=scale)
    made = dataclasses.replace(made, columns=(column(scale=scale, **origin),))
    return Measures(made).verdicts.get(("ours", "task", DICE))


def test_agreement_is_found_on_the_papers_own_ground():
    assert judged().kind == "agrees"


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ({"phantom": True}, "synthetic"),
        ({"selection": "source"}, "another selection rule"),
        ({"layout": "crossmoda2022"}, "another cohort"),
        ({"scale": "tiny"}, "reduced scale: tiny"),
        ({"skipped": (Skipped(subject="a", problem="b"),)}, "1 case was skipped"),
    ],
)
def test_other_grounds_are_not_compared_and_the_reason_is_said(origin, told):
    verdict = judged(**origin)
    assert verdict.kind == "not comparable"
    assert told in verdict.reason


def test_missing_seeds_are_noted_in_the_verdict():
    assert "1 of 3 planned seeds have no value" in judged((run(0, 0.7), run(1, 0.702), diverged(2))).notes


def test_a_cell_that_waits_is_not_judged_and_one_that_failed_is():
    assert judged((waiting(0), waiting(1))) is None
    assert judged((diverged(0), diverged(1))).kind == "underpowered"


def test_the_margin_is_that_of_the_first_metric_and_others_have_their_own():
    paper = (dataclasses.replace(PAPER, metric="assd", value=3.0), PAPER)
    made = results({"ours": (run(0, 0.7), run(1, 0.7))}, reported=paper, metrics=(DICE, ASSD), margin=0.2)
    found = Measures(made).verdicts
    assert {metric: verdict.margin for (_, _, metric), verdict in found.items()} == {DICE: 0.2, ASSD: 0.1}


def test_reported_values_beside_no_cell_are_kept_in_sight():
    away = dataclasses.replace(PAPER, row="AttENT")
    share = dataclasses.replace(PAPER, metric="share", value=0.9)
    measures = Measures(results({"ours": (run(0, 0.7),)}, reported=(PAPER, share, away)))
    assert measures.unplaced == (away,)
    assert measures.reported_share(measures.all["ours", "task", DICE]) == share


def test_rows_of_a_column_keep_the_tables_order():
    made = results({"b": (run(0, 0.7),), "a": (run(0, 0.7),)})
    assert [of.row.label for of in Measures(made).of_block((made.columns[0], DICE))] == ["b", "a"]
    assert made.row("a") == Row(label="a", columns=("task",))


def test_a_mean_share_over_columns_stands_beside_the_papers():
    paper = dataclasses.replace(PAPER, metric="share", value=0.95, column="mean of 12 pairs", where="section 5.5.2")
    columns = (column("A"), column("B"))
    made = results(
        {"ours": (run(0, 0.6),), "best": (run(0, 0.8),)}, columns=columns, reported=(paper,), supervised="best"
    )
    (found,) = Measures(made).mean_shares
    assert (found.mean, found.columns, found.asked) == (pytest.approx(0.75), 2, 2)
    assert Measures(made).unplaced == ()


def test_a_mean_share_counts_the_columns_that_it_lacks():
    paper = dataclasses.replace(PAPER, metric="share", value=0.95, column="mean of 12 pairs")
    rows = {"ours": (run(0, 0.6),), "best": (run(0, 0.8),)}
    made = results(rows, columns=(column("A"), column("B")), reported=(paper,), supervised="best")
    lost = [cell for cell in made.cells if (cell.row, cell.column) != ("best", "B")]
    (found,) = Measures(dataclasses.replace(made, cells=tuple(lost))).mean_shares
    assert (found.columns, found.asked) == (1, 2)


@pytest.mark.parametrize("loser", ["ours", "best"])
def test_a_mean_share_is_over_no_survivors(loser):
    paper = dataclasses.replace(PAPER, metric="share", value=0.95, column="mean of 12 pairs")
    rows = {"ours": (run(0, 0.6), run(1, 0.6)), "best": (run(0, 0.8), run(1, 0.8))}
    made = results(rows, columns=(column("A"), column("B")), reported=(paper,), supervised="best")
    lost = {("A", loser): (run(0, 0.1), diverged(1))}
    cut = [dataclasses.replace(c, replicates=lost.get((c.column, c.row), c.replicates)) for c in made.cells]
    (found,) = Measures(dataclasses.replace(made, cells=tuple(cut))).mean_shares
    assert (found.mean, found.columns, found.asked) == (pytest.approx(0.75), 1, 2)


def test_the_papers_row_of_shares_belongs_to_the_only_variant():
    paper = dataclasses.replace(PAPER, row="% of TSMP", metric="share", value=0.9)
    made = results({"ours": (run(0, 0.6),), "best": (run(0, 0.8),)}, reported=(paper,), supervised="best")
    rows = (made.rows[0], dataclasses.replace(made.rows[1], kind="reference"))
    measures = Measures(dataclasses.replace(made, rows=rows))
    assert measures.reported_share(measures.all["ours", "task", DICE]) == paper
    assert measures.unplaced == ()
    assert Measures(made).unplaced == (paper,)
