import numpy as np
import pytest

from medsearch.reporting.comparison import Comparison
from medsearch.reporting.metrics import METRICS, Metric
from medsearch.reporting.power import MOST, MOST_CASES, forecast
from medsearch.reporting.variance_components import detectable

DICE = METRICS["dice"]
SPREAD = (0.02**2, 0.03**2, 0.02**2)


def compared(variances: tuple[float, float, float] | None = SPREAD, **changes) -> Comparison:
    return Comparison(**{"seeds": (0, 1), "cases": 20, "variances": variances, "family": 1, **changes})


def test_where_no_comparison_knows_its_spread_nothing_is_forecast() -> None:
    assert forecast([], DICE) == forecast([compared(None)], DICE) == ""


def test_the_number_of_seeds_is_the_smallest_that_shows_the_margin() -> None:
    found = forecast([compared()], DICE)
    assert found.startswith("With 2 seeds and 20 test cases, a difference in Dice of 0.")
    enough = int(found.partition("; forecast")[2].partition("; ")[2].partition(" seeds")[0])
    assert found.endswith(f"; {enough} seeds ({enough - 2} more) would show one of 0.03")
    assert detectable(SPREAD, seeds=enough, cases=20) <= 0.03 < detectable(SPREAD, seeds=enough - 1, cases=20)


def test_what_is_told_and_the_margin_are_compared_as_they_are_told() -> None:
    """Between 0.03 and 0.03005 is 0.03: it is not told beside seeds that would show 0.03."""
    seeds = tuple(range(5))
    scale = 0.03002 / detectable(SPREAD, seeds=5, cases=20)
    near = (SPREAD[0] * scale**2, SPREAD[1] * scale**2, SPREAD[2] * scale**2)
    assert 0.03 < detectable(near, seeds=5, cases=20) < 0.03005
    found = forecast([compared(near, seeds=seeds)], DICE)
    assert "a difference in Dice of 0.03 would be shown" in found
    assert found.endswith("no more than the margin of 0.03")


def test_a_larger_family_asks_for_more() -> None:
    first, last = (forecast([compared(family=family, seeds=(0, 1, 2))], DICE) for family in (1, 8))
    assert float(last.split("Dice of ")[1].split()[0]) > float(first.split("Dice of ")[1].split()[0])


def test_where_cases_are_too_few_no_number_of_seeds_is_named() -> None:
    found = forecast([compared((0.0, 0.1**2, 0.0), cases=5)], DICE)
    assert f"; not even {MOST} seeds would show one of 0.03, but 0." in found
    assert found.endswith(": more cases would")


def test_more_cases_are_only_advised_where_they_show_the_margin() -> None:
    """Seeds that vary are not outweighed by cases; with seeds and cases that vary, by both."""
    alone = forecast([compared((0.15**2, 0.0, 1e-6))], DICE)
    assert f"; not even {MOST} seeds would show one of 0.03, but 0." in alone
    assert alone.endswith(": neither would more cases")
    assert detectable((0.15**2, 0.0, 1e-6), seeds=MOST, cases=MOST_CASES) > 0.03
    both = forecast([compared((0.02**2, 0.3**2, 0.0))], DICE)
    assert both.endswith(": more seeds with more cases would")
    assert detectable((0.02**2, 0.3**2, 0.0), seeds=2, cases=MOST_CASES) > 0.03
    assert detectable((0.02**2, 0.3**2, 0.0), seeds=MOST, cases=MOST_CASES) <= 0.03


def test_one_row_that_lost_seeds_does_not_decide_for_all() -> None:
    whole = [compared(seeds=(0, 1, 2))] * 3
    lost = forecast([*whole, compared(), compared(cases=19)], DICE)
    assert "; 2 of 5 comparisons have fewer)" in lost
    assert lost.replace("; 2 of 5 comparisons have fewer", "") == forecast(whole, DICE)
    assert "; 1 of 4 comparisons has fewer)" in forecast([*whole, compared()], DICE)


def test_a_size_that_no_difference_has_is_not_promised() -> None:
    found = forecast([compared((0.2**2, 0.0, 1e-4), family=8)], DICE)
    assert "no difference in Dice can be shown in 80% of studies: it would have to be " in found
    assert "and none exceeds 1 (p < 0.05 after Holm over 8;" in found
    assert "no difference" not in forecast([compared((0.2**2, 0.0, 1e-4), family=8)], METRICS["psnr"])


@pytest.mark.parametrize(("family", "said"), [(0, False), (1, False), (2, True)])
def test_holm_is_spoken_of_where_it_was_made(family: int, said: bool) -> None:
    assert ("(p < 0.05 after Holm over 2;" in forecast([compared(family=family)], DICE)) == said
    assert ("Holm" in forecast([compared(family=family)], DICE)) == said


def test_what_the_seeds_show_already_asks_for_none() -> None:
    found = forecast([compared((1e-6, 1e-6, 1e-6), seeds=(0, 1, 2))], DICE)
    assert found.endswith("no more than the margin of 0.03")


def test_without_a_margin_usual_numbers_are_forecast() -> None:
    found = forecast([compared()], Metric(name="x", heading="X (mm)", unit="mm"))
    assert "; 5 seeds one of 0.0" in found
    assert "; 10 seeds one of 0.0" in found
    assert "a difference in X (mm) of 0." in found


def test_rows_are_averaged() -> None:
    doubled = tuple(2 * np.array(SPREAD))
    pooled = forecast([compared(), compared(doubled)], DICE)
    assert pooled == forecast([compared(tuple(1.5 * np.array(SPREAD)))] * 2, DICE)
