import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsearch.reporting.evidence import Replicate
from medsearch.reporting.statistics import Summary, gain, over_cases, over_seeds, share, undefined


def run(seed: int, scores: list[float | None], *, state: str = "complete", first: int = 0) -> Replicate:
    cases = tuple({"subject": f"case-{first + i}", "dice": score, "assd": score} for i, score in enumerate(scores))
    known = [score for score in scores if score is not None]
    metrics = {"test/dice": float(np.mean(known))} if known and state == "complete" else {}
    return Replicate(seed=seed, state=state, metrics=metrics, cases=cases)


def test_mean_and_sample_sd_of_worked_numbers():
    summary = over_seeds([run(0, [0.5]), run(1, [0.7]), run(2, [0.6])], "test/dice")
    assert summary.mean == pytest.approx(0.6)
    assert summary.sd == pytest.approx(0.1)  # sqrt((0.01 + 0.01 + 0) / 2)
    assert summary.n == 3


def test_one_seed_has_a_mean_and_no_sd():
    assert over_seeds([run(0, [0.5])], "test/dice") == Summary((0.5,))
    assert over_seeds([run(0, [0.5])], "test/dice").sd is None
    assert Summary().mean is None


def test_a_failed_seed_is_counted_and_never_averaged():
    runs = [run(0, [0.6]), run(1, [], state="failed"), run(2, [], state="running")]
    summary = over_seeds(runs, "test/dice", planned=5)
    assert (summary.mean, summary.n, summary.failed, summary.waiting) == (0.6, 1, 1, 3)


def test_a_failed_seed_that_left_scores_behind_is_still_not_averaged():
    left = Replicate(seed=1, state="failed", metrics={"test/dice": 0.0}, cases=({"subject": "a", "dice": 0.0},))
    assert over_seeds([run(0, [0.6]), left], "test/dice").values == (0.6,)
    assert over_cases([left]).n == 0


def test_scores_that_are_not_finite_are_no_scores():
    broken = Replicate(seed=1, metrics={"test/dice": float("nan")})
    assert over_seeds([run(0, [0.6]), broken], "test/dice").values == (0.6,)


def test_over_cases_averages_seeds_within_a_case_first():
    summary = over_cases([run(0, [0.2, 0.8]), run(1, [0.4, None])])
    assert summary.values == pytest.approx((0.3, 0.8))
    assert summary.sd == pytest.approx(0.5 / np.sqrt(2))


def test_undefined_distances_are_counted():
    assert undefined([run(0, [0.2, None]), run(1, [None, None], state="failed")], "assd") == (1, 2)


def test_share_of_a_row_that_is_half_as_good_in_every_case_is_exactly_half():
    found = share([run(0, [0.2, 0.3, 0.4])], [run(0, [0.4, 0.6, 0.8])])
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert found.cases == 3


def test_gain_of_a_constant_is_that_constant():
    found = gain([run(0, [0.5, 0.9])], [run(0, [0.4, 0.8])])
    assert (found.estimate, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_interval_agrees_with_an_independent_bootstrap():
    from scipy.stats import bootstrap

    draw = np.random.default_rng(0)
    theirs = draw.uniform(0.5, 0.9, 30)
    ours = theirs * draw.uniform(0.6, 1.0, 30)
    found = share([run(0, list(ours))], [run(0, list(theirs))])
    other = bootstrap(
        (ours, theirs), lambda a, b, axis: a.mean(axis) / b.mean(axis), paired=True, vectorized=True, axis=-1,
        method="percentile", n_resamples=9999, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.005)


def test_seeds_are_resampled_too():
    steady = gain([run(0, [0.5, 0.9]), run(1, [0.5, 0.9])], [run(0, [0.4, 0.8])])
    shaky = gain([run(0, [0.3, 0.7]), run(1, [0.7, 1.1])], [run(0, [0.4, 0.8])])
    assert steady.estimate == pytest.approx(shaky.estimate)
    assert (shaky.low, shaky.high) == pytest.approx((-0.1, 0.3))
    assert steady.high - steady.low == pytest.approx(0)


def test_only_cases_that_both_rows_have_are_paired():
    found = share([run(0, [0.3, 0.3, 0.3], first=0)], [run(0, [0.6, 0.6, 0.6], first=1)])
    assert found.cases == 2


def test_without_two_common_cases_there_is_no_interval():
    found = share([run(0, [0.3], first=0)], [run(0, [0.6], first=9)])
    assert (found.estimate, found.low, found.high) == (0.5, None, None)


@pytest.mark.parametrize(
    "theirs", [[], [Replicate(seed=0, state="failed")], [Replicate(seed=0, metrics={"test/dice": 0.0})]]
)
def test_no_share_without_a_yardstick(theirs):
    assert share([run(0, [0.3, 0.4])], theirs) is None


scores = st.lists(st.floats(0.05, 1.0), min_size=2, max_size=6)


@settings(max_examples=30, deadline=None)
@given(ours=scores, scale=st.floats(0.1, 3.0))
def test_share_scales_with_the_row(ours, scale):
    theirs = [run(0, [0.5 + 0.01 * i for i in range(len(ours))])]
    one, other = share([run(0, ours)], theirs), share([run(0, [scale * score for score in ours])], theirs)
    assert (other.low, other.estimate, other.high) == pytest.approx(
        (scale * one.low, scale * one.estimate, scale * one.high)
    )
    assert one.low <= one.estimate + 1e-9
    assert one.estimate <= one.high + 1e-9
