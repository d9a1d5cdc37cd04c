import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from medsearch.reporting.comparison import LEAST, PERMUTED, TABULATED, Comparison, compare, holm, proportion, share
from medsearch.reporting.variance_components import ONE_SEED, Estimate
from medsearch.reporting.wording import percent_interval

Rows = dict[int, dict[str, float | None]]

pytestmark = pytest.mark.filterwarnings("error")


def rows(*seeds: list[float | None]) -> Rows:
    return {seed: {f"case-{i}": value for i, value in enumerate(values)} for seed, values in enumerate(seeds)}


def shifted(differences: list[float], base: float = 0.5) -> tuple[Rows, Rows]:
    return rows([base + d for d in differences]), rows([base] * len(differences))


def test_worked_numbers_are_those_of_scipy() -> None:
    differences = [0.01, 0.03, -0.02, 0.05, 0.04, 0.06, -0.005, 0.08]
    found = compare(*shifted(differences))
    assert found.wilcoxon_p == pytest.approx(wilcoxon(differences, method="exact").pvalue)
    assert found.wilcoxon_p == pytest.approx(
        14 / 2**8
    )  # W- = 1 + 3; seven of 256 sign patterns have a sum of at most 4
    assert found.rank_biserial == pytest.approx((32 - 4) / 36)
    assert found.effect.estimate == pytest.approx(np.mean(differences))
    assert found.wilcoxon_test == "Wilcoxon signed-rank, exact"
    assert (found.cases, found.seeds) == (8, (0,))


@pytest.mark.parametrize(
    ("differences", "how", "expected"),
    [
        ([0.01, 0.01, 0.02, 0.03, -0.01, 0.05, 0.0], "exact over all sign changes", None),
        ([0.01, -0.01] * 4 + [0.02] * 9, "normal approximation with continuity correction", "asymptotic"),
        (list(np.arange(1, TABULATED + 2) / 100), "normal approximation with continuity correction", "asymptotic"),
        (list(np.arange(1, TABULATED + 1) / 100), "exact", "exact"),
    ],
)
def test_how_p_is_computed_depends_on_ties_and_size(differences: list[float], how: str, expected: str | None) -> None:
    found = compare(*shifted(differences))
    assert found.wilcoxon_test == f"Wilcoxon signed-rank, {how}"
    if expected:
        reference = wilcoxon(differences, zero_method="pratt", correction=True, method=expected)
        assert found.wilcoxon_p == pytest.approx(reference.pvalue)
    else:
        assert len(differences) <= PERMUTED
        assert found.wilcoxon_p == pytest.approx(by_counting(differences))


def by_counting(differences: list[float]) -> float:
    """The two-sided p of Pratt's ranks, by writing down every sign change."""
    from itertools import product

    from scipy.stats import rankdata

    size = np.round(np.abs(differences), 12)
    ranks = rankdata(size) * (size > 0)
    sums = np.array([np.dot(ranks, signs) for signs in product((0, 1), repeat=len(ranks))])
    ours = np.dot(ranks, np.array(differences) > 0)
    return min(1.0, 2 * min(np.mean(sums >= ours - 1e-9), np.mean(sums <= ours + 1e-9)))


def test_seeds_do_not_multiply_the_sample() -> None:
    differences = [0.01, 0.03, -0.02, 0.05, 0.04, 0.06, -0.005, 0.08]
    row, reference = shifted(differences)
    once, thrice = compare(row, reference), compare(rows(*[list(row[0].values())] * 3), rows(*[[0.5] * 8] * 3))
    assert thrice.wilcoxon_p == once.wilcoxon_p
    assert thrice.cases == once.cases == 8
    assert thrice.seeds == (0, 1, 2)


def test_seeds_are_averaged_within_a_case_before_the_test() -> None:
    row = rows([0.6, 0.5, 0.7, 0.8, 0.9, 0.4, 0.3], [0.5, 0.5, 0.8, 0.7, 0.6, 0.5, 0.4])
    reference = rows([0.5] * 7, [0.4] * 7)
    found = compare(row, reference)
    means = [np.mean([row[s][c] - reference[s][c] for s in (0, 1)]) for c in row[0]]
    assert found.effect.estimate == pytest.approx(np.mean(means))
    assert found.wilcoxon_p == pytest.approx(by_counting(means))


def test_only_what_both_rows_have_under_a_seed_is_compared_and_the_rest_is_counted() -> None:
    row: Rows = {0: {"a": 0.6, "b": 0.7, "c": None}, 1: {"a": 0.8, "b": float("nan")}, 2: {"a": 0.0}}
    reference: Rows = {0: {"a": 0.5, "c": 0.5}, 1: {"a": 0.5, "b": 0.5, "d": 0.5}, 7: {"a": 0.9}}
    found = compare(row, reference)
    assert (found.seeds, found.seeds_left_out) == ((0, 1), (2, 7))
    assert (found.cases, found.cases_left_out, found.partial) == (1, 3, 0)
    assert found.effect.estimate == pytest.approx(0.2)


