import numpy as np
import pytest

from medsearch.methods.mgenseg.measures import average_precision


def test_average_precision_by_hand() -> None:
    scores, truths = np.array([0.9, 0.8, 0.7, 0.1]), np.array([1.0, 0.0, 1.0, 0.0])
    assert average_precision(scores, truths) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.ones(10), np.arange(10) < 3) == pytest.approx(0.3)
