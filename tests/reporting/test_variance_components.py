import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import chdtri, ndtr
from scipy.stats import qmc
from scipy.stats import t as student

from medsearch.reporting.variance_components import (
    POWER,
    Estimate,
    apart,
    case_weights,
    crossed,
    detectable,
    difference,
    log_mean_ratio,
    log_ratio,
    log_ratio_apart,
)

pytestmark = pytest.mark.filterwarnings("error")

Floats = np.ndarray


def drawn(
    seeds: int, cases: int, number: int = 0, *, spreads: tuple[float, float, float] = (0.02, 0.03, 0.01)
) -> Floats:
    draw = np.random.default_rng(number)
    parts = ((seeds, 1), (1, cases), (seeds, cases))
    return sum(draw.normal(0, spread, shape) for spread, shape in zip(spreads, parts, strict=True))


def alone(table: Floats) -> Estimate | None:
    return crossed(table, case_weights(np.isfinite(table)))


def test_mean_squares_are_those_of_an_analysis_of_variance_by_hand() -> None:
    found = alone(np.array([[1.0, 2.0, 6.0], [3.0, 6.0, 6.0]]))
    # grand mean 4; seeds 3, 5; cases 2, 4, 6; residuals 0, -1, 1 and 0, 1, -1
    assert float(found.mean) == pytest.approx(4)
    assert found.squares == pytest.approx([6 / 1, 16 / 2, 4 / 2])
    assert found.freedom == (1, 2, 2)
    assert found.weights == pytest.approx([1 / 6, 1 / 6, -1 / 6])
    assert found.variances == pytest.approx([(6 - 2) / 3, (8 - 2) / 2, 2])


def test_mean_squares_are_those_of_statsmodels() -> None:
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    table = drawn(3, 7)
    holed = table.copy()
    holed[0, 2] = holed[2, 5] = holed[1, 6] = np.nan
    for of in (table, holed):
        seed, case = (index.ravel() for index in np.indices(of.shape))
        long = pd.DataFrame({"d": of.ravel(), "seed": seed, "case": case}).dropna()
        by_hand = anova_lm(ols("d ~ C(seed) + C(case)", long).fit(), typ=2)  # each effect after the other
        found = alone(of)
        assert found.squares == pytest.approx((by_hand["sum_sq"] / by_hand["df"]).to_numpy())
        assert found.freedom == tuple(by_hand["df"])


def test_variances_are_those_of_a_mixed_model_where_all_are_above_zero() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    table = drawn(5, 12)
    seed, case = (index.ravel() for index in np.indices(table.shape))
    long = pd.DataFrame({"d": table.ravel() * 100, "seed": seed, "case": case, "all": 0})
    formulas = {"seed": "0 + C(seed)", "case": "0 + C(case)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MixedLM.from_formula("d ~ 1", long, groups="all", vc_formula=formulas, re_formula="0").fit()
    by_name = dict(zip(fitted.model.exog_vc.names, fitted.vcomp, strict=True))
    found = alone(table)
    assert found.variances * 1e4 == pytest.approx([by_name["seed"], by_name["case"], fitted.scale], rel=0.01)
    error = np.sqrt((found.squares * found.weights).sum())
    assert error * 100 == pytest.approx(fitted.bse["Intercept"], rel=0.01)


@pytest.mark.parametrize("freedom", [1, 2, 5, 30])
def test_one_mean_square_alone_is_students_t(freedom: int) -> None:
    of = Estimate(mean=np.array(1.3), squares=np.array([4.0]), weights=np.array([0.25]), freedom=(freedom,))
    assert float(of.half_width()) == pytest.approx(student.isf(0.025, freedom), rel=1e-3)
    assert float(of.p()) == pytest.approx(2 * student.sf(1.3, freedom), rel=1e-3)


@pytest.mark.parametrize(("level", "rel"), [(0.05, 0.002), (0.05 / 8, 0.002), (0.05 / 50, 0.005), (1e-4, 0.025)])
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 20, 21, 29])
def test_small_p_are_students_t_too(freedom: int, level: float, rel: float) -> None:
    end = float(student.isf(level / 2, freedom))
    of = Estimate(mean=np.array(end), squares=np.array([1.0]), weights=np.array([1.0]), freedom=(freedom,))
    assert float(of.p()) == pytest.approx(level, rel=rel)
    assert float(of.half_width(level)) == pytest.approx(end, rel=rel)


