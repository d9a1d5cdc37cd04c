"""The coverage benchmark's quick form: fewer studies by cell, limits widened by what that leaves to chance."""

import numpy as np
import pytest

from medsearch.reporting.variance_components import difference
from tests.benchmarks.coverage import KINDS, REGIMES, Cell, bootstrap, found, over_cases, with_gaps

STUDIES = 1200
MOST = {2: 0.10, 3: 0.07, 5: 0.07}
"""Type I errors by seeds."""
FEWEST, MOST_COVERED = 0.93, {2: 1.0, 3: 0.995, 5: 0.99}
"""With two seeds an interval that holds where seeds dominate must be too wide where they do not."""


def chance(rate: float) -> float:
    return 4 * float(np.sqrt(rate * (1 - rate) / STUDIES))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spread", REGIMES.values(), ids=REGIMES)
@pytest.mark.parametrize(("seeds", "cases"), [(2, 4), (2, 30), (3, 10), (5, 4), (5, 30)])
def test_intervals_hold_and_tests_reject_as_they_say(seeds: int, cases: int, spread: float, kind: str) -> None:
    cell, (of, truth) = Cell(seeds, cases, spread), KINDS[kind]
    rates = found(of, cell, truth(cell), studies=STUDIES, rng=np.random.default_rng(seeds * cases))
    assert rates.type_1 <= MOST[seeds] + chance(MOST[seeds])
    most = MOST_COVERED[seeds]
    assert FEWEST - chance(FEWEST) <= rates.coverage <= most + chance(most)


@pytest.mark.parametrize("spread", REGIMES.values(), ids=REGIMES)
def test_gaps_do_not_spoil_it(spread: float) -> None:
    rates = found(with_gaps, Cell(3, 10, spread), lambda by: -by, studies=STUDIES, rng=np.random.default_rng(0))
    assert rates.type_1 <= 0.07 + chance(0.07)


def test_what_was_there_before_did_not_hold() -> None:
    """The benchmark sees a difference between estimators: it would see one that claims too much."""
    cell, draw = Cell(2, 30, REGIMES["seeds dominate"]), np.random.default_rng(0)
    assert bootstrap("difference", cell, studies=100, rng=draw).coverage < 0.8
    assert over_cases(cell, studies=100, rng=draw) > 0.4
    ours, theirs = cell.studies(200, 0.0, draw)
    assert float((difference(ours, theirs).p() < 0.05).mean()) < 0.15
