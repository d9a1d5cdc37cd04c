"""What was left on the table, and how it is said."""

import math
from dataclasses import replace
from typing import Any

import pytest

from medsearch.reporting.results import Finalist, ReferenceResults, Replicate, StagedResults, Trial
from medsearch.reporting.staged.document import answer, caption, frozen_row, verdict, warnings
from medsearch.reporting.staged.refinement_gain import left
from medsearch.reporting.variance_components import ONE_SEED
from medsearch.study.record.headers import Bound
from tests.reporting.staged import made_up_staged as made_up
from tests.reporting.written import files, page


@pytest.mark.parametrize(
    ("gain", "spread", "told"),
    [
        (0.05, 0.02, "Left on the table: +0.050 test Dice (95% interval +0.0"),
        (0.01, 0.08, "Nothing beyond its interval was left on the table: +0.010 test Dice (95% interval -0.0"),
        (-0.05, 0.02, "Nothing was left on the table, the best near the frozen point tests lower: -0.050 test Dice"),
    ],
)
def test_the_verdict_goes_by_the_interval_over_cases_and_seeds(gain: float, spread: float, told: str) -> None:
    found = left(made_up.finished(made_up.refined(gain, spread=spread)))
    assert found is not None
    assert found.sentence.startswith(told)
    assert "8 cases, 2 seeds" in found.sentence
    assert found.sentence.endswith("+0.020 validation/dice, by which it was chosen.")
    assert math.isclose(found.tested or 0.0, gain, abs_tol=1e-9)
    assert found.comparison is not None
    assert found.comparison.effect is not None
    assert math.isclose(found.comparison.effect.estimate, gain, abs_tol=1e-9)


def test_where_the_frozen_point_is_the_best_nothing_was_left() -> None:
    found = left(made_up.finished(made_up.refined(0.0, chosen=0)))
    assert found is not None
    assert found.itself
    assert found.sentence == (
        "Nothing was left on the table: the frozen point is the best of 2 trials near it, itself included."
    )


def test_too_few_cases_and_no_test_are_no_verdict() -> None:
    def without(cases: int, *, dice: bool = True) -> str:
        def cut(run: Replicate) -> Replicate:
            return replace(run, cases=run.cases[:cases], metrics=run.metrics if dice else {})

        of = made_up.refined(0.05)
        finalists = tuple(replace(one, replicates=tuple(map(cut, one.replicates))) for one in of.finalists)
        references = tuple(replace(one, replicates=tuple(map(cut, one.replicates))) for one in of.references)
        return verdict(made_up.finished(replace(of, finalists=finalists, references=references)))

    assert without(1).startswith(
        "What was left on the table cannot be told: +0.050 test Dice (1 case, 2 seeds: one value per seed, which says"
    )
    assert without(0).startswith("What was left on the table cannot be told: +0.050 test Dice, but no case by case")
    assert without(0, dice=False).startswith("What was left on the table cannot be told: nothing was tested; +0.020")


def test_one_seed_is_no_verdict_on_the_methods_and_says_what_the_models_show() -> None:
    of = made_up.refined(0.05, spread=0.02)
    finalists = tuple(replace(one, replicates=one.replicates[:1]) for one in of.finalists)
    references = tuple(replace(one, replicates=one.replicates[:1]) for one in of.references)
    told = verdict(made_up.finished(replace(of, finalists=finalists, references=references)))
    assert f"cannot be told: +0.050 test Dice (8 cases, 1 seed: {ONE_SEED}; of" in told
    assert "of these trained models, p = 0.0078 over test cases (Wilcoxon signed-rank, exact" in told


def test_until_both_have_run_nothing_is_said_and_until_all_have_it_is_provisional() -> None:
    of = made_up.refined(0.05)
    waiting = replace(of, references=(ReferenceResults(label="Frozen"),))
    assert left(made_up.finished(waiting)) is None
    assert "is not known yet: the refinement has ended 2 of 2 trials" in verdict(made_up.finished(waiting))
    one = replace(of, finalists=(Finalist(number=1, knobs={}, replicates=of.finalists[0].replicates[:1]),))
    assert verdict(made_up.finished(one)).startswith("So far: ")
    assert left(made_up.half_done()) is None
    assert verdict(made_up.finished(refinement=None)) == "No refinement: what was left on the table is not known."


