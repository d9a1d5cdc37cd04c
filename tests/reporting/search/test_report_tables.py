import csv
import dataclasses
import io
import json

import pytest

from medsearch.reporting.results import Finalist, Provenance, ReferenceResults, Replicate, SearchResults, Trial
from medsearch.reporting.search.narrative import answer, caption, unfinished, warnings
from medsearch.reporting.search.tables import gain, other_knobs, ranking, spread, summary, weights
from medsearch.study.record.headers import Skipped
from tests.reporting import made_up_search
from tests.reporting.made_up_search import ADV, CODES, LAT, REC, SEG, WIDTH
from tests.reporting.written import files
from tests.reporting.written import summary as shown_summary


def replicate(seed: int, dice: float, *, value: float | None = None) -> Replicate:
    cases = ({"subject": "a", "dice": dice - 0.1, "assd": 2.0}, {"subject": "b", "dice": dice + 0.1, "assd": 3.0})
    metrics = {"test/dice": dice, "test/dice_volume": dice - 0.2, "test/assd": 2.5}
    return Replicate(seed=seed, value=value, metrics=metrics, cases=cases)


def small(**changes) -> SearchResults:
    """Two finalists over two seeds: trial 0 wins on validation, trial 1 on test; one reference seed failed."""
    failed = Replicate(seed=1, state="failed", reason="out of memory")
    knobs = {ADV: 10.0, REC: 30.0, LAT: 60.0, WIDTH: 8, CODES: 4}
    made = SearchResults(
        design=made_up_search.design(trials=3),
        provenance=made_up_search.provenance(skipped=()),
        trials=(
            Trial(number=0, knobs=knobs, state="complete", value=0.8),
            Trial(number=1, knobs=knobs, state="complete", value=0.7),
            Trial(number=2, knobs=knobs, state="failed", reason="loss became non-finite"),
        ),
        finalists=(
            Finalist(
                number=1, knobs=knobs, replicates=(replicate(0, 0.70, value=0.70), replicate(1, 0.70, value=0.68))
            ),
            Finalist(number=0, knobs=knobs, replicates=(replicate(0, 0.5, value=0.80), replicate(1, 0.6, value=0.76))),
        ),
        references=(
            ReferenceResults(label="No adaptation", replicates=(replicate(0, 0.25), failed)),
            ReferenceResults(label="Target supervised", replicates=(replicate(0, 0.8), replicate(1, 0.8))),
        ),
    )
    return dataclasses.replace(made, **changes)


def test_the_best_is_chosen_on_validation_never_on_test():
    assert [finalist.number for finalist in ranking(small())] == [0, 1]


def test_a_finalist_that_failed_on_a_seed_comes_after_those_that_did_not():
    first, second = small().finalists
    broken = dataclasses.replace(second, replicates=(second.replicates[0], Replicate(seed=1, state="failed")))
    assert [finalist.number for finalist in ranking(small(finalists=(first, broken)))] == [1, 0]


def test_before_replicates_finish_finalists_stand_by_their_trials():
    bare = tuple(Finalist(number=number, knobs={}) for number in (1, 0))
    assert [finalist.number for finalist in ranking(small(finalists=bare))] == [0, 1]


def test_summary_rows_of_worked_numbers():
    best, other, floor, ceiling = summary(small())
    assert [row.title for row in (best, other, floor, ceiling)] == [
        "Best (measured), trial 0", "Finalist 2, trial 1", "No adaptation", "Target supervised",
    ]  # fmt: skip
    assert best.dice.mean == pytest.approx(0.55)
    assert best.share.estimate == pytest.approx(0.6875)
    assert ceiling.share.estimate == 1
    assert ceiling.share.low is None
    assert (floor.dice.n, floor.dice.failed) == (1, 1)
    assert floor.validation.n == 0


def test_weights_are_compared_as_shares_of_their_sum():
    rows = weights(small())  # 10, 30, 60 and the fixed 100; the paper's 5, 50, 5, 100
    assert [row.found_share for row in rows] == pytest.approx([0.05, 0.15, 0.3, 0.5])
    assert [row.published_share for row in rows] == pytest.approx([0.03125, 0.3125, 0.03125, 0.625])
    assert [row.searched for row in rows] == [True, True, True, False]
    assert [(row.knob.text, row.found, row.published) for row in other_knobs(small())] == [
        ("width", 8, 16), ("semantic codes", 4, None),
    ]  # fmt: skip


