from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_ind_from_stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ttost_ind

from medsearch.core.errors import BadInput
from medsearch.core.reported import Reported
from medsearch.reporting.metrics import METRICS
from medsearch.reporting.verdicts import Context, Measured, Verdict, verdict

pytestmark = pytest.mark.filterwarnings("error")

HERE = Context(cohort="brats2020", selection="oracle")
PRINTED = Reported(
    paper="A", where="Table 1", page=1, row="ours", column="T1 → T2", metric="dice", value=0.8, cohort="brats2020",
    selection="oracle", statistic="mean over cases",
)  # fmt: skip
SEEDS = replace(PRINTED, spread=0.006, spread_of="seeds", n=3)
CASES = replace(PRINTED, spread=0.1, spread_of="cases", n=64)


def over_seeds(*values: float) -> Measured:
    return Measured(seeds=values)


def sample(mean: float, sd: float, n: int) -> np.ndarray:
    """Numbers with exactly that mean and standard deviation."""
    raw = np.random.default_rng(n).normal(size=n)
    return mean + sd * (raw - raw.mean()) / raw.std(ddof=1)


def test_over_seeds_the_numbers_are_those_of_scipy_and_statsmodels() -> None:
    ours = (0.79, 0.80, 0.805, 0.78)
    found = verdict(over_seeds(*ours), SEEDS, context=HERE, margin=0.02)
    summary = np.mean(ours), np.std(ours, ddof=1), 4, 0.8, 0.006, 3
    assert found.p_difference == pytest.approx(ttest_ind_from_stats(*summary, equal_var=False).pvalue)
    paper = sample(0.8, 0.006, 3)
    assert found.p_equivalence == pytest.approx(ttost_ind(np.array(ours), paper, -0.02, 0.02, usevar="unequal")[0])
    both = CompareMeans(DescrStatsW(ours), DescrStatsW(paper))
    assert (found.low, found.high) == pytest.approx(both.tconfint_diff(usevar="unequal"))
    assert found.difference == pytest.approx(0.79375 - 0.8)
    assert "Welch's t over 4 seeds here and 3 in the paper" in found.reason
    assert found.notes == ("4 seeds here, 3 in the paper",)


def test_over_cases_the_numbers_are_those_of_statsmodels() -> None:
    ours = sample(0.79, 0.12, 50)
    found = verdict(Measured(seeds=(0.78, 0.8), cases=tuple(ours)), CASES, context=HERE, margin=0.05)
    paper = sample(0.8, 0.1, 64)
    assert found.p_equivalence == pytest.approx(ttost_ind(ours, paper, -0.05, 0.05, usevar="unequal")[0])
    assert found.p_difference == pytest.approx(
        ttest_ind_from_stats(0.79, 0.12, 50, 0.8, 0.1, 64, equal_var=False).pvalue
    )
    assert "Welch's t over 50 cases here and 64 in the paper" in found.reason


def test_without_a_spread_the_printed_value_is_exact_and_that_is_said() -> None:
    ours = (0.79, 0.80, 0.805, 0.78)
    found = verdict(over_seeds(*ours), PRINTED, context=HERE, margin=0.02)
    test = ttest_1samp(ours, 0.8)
    interval = test.confidence_interval(0.95)
    assert found.p_difference == pytest.approx(test.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low - 0.8, interval.high - 0.8))
    assert found.p_equivalence == pytest.approx(DescrStatsW(ours).ttost_mean(0.78, 0.82)[0])
    assert "taken as exact since the paper gives no spread" in found.reason


@pytest.mark.parametrize(
    "reported",
    [replace(SEEDS, n=None), replace(SEEDS, n=1), replace(CASES, n=64)],
    ids=["n unknown", "n of one", "no cases here"],
)
def test_a_spread_that_cannot_be_used_is_said_to_be_unusable(reported: Reported) -> None:
    found = verdict(over_seeds(0.79, 0.8, 0.81), reported, context=HERE)
    assert found.p_difference == pytest.approx(ttest_1samp((0.79, 0.8, 0.81), 0.8).pvalue)
    assert "taken as exact since the paper gives no spread over a known number of seeds" in found.reason