def test_a_seed_that_failed_is_in_no_mean_and_no_pair() -> None:
    of = made_up.refined(0.05)
    failed = Replicate(seed=1, state="failed", reason="loss = nan")
    best = replace(of.finalists[0], replicates=(of.finalists[0].replicates[0], failed))
    found = left(made_up.finished(replace(of, finalists=(best,))))
    assert found is not None
    assert found.comparison is not None
    assert found.comparison.seeds == (0,)


def test_differences_are_over_the_seeds_that_both_have() -> None:
    of = made_up.refined(0.05)
    far = replace(of.finalists[0].replicates[1], value=5.0, metrics={"test/dice": 0.9})
    best = replace(of.finalists[0], replicates=(of.finalists[0].replicates[0], far))
    plain, frozen = of.references
    lost = replace(frozen, replicates=(frozen.replicates[0], Replicate(seed=1, state="failed")))
    found = left(made_up.finished(replace(of, finalists=(best,), references=(plain, lost))))
    assert found is not None
    assert math.isclose(found.objective or 0.0, 0.02, abs_tol=1e-9)
    assert math.isclose(found.tested or 0.0, 0.05, abs_tol=1e-9)


def test_where_the_best_over_seeds_is_worse_than_frozen_that_is_said_whatever_the_test_says() -> None:
    def told(*, minimised: bool = False, cases: int = 8) -> str:
        of = made_up.refined(0.05, spread=0.02)
        runs = tuple(replace(run, value=0.69, cases=run.cases[:cases]) for run in of.finalists[0].replicates)
        made = made_up.finished(replace(of, finalists=(replace(of.finalists[0], replicates=runs),)))
        assert made.refinement is not None
        return verdict(replace(made, refinement=replace(made.refinement, minimised=minimised)))

    assert told().startswith("Nothing was left on the table, Frozen is better: the best near it has +0.050 test Dice (")
    assert told().endswith("; -0.010 validation/dice, by which it was chosen.")
    assert told(cases=0).endswith(
        "Frozen is better: the best near it has -0.010 validation/dice, by which it was chosen."
    )
    assert told(minimised=True).startswith("Left on the table: +0.050 test Dice")


def test_what_failed_on_every_seed_is_said_to_be_untold_for_good() -> None:
    of = made_up.refined(0.05)
    plain, frozen = of.references
    gone = tuple(Replicate(seed=seed, state="failed") for seed in (0, 1))
    lost = made_up.finished(replace(of, references=(plain, replace(frozen, replicates=gone))))
    assert verdict(lost) == "What was left on the table cannot be told: Frozen failed on every seed."
    best = replace(of.finalists[0], replicates=gone)
    assert "the refinement's best failed on every seed" in verdict(made_up.finished(replace(of, finalists=(best,))))


def test_trials_that_failed_are_counted_apart() -> None:
    of = made_up.refined(0.0, chosen=0)
    failed = Trial(number=2, knobs={}, state="failed", reason="loss = nan")
    whole = made_up.finished(replace(of, trials=(*of.trials, failed)))
    assert verdict(whole).endswith("the best of 2 trials near it, itself included, and 1 failed.")
    assert any("It has ended 3 of 3 (1 failed) trials" in line for line in caption(whole))


def with_frozen(**changes: Any) -> StagedResults:
    """The last group's frozen point otherwise."""
    whole = made_up.finished()
    last = whole.groups[-1]
    assert last.frozen is not None
    return replace(whole, groups=(whole.groups[0], replace(last, frozen=replace(last.frozen, **changes))))