def test_without_every_weight_there_are_no_shares():
    made = small(design=made_up_search.design(fixed={}))
    assert [row.found_share for row in weights(made)] == [None] * 4
    assert weights(made)[3].found is None


def test_answer_says_what_was_found_and_against_what():
    assert answer(small()) == (
        "With λ_adv = 10, λ_rec = 30, λ_lat = 60, λ_seg = 100 and width = 8, MoDATTS reaches a test Dice of "
        "0.550 ± 0.071 on T1 → T2 (2 seeds, 2 test cases). Share of the target-supervised model's 0.800: 69% (no "
        "useful interval with 2 seeds). Difference from no adaptation's 0.250: +0.250 (over the 1 seed that both have)."
    )


def test_answer_tells_when_adaptation_hurts():
    worse = (ReferenceResults(label="No adaptation", replicates=(replicate(0, 0.65),)),)
    told = answer(small(references=worse))
    assert "Difference from no adaptation's 0.650: -0.150 (over the 1 seed that both have)." in told


def test_half_done_search_has_no_answer_and_says_how_far_it_is():
    made = made_up_search.half_done()
    assert answer(made).startswith("No answer yet: 5 of 12 trials ended, and no finalist is tested. The best so far is")
    assert unfinished(made) == "7 trials and 8 tested runs"
    assert unfinished(small()) == ""
    assert any(line.startswith("Provisional") for line in warnings(made))


def group(**changes) -> SearchResults:
    """A search that has ended and repeats no trial."""
    of = {"trials": 3, "finalists": 0, "rule": "the best with validation/diversity ≥ 0.1", **changes}
    first, second, failed = small().trials
    second = dataclasses.replace(second, knobs={**second.knobs, ADV: 20.0})
    return small(design=made_up_search.design(**of), trials=(first, second, failed), finalists=(), references=())


def test_a_search_without_finalists_has_its_answer_when_it_has_ended():
    assert answer(group(rule="")).endswith(
        "MoDATTS has its best validation Dice, 0.800 (trial 0); no trial is tested in this search."
    )
    assert answer(group(rule="", trials=4)).startswith("No answer yet: 3 of 4 trials ended")
    assert unfinished(group()) == ""


def test_a_search_with_fewer_configurations_than_finalists_ends_nevertheless():
    one = group(finalists=2, scored_stage="segmentation")
    one = dataclasses.replace(one, trials=one.trials[::2], design=dataclasses.replace(one.design, trials=2))
    assert unfinished(one) == "2 tested runs"
    runs = tuple(Replicate(seed=seed, value=0.75) for seed in (0, 1))
    whole = dataclasses.replace(one, finalists=(Finalist(number=0, knobs={}, replicates=runs),))
    assert unfinished(whole) == ""
    assert "has its best validation Dice of segmentation, 0.750 (trial 0, the mean over 2 seeds)" in answer(whole)


def test_a_group_s_page_says_by_which_rule_and_what_is_frozen():
    assert answer(group()).endswith(" To be frozen: the best with validation/diversity ≥ 0.1.")
    told = " Frozen is trial 1, the best with validation/diversity ≥ 0.1: λ_adv = 20, λ_rec = 30"
    assert told in answer(group(frozen=1))


def test_nothing_at_all_is_answered_too():
    made = SearchResults(design=made_up_search.design(), provenance=made_up_search.provenance())
    assert answer(made) == "No answer yet: 0 of 12 trials ended, none with a value."
    assert summary(made) == ()


def test_phantoms_are_never_called_a_reproduction():
    assert any("not a reproduction" in line for line in warnings(small()))
    assert any("never a reproduction" in line for line in caption(small()))


def test_real_data_at_another_scale_are_no_reproduction_either():
    origin = made_up_search.provenance(phantom=False, cohort="brats2020", scale="small")
    assert any("no reproduction" in line for line in warnings(small(provenance=origin)))
    paper = dataclasses.replace(origin, scale="paper")
    assert not any(
        "reproduction" in line for line in (*warnings(small(provenance=paper)), *caption(small(provenance=paper)))
    )


