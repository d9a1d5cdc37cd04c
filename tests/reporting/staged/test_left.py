"""What was left on the table, and how it is said."""

import math
from dataclasses import replace

import pytest

from medsearch.reporting.evidence import Replicate
from medsearch.reporting.search.results import Finalist, Reference
from medsearch.reporting.staged.answer import answer, verdict, warnings
from medsearch.reporting.staged.left import left
from tests.reporting.staged import made_up_staged as made_up


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
    assert math.isclose(found.dice or 0.0, gain, abs_tol=1e-9)
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
        "What was left on the table cannot be told: +0.050 test Dice (1 case, 2 seeds: too few"
    )
    assert without(0).startswith("What was left on the table cannot be told: +0.050 test Dice, but no case by case")
    assert without(0, dice=False).startswith("What was left on the table cannot be told: nothing was tested; +0.020")


def test_until_both_have_run_nothing_is_said_and_until_all_have_it_is_provisional() -> None:
    of = made_up.refined(0.05)
    waiting = replace(of, references=(Reference(label="Frozen"),))
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


def test_the_answer_says_what_is_frozen_or_how_far_it_is() -> None:
    whole = answer(made_up.finished())
    assert whole.startswith(
        "Tuned in 2 steps, MoDATTS stands at λ_cyc = 8, λ_seg = 90 and width = 1.5, with a test Dice"
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
