import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medsearch.core.errors import BadInput
from medsearch.metrics.overlap import MicroDice, dice

masks = hnp.arrays(np.uint8, (3, 4, 2), elements=st.integers(0, 1))
NOTHING, ALL = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)


def test_worked_number() -> None:
    assert dice(np.array([1, 1, 0, 0]), np.array([0, 1, 1, 1])) == pytest.approx(2 * 1 / (2 + 3))


@pytest.mark.parametrize(
    ("prediction", "truth", "score"), [(NOTHING, NOTHING, 1), (ALL, NOTHING, 0), (NOTHING, ALL, 0)]
)
def test_empty_masks(prediction: np.ndarray, truth: np.ndarray, score: float) -> None:
    assert dice(prediction, truth) == score


@given(masks, masks)
def test_agrees_with_medpy_and_is_symmetric(one: np.ndarray, other: np.ndarray) -> None:
    from medpy.metric.binary import dc

    assert dice(one, other) == dice(other, one)
    if one.any() or other.any():
        assert dice(one, other) == pytest.approx(dc(one, other))
    assert dice(one, one) == 1


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=5))
def test_micro_is_the_smoothed_dice_of_one_large_volume(units: list[tuple[np.ndarray, np.ndarray]]) -> None:
    micro, backwards = MicroDice(), MicroDice()
    for prediction, truth in units:
        micro.add(prediction, truth)
    for prediction, truth in units[::-1]:
        backwards.add(prediction, truth)
    p, t = (np.concatenate(side).astype(float) for side in zip(*units, strict=True))
    assert micro.value == pytest.approx((2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
    assert micro.value == backwards.value
    assert micro.units == len(units)


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=4))
def test_micro_is_the_papers_loss_on_hard_predictions(units: list[tuple[np.ndarray, np.ndarray]]) -> None:
    import torch
    from monai.losses import DiceLoss

    micro = MicroDice()
    for prediction, truth in units:
        micro.add(prediction, truth)
    p, t = (torch.tensor(np.stack(side)[:, None], dtype=torch.float64) for side in zip(*units, strict=True))
    loss = DiceLoss(batch=True, smooth_nr=1, smooth_dr=1)(p, t)
    assert micro.value == pytest.approx(1 - float(loss), abs=1e-6)


def test_large_volumes_do_not_overflow() -> None:
    micro, whole = MicroDice(), np.ones((400, 400, 400), bool)
    micro.add(whole, whole)
    assert micro.sizes == 2 * 400**3
    assert micro.value == 1


def test_a_score_of_nothing_and_other_grids_are_refused() -> None:
    with pytest.raises(BadInput, match="no unit was scored"):
        _ = MicroDice().value
    with pytest.raises(BadInput, match=r"\(2, 2\) and truth \(4,\)"):
        dice(ALL, np.ones(4))