@pytest.mark.parametrize(
    "told",
    [
        "never by test",
        "Model selection (pseudo-target)",
        "fingerprint 9f1c02ab77de4410, scale tiny",
        "Frozen: λ_seg = 100, source labels = 1, target labels = 0 and lr = 0.0001",
        "Runs: 3 of 3 trials (2 complete and 1 failed); 8 tested runs, 1 failed.",
        "Failed: trial 2: loss became non-finite.",
        "Failed: No adaptation, seed 1: out of memory.",
        "Skipped case P3: t2 truncated.",
        "95% intervals: where the mean over all seeds and test cases that there could be is likely to lie",
        "Share of target supervised: ratio of mean test Dice over the seeds and cases that both rows have.",
    ],
)
def test_caption_tells(told):
    origin = made_up_search.provenance(skipped=(Skipped(subject="P3", problem="t2 truncated"),))
    assert told in "\n".join(caption(small(provenance=origin)))


def test_oracle_selection_is_named():
    made = small(design=made_up_search.design(selection="oracle"))
    assert any("target labels chose" in line for line in warnings(made))


def test_undefined_distances_are_told():
    assert any("ASSD is undefined in 1 of 8 case scores" in line for line in caption(made_up_search.finished()))


@pytest.mark.parametrize(
    ("replicates", "text"),
    [
        ((), "not yet"),
        ((Replicate(seed=0, state="failed"), Replicate(seed=1, state="failed")), "failed"),
        ((Replicate(seed=0, state="failed"),), "not yet"),
        ((replicate(0, 0.5),), "0.500"),
        ((replicate(0, 0.5), replicate(1, 0.7)), "0.600 ± 0.141"),
    ],
)
def test_cells_of_every_kind(replicates, text):
    made = small(references=(ReferenceResults(label="No adaptation", replicates=replicates),))
    assert spread(summary(made)[-1].dice) == text


def test_the_gain_over_no_adaptation_is_in_every_file_with_its_interval_and_p():
    """Two finalists of which the second is not what the gain is of; p is that of the comparison."""
    made = made_up_search.finished()
    found = gain(made)
    best, *others = csv.DictReader(io.StringIO(files(made)["table.csv"]))
    numbers = [float(best[f"gain{name}"]) for name in ("", "_low", "_high", "_p")]
    assert numbers == pytest.approx([found.effect.estimate, found.effect.low, found.effect.high, found.p])
    assert {row[name] for row in others for name in row if name.startswith("gain")} == {""}
    derived = json.loads(files(made)["results.json"])["derived"]["gain"]
    assert (derived["p"], derived["effect"]["low"]) == pytest.approx((found.p, found.effect.low))
    ends = f"95% interval {found.effect.low:+.3f} to {found.effect.high:+.3f}; p = {found.p:.2g})"
    assert ends in answer(made)
    assert ends in files(made)["table.md"]
    assert "p is of the methods, from the same distribution as the interval" in "\n".join(caption(made))


def test_shares_of_seeds_of_their_own_are_said_to_be():
    """Beside a share over what both have stand one over each row's own seeds, and one where nothing is shared."""
    own = (ReferenceResults(label="Target supervised", replicates=(replicate(7, 0.8), replicate(9, 0.81))),)
    told = "\n".join(caption(small(references=own)))
    assert "Share of Best (measured), trial 0" in told
    assert ": rows of fewer than two shared seeds, each taken over all seeds of its own, on the test cases" in told
    alone = (ReferenceResults(label="Target supervised", replicates=(replicate(7, 0.8),)),)
    assert ": rows without a test case that both have under the same seed" in "\n".join(
        caption(small(references=alone))
    )
    assert "each taken" not in "\n".join(caption(small()))