@pytest.mark.parametrize(
    ("ours", "kind", "said"),
    [
        ((0.801, 0.795, 0.806), "agrees", "within ±0.03 of the reported 0.8 (p = "),
        ((0.784, 0.785, 0.786), "agrees", ", though lower (p = "),
        ((0.815, 0.816, 0.814), "agrees", ", though higher (p = "),
        ((0.70, 0.71, 0.72), "lower", "0.09 below the reported 0.8 (p = "),
        ((0.90, 0.89, 0.88), "higher", "0.09 above the reported 0.8 (p = "),
        ((0.70, 0.80, 0.85), "underpowered", "neither a difference from the reported 0.8 (p = "),
        ((0.78,), "underpowered", "one seed has a value; 2 are the least that show how much training varies"),
        ((), "underpowered", "no seed has a value; 2 are the least"),
    ],
)
def test_the_kinds_and_their_reasons(ours: tuple[float, ...], kind: str, said: str) -> None:
    found = verdict(over_seeds(*ours), SEEDS, context=HERE)
    assert found.kind == kind
    assert said in found.reason
    assert "\n" not in found.reason
    assert not found.reason.endswith(".")


def test_one_seed_over_many_cases_is_one_training_still() -> None:
    found = verdict(Measured(seeds=(0.8,), cases=(0.8,) * 64), CASES, context=HERE)
    assert (found.kind, found.difference, found.p_difference) == ("underpowered", 0.0, None)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({"phantom": True, "cohort": "crossmoda2021", "scale": "tiny"}, "the subjects are synthetic"),
        ({"cohort": "crossmoda2021"}, "another cohort: crossmoda2021 here, brats2020 in the paper"),
        (
            {"cohort": "crossmoda2021", "selection": "source"},
            "another cohort: crossmoda2021 here, brats2020 in the paper",
        ),
        (
            {"selection": "source", "scale": "tiny"},
            "another selection rule: source here, oracle in the paper",
        ),
        ({"scale": "small", "skipped": 2}, "reduced scale: small"),
        ({"statistic": "pooled"}, "another statistic: pooled here, mean over cases in the paper"),
        (
            {"statistic": "pooled", "unit": "whole volume"},
            "another statistic: pooled here, mean over cases in the paper",
        ),
        (
            {"unit": "diseased halves", "scale": "tiny"},
            "scored on other ground: diseased halves here, diseased slices in the paper",
        ),
        ({"skipped": 1}, "1 case was skipped"),
        ({"skipped": 2}, "2 cases were skipped"),
    ],
)
def test_not_comparable_says_the_weightiest_reason_and_no_numbers(context: dict[str, object], reason: str) -> None:
    printed = replace(SEEDS, unit="diseased slices")
    found = verdict(over_seeds(0.8, 0.8, 0.8), printed, context=replace(HERE, **context))
    assert found == Verdict(kind="not comparable", reason=reason, margin=0.03)


def test_what_the_paper_does_not_say_is_a_note_not_an_obstacle() -> None:
    unsaid = replace(SEEDS, cohort="", selection="", statistic="")
    found = verdict(Measured(seeds=(0.8, 0.801), missing=1), unsaid, context=HERE)
    assert found.kind == "agrees"
    assert found.notes == (
        "1 of 3 planned seeds have no value",
        "2 seeds here, 3 in the paper",
        "the paper does not say by which rule it selected",
        "it is not known of what the paper's value is taken; it is compared with the mean over cases",
    )


@pytest.mark.parametrize(("value", "kind"), [(0.8, "agrees"), (0.775, "agrees"), (0.76, "lower"), (0.84, "higher")])
def test_where_nothing_varies_the_difference_is_what_it_is(value: float, kind: str) -> None:
    for reported in (PRINTED, replace(SEEDS, spread=0.0)):
        found = verdict(over_seeds(value, value, value), reported, context=HERE)
        assert (found.kind, found.p_difference, found.low) == (kind, None, None)
        assert "no value varies, so no test was made" in found.reason


def test_margins_are_per_metric_and_can_be_given() -> None:
    in_mm = replace(CASES, metric="assd", value=0.43, spread=0.18)
    assert verdict(over_seeds(), in_mm, context=HERE).margin == METRICS["assd"].margin == 0.1
    assert verdict(over_seeds(), in_mm, context=HERE, margin=0.2).margin == 0.2
    for metric, margin in (("dice", 0.0), ("dice", -1.0), ("dice", float("nan")), ("roughness", None)):
        with pytest.raises(BadInput, match=r"Table 1, ours"):
            verdict(over_seeds(), replace(SEEDS, metric=metric), context=HERE, margin=margin)


CHANGE = replace(PRINTED, metric="change", value=-8.22)


