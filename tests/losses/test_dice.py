import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.losses import DiceLoss
from torch import Tensor

from medsearch.losses.dice import dice, overlap
from medsearch.metrics.overlap import MicroDice


def t(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_soft_dice() -> None:
    y, y_hat = t([1.0, 1.0, 0.0, 0.0]), t([0.5, 1.0, 0.5, 0.0])
    assert dice(y, y_hat).item() == pytest.approx(-(2 * 1.5 + 1) / (2 + 2 + 1))


def test_soft_dice_is_over_the_whole_batch() -> None:
    y, y_hat = t([[1.0, 1.0]], [[1.0, 0.0]]), t([[1.0, 1.0]], [[0.0, 1.0]])
    assert dice(y, y_hat).item() == pytest.approx(-(2 * 2 + 1) / (3 + 3 + 1))


def test_soft_dice_leaves_out_what_does_not_count() -> None:
    y, y_hat, counted = t([1.0, 0.0, 0.0]), t([0.5, 0.5, 1.0]).requires_grad_(), torch.tensor([[True, True, False]])
    loss = dice(y, y_hat, counted)
    assert loss.item() == pytest.approx(-(2 * 0.5 + 1) / (1 + 1 + 1))
    loss.backward()
    assert y_hat.grad[0, 2] == 0 != y_hat.grad[0, 1]


def test_soft_dice_of_nothing_is_constant() -> None:
    y_hat = torch.zeros(0, 1, 2, 2, requires_grad=True)
    loss = dice(torch.zeros(0, 1, 2, 2), y_hat)
    loss.backward()
    assert loss.item() == -1
    assert y_hat.grad.numel() == 0


masks = st.lists(st.integers(0, 1), min_size=12, max_size=12)
probabilities = st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12)


@given(masks, probabilities)
def test_soft_dice_is_monais_less_one(mask: list[int], probability: list[float]) -> None:
    y, y_hat = t(*mask).view(2, 1, 2, 3), t(*probability).view(2, 1, 2, 3)
    monai = DiceLoss(batch=True, smooth_nr=1, smooth_dr=1)(y_hat, y)
    assert dice(y, y_hat).item() == pytest.approx(monai.item() - 1, abs=1e-6)
    assert -1 <= dice(y, y_hat).item() <= 0


@given(masks, probabilities, st.integers(1, 11))
def test_running_dice_is_that_of_the_whole(mask: list[int], probability: list[float], cut: int) -> None:
    y, y_hat, running = t(*mask), t(*probability), MicroDice()
    for part in (slice(cut), slice(cut, None)):
        running.count(*overlap(y[part], y_hat[part]))
    assert running.value == pytest.approx(-dice(y, y_hat).item(), abs=1e-6)
