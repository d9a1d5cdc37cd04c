import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from medsearch.reporting.comparison import change
from medsearch.reporting.statistics import Summary
from medsearch.reporting.variance_components import ONE_SEED

pytestmark = pytest.mark.filterwarnings("error")

Rows = dict[int, dict[str, float | None]]


def rows(*seeds: list[float | None], first: int = 0) -> Rows:
    return {first + seed: dict(zip("abcdefgh", scores, strict=False)) for seed, scores in enumerate(seeds)}


def test_each_seed_is_worked_out_by_itself() -> None:
    found = change(rows([0.4, 0.5], [0.6, 0.6]), rows([0.5, 0.5], [0.5, 0.7]))
    assert found.by_seed == {0: pytest.approx(-10.0), 1: pytest.approx(0.0)}
    assert found.interval.estimate == pytest.approx(-5.0)
    assert found.interval.cases == 2
    assert Summary(tuple(found.by_seed.values())).sd == pytest.approx(50**0.5)


def test_it_is_the_mean_of_ratios_and_not_the_ratio_of_means() -> None:
    found = change(rows([0.2, 0.2], [0.8, 0.8]), rows([0.1, 0.1], [0.8, 0.8]))
    assert found.interval.estimate == pytest.approx(50.0)  # of 100 and 0; 1.0 over 0.9 would be 11.1


def test_seeds_that_only_one_row_has_are_left_out() -> None:
    found = change(rows([0.1, 0.1], [0.4, 0.4]), rows([0.5, 0.5], [0.9, 0.9], first=1))
    assert found.by_seed == {1: pytest.approx(-20.0)}


def test_cases_that_only_one_row_has_under_a_seed_move_nothing() -> None:
    row, other = rows([0.4, 0.6, None], [0.4, 0.6, 0.0]), rows([0.5, 0.5, 0.1], [0.5, 0.5, float("nan")])
    found = change(row, other)
    assert found.by_seed == {0: pytest.approx(0.0), 1: pytest.approx(0.0)}
    assert found.interval.cases == 2


def test_a_seed_whose_reference_is_nothing_but_zero_has_none() -> None:
    found = change(rows([0.4, 0.6], [0.4, 0.6]), rows([0.0, 0.0], [0.5, 0.5]))
    assert found.by_seed == {1: pytest.approx(0.0)}


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ({}, rows([0.5])),
        (rows([0.5]), {}),
        (rows([0.5]), rows([0.5], first=1)),
        (rows([0.5, None]), rows([None, 0.5])),
        (rows([0.5, 0.5]), rows([0.0, 0.0])),
        (rows([]), rows([])),
    ],
)
def test_without_a_shared_seed_and_case_there_is_no_change(row: Rows, other: Rows) -> None:
    assert change(row, other) is None


def test_one_case_has_a_change_and_no_interval() -> None:
    found = change(rows([0.4], [0.4]), rows([0.5], [0.5])).interval
    assert (found.estimate, found.low, found.cases) == (pytest.approx(-20.0), None, 1)
    assert found.reason.startswith("one value per seed")


def test_one_seed_has_a_change_and_no_interval() -> None:
    found = change(rows([0.4, 0.5]), rows([0.5, 0.6])).interval
    assert (found.low, found.high, found.reason) == (None, None, ONE_SEED)


def test_seeds_that_share_no_case_have_changes_and_no_interval() -> None:
    row, other = rows([0.4, None], [None, 0.4]), rows([0.5, 0.5], [0.5, 0.5])
    found = change(row, other).interval
    assert (found.estimate, found.low, found.cases) == (pytest.approx(-20.0), None, 2)
    assert found.reason.startswith("too few values in common")


def test_a_row_of_zeros_has_lost_all_of_it_and_has_no_interval() -> None:
    found = change(rows([0.0, 0.0], [0.0, 0.0]), rows([0.5, 0.5], [0.5, 0.6])).interval
    assert (found.estimate, found.low, found.reason) == (-100.0, None, "a mean of 0 or less has no interval")


def test_the_interval_is_that_of_the_ratios_where_cases_do_not_vary() -> None:
    """Without case effects only the seeds' ratios are left: a t interval of their logarithm's first order."""
    found = change(rows([0.36] * 40, [0.45] * 40, [0.44] * 40), rows([0.4] * 40, [0.5] * 40, [0.5] * 40))
    ratios = np.array([0.9, 0.9, 0.88])
    error = ratios.std(ddof=1) / 3**0.5 / ratios.mean()
    half = student.isf(0.025, 2) * error
    low, high = (100 * (ratios.mean() * np.exp(side * half) - 1) for side in (-1, 1))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), rel=2e-3)


scores = st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=2, max_size=3)


@settings(max_examples=25, deadline=None)
@given(scores)
def test_against_itself_nothing_changes(of: list[list[float]]) -> None:
    found = change(rows(*of), rows(*of))
    assert set(found.by_seed.values()) == {0.0}
    assert (found.interval.low, found.interval.estimate, found.interval.high) == pytest.approx((0, 0, 0), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(scores, st.floats(0.1, 2))
def test_a_row_that_is_so_many_times_as_good_everywhere_changes_by_just_that(of: list[list[float]], k: float) -> None:
    found = change(rows(*([k * score for score in run] for run in of)), rows(*of))
    every = (*found.by_seed.values(), found.interval.low, found.interval.estimate, found.interval.high)
    assert every == pytest.approx([100 * (k - 1)] * len(every), abs=1e-6)


values = st.one_of(st.floats(0, 1), st.none(), st.just(float("nan")))
tables = st.dictionaries(st.integers(0, 3), st.dictionaries(st.sampled_from("abcd"), values), max_size=3)


@settings(max_examples=60, deadline=None)
@given(row=tables, other=tables)
def test_any_two_rows_have_a_finite_change_or_none(row: Rows, other: Rows) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = change(row, other)
    if found is None:
        return
    assert set(found.by_seed) <= set(row) & set(other)
    assert all(np.isfinite(value) for value in (*found.by_seed.values(), found.interval.estimate))
    assert min(found.by_seed.values()) >= -100