def test_a_winner_that_lost_seeds_says_so() -> None:
    lost = with_frozen(seeds=1, failed=1)
    assert "0.700 (n=1 of 2, 1 failed)" in files(lost)["table.md"]
    assert "Group segmentation froze trial 0, which failed on 1 seed." in warnings(lost)
    all_lost = with_frozen(seeds=0, failed=2)
    assert "0.700 (the trial alone, 2 failed)" in files(all_lost)["table.md"]
    assert any("failed on 2 seeds; the value is its trial's" in line for line in warnings(all_lost))
    whole = made_up.finished()
    later = replace(whole.groups[0], overtaken="runs were repeated, and trial 3 would be frozen by now")
    assert "Group translation: runs were repeated, and trial 3 would be frozen by now." in warnings(
        replace(whole, groups=(later, whole.groups[1]))
    )


def test_without_a_refinement_the_frozen_trial_s_row_counts_and_not_the_best() -> None:
    whole = made_up.finished(refinement=None)
    low = tuple(made_up.replicate(seed, 0.4, value=0.6) for seed in (0, 1))
    high = tuple(made_up.replicate(seed, 0.9, value=0.8) for seed in (0, 1))
    finalists = (
        Finalist(number=1, knobs={}, replicates=high),
        Finalist(number=0, knobs=made_up.POINT, replicates=low),
    )
    last = replace(whole.groups[1], search=made_up.search("staged.2-segmentation", finalists=finalists))
    results = replace(whole, groups=(whole.groups[0], last))
    row = frozen_row(results)
    assert row is not None
    assert row.trial == 0
    assert "with a test Dice of 0.400 ± 0.000 (2 seeds)" in answer(results)
    assert "Finalist 2, frozen" in page(results)


@pytest.mark.parametrize(
    ("value", "told", "warns"),
    [
        (0.03, "The refined best, trial 1, is outside translation's bound: validation/diversity 0.03 (≥ 0.1).", True),
        (0.15, "The refined best, trial 1, is within translation's bound: validation/diversity 0.15 (≥ 0.1).", False),
        (
            None,
            "Bounds are not kept by the refinement: translation's validation/diversity was not measured in it.",
            False,
        ),
    ],
)
def test_bounds_of_the_groups_are_told_of_the_refined_best(value: float | None, told: str, warns: bool) -> None:
    whole = made_up.finished()
    bound = Bound(metric="validation/diversity", at_least=0.1)
    first = replace(whole.groups[0], bound=bound, scored_stage="")
    assert whole.refinement is not None
    refinement = replace(whole.refinement, metrics={} if value is None else {bound.metric: value})
    results = replace(whole, groups=(first, whole.groups[1]), refinement=refinement)
    assert (told in warnings(results), told in caption(results)) == (warns, not warns)
    early = replace(results, groups=(replace(first, scored_stage="translation"), whole.groups[1]))
    assert any(line.startswith("Bounds are not kept") for line in caption(early)), "another stage's is another metric"
    upper = Bound(metric="x", at_most=2.0)
    assert (upper.words, upper.holds(2.0), upper.holds(2.1)) == ("≤ 2", True, False)


def test_how_far_the_refinement_looks_depends_on_the_axis() -> None:
    (line,) = [line for line in caption(made_up.finished()) if line.startswith("The refinement moves 3 knobs")]
    assert "on logarithmic axes from 1/2 to 2 times the frozen value and among all choices. It has" in line
    assert "even axes" not in line


def test_the_answer_says_what_is_frozen_or_how_far_it_is() -> None:
    whole = answer(made_up.finished())
    assert whole.startswith(
        "Tuned in 2 groups, MoDATTS stands at λ_cyc = 8, λ_seg = 90 and width = 1.5, with a test Dice"
    )
    assert "Left on the table: " in whole
    assert answer(made_up.half_done()) == (
        "No answer yet: λ_cyc = 8 so far; group 'segmentation' has ended 0 of 2 (1 running) trials."
    )
    assert answer(made_up.begun()) == "No answer yet: group 'translation' has ended 0 of 2 trials."


def test_a_refusal_stands_beside_the_answer() -> None:
    assert any("Phantom" in line for line in warnings(made_up.finished()))
    refused = replace(made_up.half_done(), refused="study 'x' cannot freeze the best: none of 2 trials")
    assert "Study 'x' cannot freeze the best: none of 2 trials." in warnings(refused)
