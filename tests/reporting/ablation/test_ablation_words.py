import dataclasses

import numpy as np
import pytest

from medsearch.core.reported import Reported
from medsearch.reporting.ablation import cells
from medsearch.reporting.ablation.measures import Measures
from medsearch.reporting.ablation.narrative import answer, caption, failures, unfinished, warnings
from medsearch.reporting.collect import collect_ablation
from medsearch.reporting.results import Replicate
from medsearch.reporting.variance_components import difference
from medsearch.study.record.headers import Skipped
from tests.reporting.ablation.ablation_results import column, results, run
from tests.reporting.made_up_ablation import BRATS, SPARSE


def test_the_caption_tells(results):
    """A line per matter; of each, what nobody may miss."""
    told = "\n".join(caption(Measures(results)))
    parts = (
        "mean ± sample SD over seeds 0, 1 and 2",
        "SD over cases is that of each test case's mean over seeds",
        "† Planned seeds are missing",
        "BraTS : T1 → T2: BraTS2020; 369 subjects",
        "model selection (oracle): target labels (oracle): an upper bound",
        "model selection (pseudo-target): translated source images",
        "Set for every row: lr = 0.0001.",
        "Set for every row in CrossMoDA : T1ce → hrT2: λ_rec = 75.",
        "Frozen: no knob was tuned for any row",
        "share translation, synthesis and segmentation seed by seed (CrossMoDA : T1ce → hrT2).",
        "p is of the methods, from the same distribution as the interval. Wilcoxon's signed-rank test is of these "
        "trained models alone, on other test cases",
        "95% intervals: where the mean over all seeds and test cases that there could be is likely to lie",
        "With 3 seeds and 12 test cases, a difference in Dice of 0.0665 would be shown in 80% of studies (p < 0.05 "
        "after Holm over 2; forecast from the spread that these show; of 4 comparisons, 1 with fewer)",
        "Share of “Target supervised”: ratio of mean test Dice over the seeds and cases that both rows have.",
        "Verdicts within a margin of 0.03: two one-sided tests",
        "Reported: MoDATTS, thesis ch. 5, Table 5.5, p. 78. Their ± is the SD over 3 seeds (BraTS : T1 → T2) and "
        "64 cases (CrossMoDA : T1ce → hrT2).",
        "Replicates: 27 planned (3 seeds of 9 cells), 24 tested, 2 failed, 1 to come.",
        "Failed: w/o TAMT w/o ST, BraTS : T1 → T2, seed 1: test: loss 'adv' = nan at epoch 3: training diverged.",
        "Failed: w/o P → A and A → P, CrossMoDA : T1ce → hrT2, seed 0: translation: out of memory: asked for 9.1 GiB.",
        "ASSD (mm) is undefined in 24 of 288 case scores, which means leave out (most of all in w/o TAMT w/o ST",
    )
    assert [part for part in parts if part not in told] == []


def test_every_failure_is_a_line(results):
    assert len(failures(results)) == sum(run.state == "failed" for run in results.replicates) == 2


def test_retuning_and_a_searchs_base_are_told(retuned):
    measures = Measures(collect_ablation(*retuned))
    told = "\n".join(caption(measures))
    retuned = "Re-tuned for every row and column: λ_segmentation seg, over the same 3 configurations each, under seed 0"
    assert f"{retuned}, by validation/dice; all else is frozen." in told
    assert "Base: trial 12 of the search modatts_lambda_search (λ_rec = 61.5)." in told
    assert "Frozen:" not in told
    assert any(line.startswith("Phantom cohort: synthetic subjects") for line in warnings(measures))
    assert unfinished(measures.results) == "2 replicates"
    assert measures.results.cell(SPARSE, BRATS).asked


def small(second: tuple[Replicate, ...] = (), **changes):
    rows = {"ours": (run(0, 0.7), run(1, 0.72)), "a": second or (run(0, 0.6, bend=0.01), run(1, 0.62, bend=0.01))}
    return Measures(results(rows, against={"a": "ours"}, **changes))


def test_the_answer_names_what_differs():
    assert answer(small()) == ("Methods that differ in Dice (p < 0.05 after Holm), 1 of 1: “a” −0.095 against “ours”.")