def test_a_case_that_misses_a_seed_counts_with_its_others() -> None:
    found = compare(rows([0.6, None], [0.6, 0.9]), rows([0.5, 0.5], [0.5, 0.5]))
    assert (found.cases, found.partial) == (2, 1)
    assert found.effect.estimate == pytest.approx((0.1 + 0.4) / 2)


@pytest.mark.parametrize(
    ("row", "reference", "of_methods", "of_models"),
    [
        ({}, rows([0.5]), "no seed that both rows have", ""),
        ({}, {}, "no seed that both rows have", ""),
        (rows([]), rows([]), "no test case that both rows have under the same seed", ""),
        (rows([None, 0.5]), rows([0.5, None]), "no test case that both rows have under the same seed", ""),
        (rows([0.5] * 9), rows([0.5] * 9), ONE_SEED, "no difference at all over 9 cases within 1 seed"),
        (
            rows([0.5] * 9, [0.5] * 9),
            rows([0.5] * 9, [0.5] * 9),
            "no difference at all over 9 cases within 2 seeds",
            "",
        ),
        (
            rows([0.6] * 3, [0.6] * 3),
            rows([0.5] * 3, [0.5] * 3),
            "the same difference everywhere over 3 cases within 2 seeds",
            "only 3 cases within 2 seeds: fewer than 6 cannot reach p < 0.05 in a signed-rank test",
        ),
        (
            rows([0.6], [0.6]),
            rows([0.5], [0.5]),
            "one value per seed, which says nothing of other cases",
            "only 1 case within 2 seeds: fewer than 6 cannot reach p < 0.05 in a signed-rank test",
        ),
        (
            rows([0.5] * 9 + [0.6] * 3),
            rows([0.5] * 12),
            ONE_SEED,
            "3 of 12 cases differ: fewer than 6 cannot reach p < 0.05 in a signed-rank test",
        ),
    ],
)
def test_where_no_test_is_possible_there_are_words(row: Rows, reference: Rows, of_methods: str, of_models: str) -> None:
    found = compare(row, reference)
    assert (found.p, found.wilcoxon_p, found.wilcoxon_test) == (None, None, "")
    assert (found.reason, found.wilcoxon_reason) == (of_methods, of_models or of_methods)


def test_six_cases_that_agree_are_the_least_that_can_be_significant() -> None:
    assert compare(*shifted([0.01 * i for i in range(1, LEAST + 1)])).wilcoxon_p == pytest.approx(2 / 2**LEAST)
    assert 2 / 2**LEAST < 0.05 < 2 / 2 ** (LEAST - 1)


def test_noise_of_sums_breaks_no_tie() -> None:
    found = compare(rows([0.1 + 0.2] * 8), rows([0.3] * 8))
    assert found.wilcoxon_reason.startswith("no difference at all")


def test_holm_is_that_of_statsmodels_and_keeps_the_order() -> None:
    given_p = [0.04, 0.001, 0.02]
    found = holm([Comparison(p=p) for p in given_p])
    assert [c.p_holm for c in found] == pytest.approx(list(multipletests(given_p, method="holm")[1]))
    assert [c.p_holm for c in found] == pytest.approx([0.04, 0.003, 0.04])
    assert {c.family for c in found} == {3}


def test_a_row_that_could_not_be_tested_stays_in_the_family() -> None:
    with_failure = holm([Comparison(p=0.02), Comparison(reason="no seed that both rows have")])
    assert with_failure[0].p_holm == pytest.approx(0.04)
    assert with_failure[1].p_holm is None
    assert holm([Comparison(reason="x")]) == (Comparison(reason="x"),)
    assert holm([]) == ()


@pytest.mark.parametrize("name", ["p", "wilcoxon_p"])
def test_both_tests_have_a_family_of_their_own(name: str) -> None:
    found = holm([Comparison(**{name: p}) for p in (0.04, 0.01)])
    assert [getattr(one, f"{name}_holm") for one in found] == pytest.approx([0.04, 0.02])
    assert {getattr(one, f"{'wilcoxon_p' if name == 'p' else 'p'}_holm") for one in found} == {None}


def test_one_seed_has_an_effect_without_an_interval() -> None:
    (found,) = holm([compare(*shifted([0.01, 0.02, 0.03, 0.04, 0.05, 0.06]))])
    assert (found.effect.low, found.effect.high, found.effect.reason) == (None, None, ONE_SEED)
    assert (found.p_holm, found.wilcoxon_p_holm) == (None, pytest.approx(0.03125))


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_rows_between_which_nothing_varies_know_no_variances(gap: float) -> None:
    assert compare(rows([0.5 + gap] * 8, [0.5 + gap] * 8), rows([0.5] * 8, [0.5] * 8)).variances is None


def test_luck_of_seeds_is_no_difference_between_methods() -> None:
    """Two seeds, one lucky by 0.05: every case agrees, and of the methods nothing is shown."""
    steps = [0.001 * i for i in range(30)]
    row = rows([0.6 + step for step in steps], [0.53 + step for step in reversed(steps)])
    found = compare(row, rows([0.5] * 30, [0.5] * 30))
    assert found.wilcoxon_p < 1e-5
    assert found.p > 0.2
    assert found.effect.low < 0 < found.effect.high


