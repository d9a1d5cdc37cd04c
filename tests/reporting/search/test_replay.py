from types import SimpleNamespace

import numpy as np
import pytest

from medsearch.reporting.search.replay import replay_asha, replay_median, rungs
from medsearch.reporting.search.results import Trial


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
