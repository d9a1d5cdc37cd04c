import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from medsearch.reporting import resampling
from medsearch.reporting.resampling import Interval

NONE = float("nan")


def table(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float64)


def test_the_mean_is_of_cases_after_seeds() -> None:
    found = resampling.mean(table([0.0, 1.0, 1.0], [NONE, 0.0, 0.0]))
    assert found.estimate == pytest.approx((0.0 + 0.5 + 0.5) / 3)
    assert found.cases == 3


def test_the_interval_over_cases_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).normal(0.02, 0.05, 40)
    found = resampling.mean(values[None])
    other = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.002)


def test_seeds_are_drawn_too() -> None:
    steady = resampling.mean(table([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]))
    shaky = resampling.mean(table([0.0, 0.0, 0.0], [0.2, 0.2, 0.2]))
    assert (steady.low, steady.high) == pytest.approx((0.1, 0.1))
    assert (shaky.low, shaky.estimate, shaky.high) == pytest.approx((0.0, 0.1, 0.2))


def test_a_missing_value_of_a_case_is_its_other_seeds_affair() -> None:
    whole = resampling.mean(table([0.1, 0.3, 0.5], [0.1, 0.3, 0.5]))
    holed = resampling.mean(table([0.1, NONE, 0.5], [NONE, 0.3, 0.5]))
    assert holed.estimate == pytest.approx(whole.estimate)
    assert holed.low == pytest.approx(whole.low, abs=0.05)


def test_one_case_has_no_interval() -> None:
    assert resampling.mean(table([0.3], [0.5])) == Interval(pytest.approx(0.4), cases=1)


def test_a_ratio_to_nothing_has_no_interval_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = resampling.ratio(float("inf"), [{"a": 0.5, "b": 0.6}], [{"a": 0.0, "b": 0.0}])
    assert (found.low, found.high) == (None, None)


def test_rows_of_one_seed_are_drawn_together() -> None:
    """Two seeds of very different luck that both rows share leave their ratio as it is."""
    ours, theirs = table([0.2, 0.2, 0.2], [0.8, 0.8, 0.8]), table([0.1, 0.1, 0.1], [0.4, 0.4, 0.4])
    assert resampling.mean_ratio(2.0, ours, theirs) == Interval(2.0, pytest.approx(2.0), pytest.approx(2.0), 3)
    apart = resampling.ratio(2.0, *([dict(zip("abc", run, strict=True)) for run in rows] for rows in (ours, theirs)))
    assert apart.low < 1.0 < 4.0 < apart.high


def test_a_seed_that_is_not_drawn_does_not_spoil_the_mean_of_ratios() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = resampling.mean_ratio(1.0, table([0.5, 0.5], [0.5, 0.5]), table([0.5, 0.5], [0.0, 0.0]))
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1, max_size=4), st.floats(-2, 2))
def test_the_interval_moves_with_the_values_and_holds_the_mean(rows: list[list[float]], shift: float) -> None:
    one, other = resampling.mean(table(*rows)), resampling.mean(table(*rows) + shift)
    assert (other.low, other.estimate, other.high) == pytest.approx(
        (one.low + shift, one.estimate + shift, one.high + shift), abs=1e-9
    )
    assert one.low - 1e-9 <= one.estimate <= one.high + 1e-9


def test_draws_are_kept_for_tables_of_one_size_and_so_many_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(0.02, 0.05, (3, 11))
    many = resampling.mean(values)
    monkeypatch.setattr(resampling, "RESAMPLES", 3)
    few = resampling.mean(values)
    assert (few.low, few.high) != (many.low, many.high)