def test_the_answer_says_when_nothing_differs():
    ours = (run(0, 0.7), run(1, 0.72))
    neighbours = (
        dataclasses.replace(one, cases=tuple({**c, "dice": one.cases[i ^ 1]["dice"]} for i, c in enumerate(one.cases)))
        for one in ours
    )
    assert answer(small(tuple(neighbours))).startswith("Methods that differ in Dice (p < 0.05 after Holm), 0 of 1.")


def test_seeds_that_disagree_show_nothing_and_how_many_would_is_said():
    found = answer(small((run(0, 0.58, bend=0.01), run(1, 0.66, bend=0.01))))
    assert found == (
        "Methods that differ in Dice (p < 0.05 after Holm), 0 of 1. "
        "With 2 seeds and 8 test cases, a difference in Dice of 0.494 would be shown in 80% of studies (p < 0.05; "
        "forecast from the spread that these show); 19 seeds (17 more) would show one of 0.03."
    )


def test_a_line_is_compared_with_another_by_the_mean_over_their_points():
    """Three points whose differences vary over seeds apart from each other: their mean is what is tested."""
    points = ("1 %", "10 %", "40 %")
    rows = {
        f"{line}, {x}": (run(0, 0.5 + lower * place), run(1, 0.52), run(2, 0.51))
        for line, lower in (("kept", 0.0), ("cut", 0.02))
        for place, x in enumerate(points)
    }
    made = results(rows, against={f"cut, {x}": f"kept, {x}" for x in points})
    lined = tuple(dataclasses.replace(row, line=row.label.partition(",")[0]) for row in made.rows)
    measures = Measures(dataclasses.replace(made, rows=lined))
    ((key, found),) = ((key, one) for key, one in measures.line_comparisons.items() if key[3] == "test/dice")
    assert key == ("cut", "kept", "task", "test/dice")
    of_points = [measures.comparisons[f"cut, {x}", "task", "test/dice"].effect.estimate for x in points]
    assert found.effect.estimate == pytest.approx(np.mean(of_points)) == pytest.approx(0.02 / 3)
    tables = [
        [[a - b for a, b in zip(*((c["dice"] for c in one.cases) for one in pair), strict=True)]
         for pair in zip(rows[f"cut, {x}"], rows[f"kept, {x}"], strict=True)]
        for x in points
    ]  # fmt: skip
    half = float(difference(np.mean(tables, axis=0), np.zeros((3, 8))).half_width())
    assert found.effect.high - found.effect.estimate == pytest.approx(half)
    told = "\n".join(caption(measures))
    assert "Mean over the points of “cut” minus that over those of “kept” (task, Dice): +0.007 [−0.0" in told
    assert f"], p = {found.p:.2g}, over 8 cases within 3 seeds." in told
    assert Measures(made).line_comparisons == {}


def test_differences_of_seeds_of_their_own_are_said_to_be():
    rows = {"ours": (run(0, 0.7), run(1, 0.72)), "a": (run(5, 0.6, bend=0.01), run(6, 0.62, bend=0.01))}
    told = "\n".join(caption(Measures(results(rows, against={"a": "ours"}))))
    assert "Difference of “a” (task): rows of fewer than two shared seeds, each taken over all seeds of its own" in told
    assert "each taken" not in "\n".join(caption(small()))


def test_one_seed_says_nothing_of_the_methods_and_what_it_says_of_the_models():
    one = {"ours": (run(0, 0.7),), "a": (run(0, 0.6, bend=0.01),), "same": (run(0, 0.7),)}
    measures = Measures(results(one, against={"a": "ours", "same": "ours"}))
    assert answer(measures) == (
        "Nothing is known of the methods in 2 comparisons: one seed says nothing of how a method varies between seeds. "
        "Trained models that differ in Dice over test cases (Wilcoxon, p < 0.05 after Holm), 1 of 1: "
        "“a” −0.095 against “ours”."
    )
    told = "\n".join(caption(measures))
    assert "so there are none." in told
    assert "No test of any row as methods: one seed says nothing of how" in told
    assert "would be shown in 80%" not in told
    few = {label: tuple(dataclasses.replace(r, cases=r.cases[:3]) for r in rows) for label, rows in one.items()}
    assert "Too few test cases differ to test these trained models." in answer(
        Measures(results(few, against={"a": "ours"}))
    )


