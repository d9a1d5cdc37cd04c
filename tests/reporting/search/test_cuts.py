import dataclasses

import pytest

from medsearch.reporting.search.cuts import bar, foretelling, value_at, verdicts
from medsearch.reporting.search.results import Finalist, SearchResults, Trial
from tests.reporting import made_up_search


def complete(number: int, *values: float, final: float | None = None) -> Trial:
    curve = tuple(enumerate(values, start=1))
    return Trial(number=number, knobs={}, state="complete", value=max(values) if final is None else final, curve=curve)


def cut(number: int, *values: float) -> Trial:
    curve = tuple(enumerate(values, start=1))
    return Trial(number=number, knobs={}, state="cut", value=values[-1], curve=curve, rung=len(values))


def search(*trials: Trial, finalists: tuple[int, ...] = ()) -> SearchResults:
    chosen = tuple(Finalist(number=number, knobs={}) for number in finalists)
    return SearchResults(
        design=made_up_search.design(), provenance=made_up_search.provenance(), trials=trials, finalists=chosen
    )


def test_a_cut_that_the_largest_gain_cannot_lift_could_not_have_been_a_finalist():
    # Largest gain from epoch 2: 0.3 -> 0.7. The bar is the worse finalist, 0.6.
    found = verdicts(
        search(complete(0, 0.1, 0.5, 0.6), complete(1, 0.1, 0.3, 0.7), cut(2, 0.1, 0.19), finalists=(0, 1))
    )
    assert [one.answer for one in found] == ["could not"]
    assert found[0].bar == 0.6
    assert found[0].largest_gain == pytest.approx(0.4)
    assert found[0].sentence == (
        "Trial 2 was cut at epoch 2 with 0.190 and needed +0.410 to reach the worst finalist (0.600); "
        "the largest gain from there among 2 finished trials is +0.400: it could not have been a finalist."
    )


def test_a_cut_that_the_largest_gain_lifts_to_the_bar_could_have_been():
    found = verdicts(
        search(complete(0, 0.1, 0.5, 0.625), complete(1, 0.1, 0.25, 0.75), cut(2, 0.1, 0.125), finalists=(0, 1))
    )
    assert found[0].answer == "could"


def test_gains_end_at_the_value_that_decides_not_at_the_end_of_the_curve():
    # A later stage (self-training) may lift a trial above its own curve.
    found = verdicts(search(complete(0, 0.2, 0.4, final=0.9), cut(1, 0.2), finalists=(0,)))
    assert found[0].largest_gain == pytest.approx(0.7)


def test_before_finalists_are_chosen_the_bar_is_the_last_place_among_finished_trials():
    made = search(complete(0, 0.3), complete(1, 0.5), complete(2, 0.4))
    assert bar(made) == 0.4  # two finalists are planned


@pytest.mark.parametrize(
    "trials",
    [
        (cut(0, 0.1),),
        (cut(0, 0.1), Trial(number=1, knobs={}, state="complete", value=0.5)),
        (dataclasses.replace(cut(0, 0.1), curve=(), value=None, rung=None), complete(1, 0.5)),
    ],
    ids=["nothing finished", "no curve", "no value"],
)
def test_without_evidence_the_verdict_is_unknown(trials):
    found = verdicts(search(*trials))
    assert [one.answer for one in found] == ["unknown"]
    assert "None" not in found[0].sentence


def test_value_at_skips_epochs_that_diverged():
    trial = Trial(number=0, knobs={}, state="failed", curve=((1, 0.2), (2, float("nan"))))
    assert value_at(trial, 2) == 0.2
    assert value_at(trial, 0) is None


def test_curves_that_keep_their_order_correlate_fully():
    trials = [complete(n, 0.1 * n, 0.1 * n + 0.2) for n in range(5)]
    (found,) = foretelling(trials, [1])
    assert found.correlation == pytest.approx(1)
    assert not found.crosses


def test_curves_that_turn_their_order_around_are_said_to_cross():
    trials = [complete(n, 0.5 - 0.1 * n, 0.5 + 0.1 * n) for n in range(5)]
    (found,) = foretelling(trials, [1])
    assert found.correlation == pytest.approx(-1)
    assert found.crosses


def test_ties_share_their_rank_as_in_scipy():
    from scipy.stats import spearmanr

    starts, ends = [0.1, 0.1, 0.3, 0.2, 0.4], [0.5, 0.7, 0.6, 0.6, 0.9]
    trials = [complete(n, a, b) for n, (a, b) in enumerate(zip(starts, ends, strict=True))]
    assert foretelling(trials, [1])[0].correlation == pytest.approx(spearmanr(starts, ends).statistic)


def test_few_or_equal_trials_foretell_nothing():
    assert foretelling([complete(n, 0.1 * n, 0.5) for n in range(3)], [1]) == ()
    assert foretelling([complete(n, 0.1, 0.5 + n) for n in range(6)], [1]) == ()