@pytest.mark.parametrize(("seeds", "cases"), [(2, 4), (3, 10)])
def test_small_p_are_those_of_many_more_draws(seeds: int, cases: int) -> None:
    """Of rows of the same seeds and of seeds of their own; the draws lie evenly, and each counts alike."""
    ours, theirs = drawn(seeds, cases, 1), drawn(seeds, cases, 2)
    for found in (difference(ours, theirs), apart(ours, theirs)):
        freedom = np.array(found.freedom)
        scatter = freedom / chdtri(freedom, qmc.Sobol(len(freedom), rng=np.random.default_rng(3)).random(2**16))
        parts = found.squares * found.weights * scatter
        errors = np.sqrt(np.maximum(parts.sum(axis=-1), np.abs(parts).max(axis=-1)))
        for level in (0.05, 0.05 / 8):
            half = float(found.half_width(level))
            assert 2 * ndtr(-half / errors).mean() == pytest.approx(level, rel=0.02)


def test_where_seeds_dominate_small_levels_hold() -> None:
    draw, studies = np.random.default_rng(0), 20_000
    parts = zip((0.05, 0.03, 0.02), ((studies, 2, 1), (studies, 1, 10), (studies, 2, 10)), strict=True)
    p = alone_each(sum(draw.normal(0, spread, shape) for spread, shape in parts)).p()
    for level in (0.05, 0.05 / 8, 0.05 / 20, 0.05 / 50):
        assert float((p < level).mean()) <= level + 3 * np.sqrt(level / studies)


def test_the_interval_is_that_of_draws_of_its_own() -> None:
    """Weerahandi's pivot, drawn at random instead of laid out."""
    found, draw = alone(drawn(3, 8)), np.random.default_rng(1)
    scatter = [df / draw.chisquare(df, 400_000) for df in found.freedom]
    seeds, cases, residual = (square * by / 24 for square, by in zip(found.squares, scatter, strict=True))
    error = np.sqrt(np.maximum(seeds + cases - residual, np.maximum(seeds, cases)))
    half = np.quantile(np.abs(draw.normal(size=400_000) * error), 0.95)
    assert float(found.half_width()) == pytest.approx(half, rel=0.02)


sizes = st.tuples(st.integers(2, 5), st.integers(2, 8), st.integers(0, 10**6))


@settings(max_examples=40, deadline=None)
@given(sizes, st.floats(-2, 2), st.floats(0.1, 100))
def test_order_of_seeds_and_cases_shift_and_unit_change_what_they_should(
    of: tuple[int, int, int], shift: float, unit: float
) -> None:
    seeds, cases, number = of
    table, draw = drawn(seeds, cases, number), np.random.default_rng(number)
    found = alone(table)
    mixed = alone(table[draw.permutation(seeds)][:, draw.permutation(cases)])
    assert (float(mixed.mean), float(mixed.half_width())) == pytest.approx(
        (float(found.mean), float(found.half_width()))
    )
    moved = alone(table + shift)
    assert float(moved.mean - found.mean) == pytest.approx(shift)
    assert float(moved.half_width()) == pytest.approx(float(found.half_width()), rel=1e-6)
    scaled = alone(table * unit)
    assert float(scaled.half_width()) == pytest.approx(unit * float(found.half_width()))
    assert float(scaled.p()) == pytest.approx(float(found.p()))