def test_seeds_of_their_own_are_taken_within_each_row() -> None:
    draw = np.random.default_rng(0)
    ours, theirs = draw.normal(0.7, 0.02, (3, 12)), draw.normal(0.5, 0.02, (2, 12))
    cases = [f"case-{i}" for i in range(12)]
    row = {seed: dict(zip(cases, run, strict=True)) for seed, run in enumerate(ours)}
    reference = {seed: dict(zip(cases, run, strict=True)) for seed, run in zip((2, 9), theirs, strict=True)}
    found = compare(row, reference)
    assert (found.seeds, found.apart, found.fewest_seeds, found.cases) == ((), (3, 2), 2, 12)
    assert found.effect.estimate == pytest.approx(ours.mean() - theirs.mean())
    assert found.effect.low < 0.2 < found.effect.high
    assert share(row, reference).estimate == pytest.approx(ours.mean() / theirs.mean())
    reference[2].pop("case-3")
    fewer = compare(row, reference)
    assert (fewer.cases, fewer.cases_left_out) == (11, 1)


def test_a_row_with_one_seed_of_its_own_says_nothing_of_the_method() -> None:
    row, reference = rows([0.5, 0.6], [0.5, 0.7], [0.4, 0.6]), {9: {"case-0": 0.3, "case-1": 0.4}}
    assert compare(row, reference).reason == "no seed that both rows have"
    assert share(row, reference).low is None


def test_a_share_of_any_metric() -> None:
    found = share(rows([0.2, 0.3, 0.4], [0.2, None, 0.4]), rows([0.4, 0.6, 0.8], [0.4, 0.6, 0.8]))
    assert found.estimate == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.5, 0.5))
    assert found.cases == 3


def test_a_share_of_one_seed_has_no_interval() -> None:
    found = share(rows([0.2, 0.3, 0.4]), rows([0.4, 0.6, 0.8]))
    assert (found.estimate, found.low, found.reason) == (pytest.approx(0.5), None, ONE_SEED)


@pytest.mark.parametrize(("scatter", "finite"), [(0.15, True), (80.0, True), (1e4, False)])
def test_an_interval_too_wide_to_say_anything_is_said_to_be_none(scatter: float, finite: bool) -> None:
    """Two seeds far apart: the ends are kept as numbers as long as they are numbers, and no reason is made up."""
    counts = Comparison(seeds=(0, 1), cases=9)
    logarithm = Estimate(mean=np.array(0.0), squares=np.array([scatter]), weights=np.array([1.0]), freedom=(1,))
    found = proportion(0.41, logarithm, counts)
    assert found.reason == "no useful interval with 2 seeds"
    assert (found.bounds, found.low is not None, found.high is not None) == (None, finite, finite)
    assert percent_interval(found) == "41% (no useful interval with 2 seeds)"
    narrow = proportion(0.41, replace(logarithm, squares=np.array([0.0001])), counts)
    assert percent_interval(narrow) == "41% [36, 47]"


@pytest.mark.parametrize("supervised", [{}, rows([]), rows([None]), rows([0.0, 0.0])])
def test_no_share_without_a_yardstick(supervised: Rows) -> None:
    assert share(rows([0.3, 0.4]), supervised) is None


values = st.one_of(st.floats(0, 1), st.none(), st.just(float("nan")))
tables = st.dictionaries(st.integers(0, 3), st.dictionaries(st.sampled_from("abcdefghij"), values), max_size=3)


@settings(max_examples=60, deadline=None)
@given(row=tables, reference=tables)
def test_any_two_rows_get_an_answer_that_is_antisymmetric(row: Rows, reference: Rows) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours, theirs = compare(row, reference), compare(reference, row)
        holm([ours, theirs])
    assert ours.p == pytest.approx(theirs.p)
    assert ours.wilcoxon_p == pytest.approx(theirs.wilcoxon_p)
    assert (ours.p is None) == bool(ours.reason)
    assert (ours.wilcoxon_p is None) == bool(ours.wilcoxon_reason)
    assert not (ours.fewest_seeds < 2 and ours.p is not None)
    assert (ours.effect is None) == (ours.cases == 0)
    if ours.effect:
        assert np.isfinite(ours.effect.estimate)
        assert ours.effect.estimate == pytest.approx(-theirs.effect.estimate)
    if ours.rank_biserial is not None:
        assert -1 <= ours.rank_biserial <= 1
        assert ours.rank_biserial == pytest.approx(-theirs.rank_biserial)


@settings(max_examples=60, deadline=None)
@given(row=tables, reference=tables)
def test_the_interval_excludes_zero_where_p_is_small(row: Rows, reference: Rows) -> None:
    found = compare(row, reference)
    if found.p is not None and abs(found.p - 0.05) > 1e-9:
        assert (found.p < 0.05) == (found.effect.low > 0 or found.effect.high < 0)
