"""The coverage benchmark's quick form: fewer studies by cell, limits widened by two standard errors of that."""

from dataclasses import replace

import numpy as np
import pytest

from medsearch.reporting.variance_components import Estimate, Floats, apart, difference
from tests.benchmarks.coverage import (
    KINDS,
    REGIMES,
    Cell,
    Estimates,
    Found,
    bootstrap,
    found,
    over_cases,
    with_gaps,
)

STUDIES = 1200
MOST = {2: 0.055, 3: 0.055, 5: 0.055}
"""Type I errors by seeds."""
COVERED = {2: (0.945, 0.997), 3: (0.945, 0.992), 5: (0.945, 0.98)}
"""Coverage by seeds, least and most. An interval that holds where two seeds dominate is too wide where cases do."""


def chance(rate: float) -> float:
    return 2 * float(np.sqrt(rate * (1 - rate) / STUDIES))


def require(rates: Found, seeds: int) -> None:
    least, most = COVERED[seeds]
    assert rates.type_1 <= MOST[seeds] + chance(MOST[seeds])
    assert least - chance(least) <= rates.coverage <= most + chance(most)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spread", REGIMES.values(), ids=REGIMES)
@pytest.mark.parametrize(("seeds", "cases"), [(2, 4), (2, 30), (3, 10), (5, 4), (5, 30)])
def test_intervals_hold_and_tests_reject_as_they_say(seeds: int, cases: int, spread: float, kind: str) -> None:
    cell, (of, truth) = Cell(seeds, cases, spread), KINDS[kind]
    require(found(of, cell, truth(cell), studies=STUDIES, rng=np.random.default_rng(seeds * cases)), seeds)


@pytest.mark.parametrize("of", [with_gaps, apart])
@pytest.mark.parametrize("spread", REGIMES.values(), ids=REGIMES)
def test_neither_gaps_nor_seeds_of_each_rows_own_spoil_it(spread: float, of: Estimates) -> None:
    require(found(of, Cell(3, 10, spread), lambda by: -by, studies=STUDIES, rng=np.random.default_rng(0)), 3)


@pytest.mark.parametrize(("factor", "side"), [(0.5, "low"), (3.0, "high")])
def test_the_limits_see_intervals_that_are_too_narrow_or_too_wide(factor: float, side: str) -> None:
    def scaled(ours: Floats, theirs: Floats) -> Estimate:
        of = difference(ours, theirs)
        assert of is not None
        return replace(of, squares=of.squares * factor**2)

    rates = found(scaled, Cell(5, 30, 0.05), lambda by: -by, studies=STUDIES, rng=np.random.default_rng(0))
    with pytest.raises(AssertionError):
        require(rates, 5)
    assert (rates.coverage < COVERED[5][0]) == (side == "low")


def test_what_was_there_before_did_not_hold() -> None:
    """The benchmark sees a difference between estimators: it would see one that claims too much."""
    cell, draw = Cell(2, 30, REGIMES["seeds dominate"]), np.random.default_rng(0)
    assert bootstrap("difference", cell, studies=100, rng=draw).coverage < 0.8
    assert over_cases(cell, studies=100, rng=draw) > 0.4
    ours, theirs = cell.studies(200, 0.0, draw)
    assert float((difference(ours, theirs).p() < 0.05).mean()) < 0.15