@settings(max_examples=40, deadline=None)
@given(sizes, st.floats(0.1, 100))
def test_a_difference_ignores_what_both_rows_gain_and_ratios_ignore_the_unit(
    of: tuple[int, int, int], unit: float
) -> None:
    seeds, cases, number = of
    ours, theirs = (0.7 + drawn(seeds, cases, number + by) for by in (0, 1))
    gain = drawn(seeds, cases, number + 2)
    plain, raised = difference(ours, theirs), difference(ours + gain, theirs + gain)
    assert float(raised.half_width()) == pytest.approx(float(plain.half_width()))
    for ratio in (log_ratio, log_ratio_apart, log_mean_ratio):
        one, other = ratio(ours, theirs), ratio(unit * ours, unit * theirs)
        assert float(one.mean) == pytest.approx(float(other.mean), abs=1e-9)
        assert float(one.half_width()) == pytest.approx(float(other.half_width()), rel=1e-6)
    back = log_ratio(theirs, ours)
    assert float(back.mean) == pytest.approx(-float(log_ratio(ours, theirs).mean))
    assert float(back.half_width()) == pytest.approx(float(log_ratio(ours, theirs).half_width()))


@settings(max_examples=40, deadline=None)
@given(sizes, st.floats(0.001, 0.5))
def test_the_interval_ends_where_p_is_its_level(of: tuple[int, int, int], level: float) -> None:
    found = alone(drawn(*of))
    half = found.half_width(level)
    assert float(found.p(found.mean + half)) == pytest.approx(level, rel=1e-6)
    assert float(found.p(found.mean - half)) == pytest.approx(level, rel=1e-6)


def test_tables_at_once_are_tables_one_by_one() -> None:
    tables = np.stack([drawn(3, 6, number) for number in range(4)])
    tables[:, 1, 2] = np.nan
    every = alone(tables[0]), crossed(tables, case_weights(np.isfinite(tables[0])))
    assert every[1].half_width()[0] == pytest.approx(float(every[0].half_width()))
    assert every[1].p() == pytest.approx([float(alone(table).p()) for table in tables])


def test_apart_is_what_an_even_table_says_where_cases_do_not_vary() -> None:
    """Two samples of seeds: the mean squares within each row, over their seeds."""
    ours, theirs = (np.repeat(np.array(seeds)[:, None], 5, axis=1) for seeds in ([0.5, 0.6, 0.9], [0.4, 0.5]))
    found = apart(ours, theirs)
    assert float(found.mean) == pytest.approx(2 / 3 - 0.45)
    parts = found.squares * found.weights
    assert parts.sum() == pytest.approx(np.var([0.5, 0.6, 0.9], ddof=1) / 3 + np.var([0.4, 0.5], ddof=1) / 2)
    assert found.freedom == (4, 2, 8, 1, 4)


@pytest.mark.parametrize(
    "table",
    [
        [[0.1, 0.2, 0.3]],
        [[0.1], [0.2]],
        [[0.1, 0.2, np.nan, np.nan], [np.nan, np.nan, 0.3, 0.4]],  # no case under both seeds
        [[0.1, 0.2, 0.3, np.nan], [np.nan, np.nan, 0.3, 0.4]],  # as many values as unknowns
        [  # two groups that share neither seeds nor cases
            [0.1, 0.2, 0.5, np.nan, np.nan],
            [0.1, 0.3, 0.1, np.nan, np.nan],
            [np.nan, np.nan, np.nan, 0.1, 0.2],
            [np.nan, np.nan, np.nan, 0.3, 0.2],
        ],
    ],
)
def test_tables_that_cannot_tell_have_no_estimate(table: list[list[float]]) -> None:
    assert alone(np.array(table)) is None


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(2, 4), st.integers(2, 4)).flatmap(
        lambda shape: st.tuples(
            *[st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])]
            * 2
        ).map(lambda rows: [np.array(row).reshape(shape) for row in rows])
    ),
    st.floats(1e-6, 0.9),
)
def test_where_anything_varies_p_is_above_zero_and_the_interval_ends(rows: list[Floats], level: float) -> None:
    """Scores of few values, whose means over seeds and over cases are often all alike."""
    for of in (difference, apart):
        found = of(*rows)
        if found.exact:
            assert float(found.half_width(level)) == 0
            continue
        half = float(found.half_width(level))
        assert 0 < half < np.inf
        assert 0 < float(found.p()) <= 1
        assert float(found.p(found.mean + half)) == pytest.approx(level, rel=1e-6)


