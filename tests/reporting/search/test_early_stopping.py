import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from medsearch.reporting.results import Finalist, SearchResults, Trial

from medsearch.reporting.search.early_stopping import (
    bar,
    foretelling,
    replay_asha,
    replay_median,
    rungs,
    value_at,
    verdicts,
)
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


def trial(number: int, *values: float, state: str = "complete") -> Trial:
    curve = tuple(enumerate(values, start=1))
    return Trial(number=number, knobs={}, state=state, value=max(values), curve=curve)


def crossing() -> list[Trial]:
    """The late bloomer, trial 1, ends highest and starts lowest."""
    return [trial(0, 0.4, 0.4, 0.4, 0.4), trial(1, 0.1, 0.2, 0.6, 0.9), trial(2, 0.5, 0.5, 0.5, 0.5)]


def test_rungs_grow_by_the_reduction_and_end_before_the_last_epoch():
    assert rungs(2, 3, 54) == (2, 6, 18)
    assert rungs(2, 3, 55) == (2, 6, 18, 54)
    assert rungs(8, 2, 8) == ()


def test_asha_cuts_the_late_bloomer_of_crossing_curves():
    found = replay_asha(crossing(), grace=1, reduction=2, finalists=[1])
    assert found.cut == ((1, 1),)
    assert found.finalists_cut == (1,)
    assert found.saved == pytest.approx(3 / 12)


def test_asha_with_a_grace_past_the_crossing_keeps_it():
    found = replay_asha(crossing(), grace=3, reduction=2, finalists=[1])
    assert (found.cut, found.finalists_cut, found.saved) == ((), (), 0)


def test_median_stopping_waits_for_three_others():
    low = [trial(n, 0.5, 0.5, 0.5) for n in range(3)] + [trial(3, 0.1, 0.1, 0.9)]
    assert replay_median(low[1:], grace=1, finalists=[3]).cut == ()
    assert replay_median(low, grace=1, finalists=[3]).cut == ((3, 1),)
    assert replay_median(low, grace=3, finalists=[3]).cut == ()


def test_trials_without_a_full_curve_take_no_part():
    partial = [trial(3, 0.9, state="cut"), trial(4, 0.1, state="failed"), trial(5, 0.2, state="running")]
    assert replay_asha([*crossing(), *partial], grace=1, reduction=2, finalists=[]).trials == 3


def test_workers_side_by_side_meet_other_rivals():
    curves = [trial(0, 0.1, 0.1, 0.1), trial(1, 0.5, 0.5, 0.5)]
    assert replay_asha(curves, grace=2, reduction=2, finalists=[]).cut == ()
    turned = [trial(0, 0.5, 0.5, 0.5), trial(1, 0.1, 0.1, 0.1)]
    assert replay_asha(turned, grace=2, reduction=2, finalists=[], workers=2).cut == ((1, 2),)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_replays_decide_as_ray_does(seed):
    from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule, TrialScheduler

    draw = np.random.default_rng(seed)
    curves = [trial(n, *np.cumsum(draw.uniform(-0.02, 0.1, 20))) for n in range(25)]
    theirs = {"time_attr": "epoch", "metric": "value", "mode": "max"}
    asha = AsyncHyperBandScheduler(grace_period=2, reduction_factor=3, max_t=100, **theirs)
    median = MedianStoppingRule(grace_period=4, **theirs)
    ours = (
        replay_asha(curves, grace=2, reduction=3, finalists=[]),
        replay_median(curves, grace=4, finalists=[]),
    )
    controller = SimpleNamespace(get_live_trials=list)
    for scheduler, found in zip((asha, median), ours, strict=True):
        cut = {}
        for one in curves:
            stub = SimpleNamespace(trial_id=str(one.number), config={})
            scheduler.on_trial_add(None, stub) if scheduler is asha else None
            for epoch, value in one.curve:
                decision = scheduler.on_trial_result(controller, Key(stub), {"epoch": epoch, "value": value})
                if decision == TrialScheduler.STOP and epoch < 20:
                    cut[one.number] = epoch
                    break
        assert dict(found.cut) == cut
        assert cut, "a replay that cuts nothing shows nothing"


class Key:
    """A trial as schedulers use it: by its id, and as a key."""

    def __init__(self, stub):
        self.trial_id, self.config = stub.trial_id, stub.config

    def __hash__(self):
        return hash(self.trial_id)

    def __eq__(self, other):
        return self.trial_id == other.trial_id