@pytest.mark.parametrize(
    ("ours", "kind", "said"),
    [
        ((-8.0, -8.5, -8.3), "agrees", "within ±3 % points of the reported −8.22 % (p = "),
        ((-2.0, -2.2, -1.8), "higher", "6.22 % points above the reported −8.22 % (p = "),
        ((-15.0, -15.2, -14.8), "lower", "6.78 % points below the reported −8.22 % (p = "),
        ((-5.0, -12.0, -8.0), "underpowered", "neither a difference from the reported −8.22 % (p = "),
        ((-8.0, -8.0), "agrees", "+0.22 % points from the reported −8.22 %; no value varies"),
    ],
)
def test_a_change_is_judged_in_points(ours: tuple[float, ...], kind: str, said: str) -> None:
    found = verdict(over_seeds(*ours), CHANGE, context=HERE)
    assert (found.kind, found.margin) == (kind, 3.0)
    assert said in found.reason


def test_the_margin_of_a_change_allows_no_more_than_that_of_a_share_and_of_dice() -> None:
    margins = {name: metric.margin or 0.0 for name, metric in METRICS.items()}
    assert margins["change"] == pytest.approx(100 * margins["share"])
    assert margins["change"] / 100 * 1.0 <= margins["dice"]  # of the largest Dice that there is


units = st.floats(0.001, 0.2)
some_seeds = st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=6)
spreads = st.one_of(st.none(), st.floats(0, 0.1))


def judged(gaps: list[float], spread: float | None, margin: float) -> Verdict:
    reported = replace(PRINTED, spread=spread, spread_of="seeds" if spread is not None else "", n=3 if spread else None)
    return verdict(over_seeds(*(0.8 + gap for gap in gaps)), reported, context=HERE, margin=margin)


@settings(deadline=None)
@given(gaps=some_seeds, spread=spreads, margin=units)
def test_mirrored_values_get_the_mirrored_verdict(gaps: list[float], spread: float | None, margin: float) -> None:
    one, other = judged(gaps, spread, margin), judged([-gap for gap in gaps], spread, margin)
    assume(all(abs((p or 1) - 0.05) > 1e-6 for p in (one.p_difference, one.p_equivalence)))
    assume(one.p_difference is not None or abs(abs(one.difference) - margin) > 1e-9)
    assert other.kind == {"lower": "higher", "higher": "lower"}.get(one.kind, one.kind)
    assert other.difference == pytest.approx(-one.difference, abs=1e-12)


@settings(deadline=None)
@given(gaps=some_seeds, spread=spreads, margin=units, wider=st.floats(1, 10))
def test_a_wider_margin_takes_no_agreement_back(
    gaps: list[float], spread: float | None, margin: float, wider: float
) -> None:
    if judged(gaps, spread, margin).kind == "agrees":
        assert judged(gaps, spread, margin * wider).kind == "agrees"


@settings(deadline=None)
@given(gaps=some_seeds, spread=spreads, margin=units)
def test_the_kind_follows_from_interval_and_p(gaps: list[float], spread: float | None, margin: float) -> None:
    found = judged(gaps, spread, margin)
    assume(found.p_difference is not None)
    assert found.low <= found.difference <= found.high
    excludes_zero = found.low > 0 or found.high < 0
    if abs(found.p_difference - 0.05) > 1e-6:
        assert excludes_zero == (found.p_difference < 0.05)
    if found.kind in ("lower", "higher"):
        assert excludes_zero
        assert (found.difference < 0) == (found.kind == "lower")
    if -margin < found.low and found.high < margin:
        assert found.kind == "agrees"


@settings(deadline=None, max_examples=40)
@given(gap=st.floats(-0.1, 0.1))
def test_very_many_cases_find_the_truth(gap: float) -> None:
    assume(abs(abs(gap) - 0.03) > 0.003)
    ours = Measured(seeds=(0.8 + gap, 0.8 + gap), cases=tuple(sample(0.8 + gap, 0.1, 20000)))
    found = verdict(ours, replace(CASES, n=20000), context=HERE)
    assert found.kind == ("agrees" if abs(gap) < 0.03 else "lower" if gap < 0 else "higher")


def test_a_difference_of_the_margin_is_called_agreement_as_seldom_as_it_says() -> None:
    draw = np.random.default_rng(0)
    agreed = 0
    for _ in range(1000):
        ours, paper = draw.normal(0.77, 0.01, 3), draw.normal(0.80, 0.01, 3)
        reported = replace(SEEDS, value=float(paper.mean()), spread=float(paper.std(ddof=1)))
        agreed += verdict(over_seeds(*ours), reported, context=HERE).kind == "agrees"
    assert 0.02 < agreed / 1000 < 0.07  # Welch over three and three is a little below 5 %