def test_rows_that_differ_by_their_residual_alone_are_not_known_without_error() -> None:
    """Means over seeds and over cases are all alike, and yet each value is another draw."""
    found = alone(np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]))
    assert found.squares == pytest.approx([0, 0, 0.5 / 3])
    assert float(found.half_width()) > float(np.sqrt(0.5 / 3 / 8))
    assert 0.01 < float(found.p()) < 1


def test_a_p_that_no_float_can_hold_is_not_said_to_be_zero() -> None:
    of = Estimate(mean=np.array(1.0), squares=np.array([1e-6]), weights=np.array([1.0]), freedom=(400,))
    assert 0 < float(of.p()) < 1e-300


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(2, 5))
def test_rows_of_their_own_seeds_may_change_places(of: tuple[int, int, int], others: int) -> None:
    seeds, cases, number = of
    ours, theirs = drawn(seeds, cases, number), drawn(others, cases, number + 1, spreads=(0.05, 0.01, 0.02))
    one, other = apart(ours, theirs), apart(theirs, ours)
    assert float(one.mean) == -float(other.mean)
    assert float(one.p()) == float(other.p())
    assert float(one.half_width(0.01)) == float(other.half_width(0.01))


def test_where_nothing_varies_there_is_nothing_to_test() -> None:
    found = alone(np.full((3, 4), 0.1 + 0.2))
    assert bool(found.exact)
    assert float(found.half_width()) == 0
    assert np.isnan(found.p(0.0))


def test_gaps_cost_width_and_keep_the_mean_of_what_is_there() -> None:
    whole = drawn(3, 10, spreads=(0.01, 0.0, 0.0))
    holed = whole.copy()
    holed[[0, 1, 2], [0, 1, 2]] = np.nan
    found = alone(holed)
    assert float(found.mean) == pytest.approx(np.nanmean(holed, axis=0).mean())
    assert float(found.half_width()) == pytest.approx(float(alone(whole).half_width()), rel=0.1)


def test_more_seeds_show_less_down_to_what_cases_allow() -> None:
    shown = [detectable((0.02**2, 0.03**2, 0.02**2), seeds=seeds, cases=20) for seeds in (2, 3, 5, 10, 50)]
    assert shown == sorted(shown, reverse=True)
    many = detectable((0.02**2, 0.03**2, 0.02**2), seeds=2000, cases=20)
    assert many > 2.8 * 0.03 / 20**0.5
    assert detectable((-1.0, -1.0, 0.02**2), seeds=3, cases=20) > 0


@pytest.mark.parametrize("level", [0.05, 0.05 / 8])
@pytest.mark.parametrize("spread", [0.05, 0.005])
@pytest.mark.parametrize(("seeds", "cases"), [(2, 20), (3, 20), (5, 10)])
def test_a_difference_that_is_called_detectable_is_shown_as_often_as_said(
    seeds: int, cases: int, spread: float, level: float
) -> None:
    spreads, draw, studies = (spread, 0.03, 0.02), np.random.default_rng(0), 4000
    size = detectable((spread**2, 0.03**2, 0.02**2), seeds=seeds, cases=cases, level=level)
    parts = ((studies, seeds, 1), (studies, 1, cases), (studies, seeds, cases))
    tables = size + sum(draw.normal(0, of, shape) for of, shape in zip(spreads, parts, strict=True))
    shown = float((alone_each(tables).p() < level).mean())
    assert shown == pytest.approx(POWER, abs=0.025)


def alone_each(tables: Floats) -> Estimate:
    found = crossed(tables, case_weights(np.isfinite(tables[0])))
    assert found is not None
    return found
