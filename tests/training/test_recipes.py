import pytest

from medsearch.training.recipes import linear_decay


@pytest.mark.parametrize(
    ("epoch", "factor"), [(1, 1), (50, 1), (100, 1), (101, 100 / 101), (150, 51 / 101), (199, 2 / 101), (200, 1 / 101)]
)
def test_cyclegan_s_hundred_epochs_and_a_hundred_more(epoch: int, factor: float) -> None:
    """1 - max(0, e + 1 - 100) / 101 in the e-th epoch from 0: lowered at the end of an epoch, never to 0."""
    assert linear_decay(epoch, constant=100, decay=100) == pytest.approx(factor, rel=1e-12)
    assert factor == pytest.approx(1 - max(0, epoch - 100) / 101)


def test_without_decay_the_rate_stays() -> None:
    assert [linear_decay(epoch, constant=3, decay=0) for epoch in (1, 2, 3)] == [1, 1, 1]


def test_it_may_fall_from_the_first_epoch_on() -> None:
    assert [linear_decay(epoch, constant=0, decay=3) for epoch in (1, 2, 3)] == [0.75, 0.5, 0.25]
