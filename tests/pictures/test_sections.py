import numpy as np
import pytest

from medsearch.pictures.sections import shades


def test_shades_span_what_is_shown() -> None:
    whole = np.array([[0.1, 0.2, 0.4, 0.9]], np.float32)
    assert shades(whole, np.array([[True, True, True, False]])).tolist() == [pytest.approx([0, 1 / 3, 1, 1])]
    assert not shades(whole[:, :1], np.array([[True]])).any()
    assert not shades(np.zeros((1, 2), np.float32), np.zeros((1, 2), bool)).any()