def test_csv_holds_every_number_in_full():
    best, other, floor, _ = csv.DictReader(io.StringIO(files(small())["table.csv"]))
    assert (float(best["share_low"]), float(best["share_high"])) == pytest.approx((0.105, 4.49), abs=0.01)
    assert (best["row"], best["trial"], other["trial"], floor["trial"]) == ("Best (measured)", "0", "1", "")
    assert float(best["dice_mean"]) == pytest.approx(0.55)
    assert float(best["dice_sd"]) == pytest.approx(0.0707106781)
    assert float(best["assd_mean"]) == 2.5
    assert float(best["over_cases_sd"]) == pytest.approx(0.1414213562)
    assert (floor["dice_sd"], floor["dice_n"], floor["failed"], floor["waiting"]) == ("", "1", "1", "0")
    knobs = {row["knob"]: row for row in csv.DictReader(io.StringIO(files(small())["knobs.csv"]))}
    assert (knobs[SEG]["best"], knobs[SEG]["published"], knobs[SEG]["searched"]) == ("100.0", "100.0", "False")
    assert float(knobs[REC]["best_share"]) == 0.15


def test_markdown_rows():
    text = files(small())["table.md"]
    scores = "0.780 ± 0.028 | 0.550 ± 0.071 (n=2) | 0.350 ± 0.071 | 2.50 ± 0.00 | 69% (no useful interval with 2 seeds)"
    assert f"| Best (measured), trial 0 | {scores} |" in text
    assert "| No adaptation | – | 0.250 (n=1 of 2, 1 failed) | 0.050 | 2.50 | 31% |" in text
    assert "| λ\\_rec | 30 | 50 | 0.150 | 0.312 |" in text
    assert "| λ\\_seg | 100 (fixed) | 100 | 0.500 | 0.625 |" in text


def test_latex_rows():
    text = files(small())["table.tex"]
    test = r"0.550 $\pm$ 0.071 (n=2) & 0.350 $\pm$ 0.071 & 2.50 $\pm$ 0.00 & 69\% (no useful interval with 2 seeds)"
    assert rf"Best (measured), trial 0 & 0.780 $\pm$ 0.028 & {test} \\" in text
    assert r"$\lambda_{\mathrm{rec}}$ & 30 & 50 & 0.150 & 0.312 \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 2
    assert r"With $\lambda_{\mathrm{adv}}$ = 10" in text


HOSTILE = "<script>alert(1)</script> | 50% & $x_1$ #~^\\{} [bold] `code` *it*\nnext"


def hostile() -> SearchResults:
    design = made_up_search.design(
        study=HOSTILE, question=HOSTILE, method=HOSTILE, task=HOSTILE, sampler=HOSTILE, cost=HOSTILE,
        no_adaptation=HOSTILE, fixed={SEG: HOSTILE, HOSTILE: HOSTILE}, shared_stages=(HOSTILE,),
    )  # fmt: skip
    origin = Provenance(
        cohort=HOSTILE, phantom=True, subjects=3, data_fingerprint=HOSTILE, scale=HOSTILE, git_commit=HOSTILE,
        versions={HOSTILE: HOSTILE}, machine=HOSTILE, created=HOSTILE,
        skipped=(Skipped(subject=HOSTILE, problem=HOSTILE),),
    )  # fmt: skip
    failed = Trial(number=2, knobs={HOSTILE: HOSTILE, ADV: 3.0}, state="failed", reason=HOSTILE)
    references = (
        ReferenceResults(
            label=HOSTILE, replicates=(replicate(0, 0.2), Replicate(seed=1, state="failed", reason=HOSTILE))
        ),
    )
    return small(design=design, provenance=origin, trials=(*small().trials[:2], failed), references=references)


def test_markdown_from_outside_stays_text():
    text = files(hostile())["table.md"]
    assert "<script" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6, 7}  # knobs, summary


def test_latex_from_outside_stays_text():
    text = files(hostile())["table.tex"]
    body = text.replace(r"\\", "").replace(r"\&", "").replace(r"\%", "").replace(r"\#", "").replace(r"\$", "")
    assert "#" not in body
    assert body.count("%") == 1  # our own comment
    assert all(line.count(" & ") in (4, 5) for line in text.replace(r"\&", "").splitlines() if line.endswith(r"\\"))


def test_the_terminal_shows_labels_as_they_are():
    odd = ReferenceResults(label="[red]No[/red] [link]", replicates=(replicate(0, 0.5),))
    shown = shown_summary(small(references=(odd,)))
    assert "[red]No[/red] [link]" in shown
    assert "0.550 ± 0.071 (n=2)" in shown
    assert "never a reproduction" in shown