def test_the_same_difference_everywhere_is_not_tested():
    rows = {"ours": (run(0, 0.7), run(1, 0.7)), "far": (run(0, 0.5), run(1, 0.5))}
    measures = Measures(results(rows, against={"far": "ours"}))
    assert answer(measures) == (
        "The same difference in Dice under every seed and in every case, so that no test was made, 1 of 1: "
        "“far” −0.200 against “ours”."
    )
    assert "as methods: the same difference everywhere over 8 cases within 2 seeds." in "\n".join(caption(measures))


def test_the_answer_counts_verdicts():
    paper = Reported(
        paper="P", where="T", page=1, row="ours", column="task", metric="dice", value=0.5, selection="oracle",
        cohort="brats2020",
    )  # fmt: skip
    assert "Verdicts on 1 reported value: higher 1." in answer(small(reported=(paper,)))
    assert "Verdicts on 1 reported value: not comparable 1." in answer(small(reported=(paper,), scale="tiny"))


def test_without_a_test_there_is_no_answer():
    waiting = {"ours": (Replicate(seed=0, state="waiting"),)}
    assert answer(Measures(results(waiting))) == "No answer yet: 0 of 1 replicate were tested."


def test_warnings_name_phantoms_scales_and_oracles():
    one, two = column("A", phantom=True), column("B", selection="source")
    told = warnings(Measures(results({"ours": (run(0, 0.7),)}, columns=(one, two), scale="small")))
    assert [line.split(":")[0] for line in told] == ["Phantom cohort (A)", "Scale small", "Oracle selection (A)"]


def test_failures_and_what_is_to_come_are_warned_of(results):
    told = "\n".join(warnings(Measures(results)))
    assert "Provisional: 1 replicate still to come" in told
    assert "2 replicates failed, which no mean contains" in told
    assert "Beside no cell of the table, and listed under it: 1 reported value." in told


def test_skipped_cases_are_named():
    made = column(skipped=(Skipped(subject="case-9", problem="t2 truncated"),))
    assert "task: skipped case case-9: t2 truncated." in caption(
        Measures(results({"x": (run(0, 0.7),)}, columns=(made,)))
    )


def test_test_cases_without_masks_are_told():
    bare = Replicate(seed=0, unscored=64)
    told = caption(Measures(results({"ours": (bare,)}, columns=(column("VS"),))))
    (line,) = (line for line in told if "without a mask" in line)
    assert line.startswith("VS: 64 test cases without a mask: predicted")
    assert not any("without a mask" in line for line in caption(Measures(results({"ours": (run(0, 0.7),)}))))


def test_too_few_cases_are_said_once_for_all_rows():
    few = tuple(run(seed, 0.6, cases=3) for seed in (0, 1))
    rows = {"ours": tuple(run(seed, 0.7, cases=3) for seed in (0, 1)), "a": few, "b": few}
    told = caption(Measures(results(rows, against={"a": "ours", "b": "ours"})))
    methods, models = (line for line in told if line.startswith("No test of"))
    assert methods == "No test of any row as methods: the same difference everywhere over 3 cases within 2 seeds."
    assert models.startswith("No test of any row as trained models: only 3 cases within 2 seeds")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"spread": 0.002, "spread_of": "seeds", "n": 3}, "0.863 ± 0.002 (3 seeds)"),
        ({"spread": 0.048, "spread_of": "cases", "n": 64}, "0.863 ± 0.048 (64 cases)"),
        ({"spread": 0.01}, "0.863 ± 0.010"),
        ({}, "0.863"),
        ({"metric": "share", "value": 0.945}, "94%"),
    ],
)
def test_reported_values_say_what_their_spread_is_over(changes, text):
    paper = Reported(paper="P", where="T", page=1, row="r", column="c", metric="dice", value=0.863)
    assert cells.printed(dataclasses.replace(paper, **changes)) == text


def test_columns_on_the_same_ground_are_one_line_and_all_of_them_are_named_so():
    columns = tuple(column(label) for label in ("A", "B", "C"))
    told = caption(Measures(results({"x": (run(0, 0.7),)}, columns=columns)))
    (line,) = (line for line in told if "fingerprint" in line)
    assert line.startswith("All 3 columns: BraTS2020; 369 subjects")
    other = (*columns[:2], column("C", selection="source"))
    told = caption(Measures(results({"x": (run(0, 0.7),)}, columns=other)))
    assert [line.split(":")[0] for line in told if "fingerprint" in line] == ["A and B", "C"]
