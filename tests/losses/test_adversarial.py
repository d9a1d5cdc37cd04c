import pytest
import torch
from torch import Tensor

from medsearch.losses.adversarial import adversarial_d, adversarial_g, least_squares_d, least_squares_g


def t(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_hinge_of_d() -> None:
    real = [t([2.0, 0.5], [-1.0, 1.0]), t([0.0])]  # relu(1 - D): 0, .5, 2, 0 -> .625 ; 1
    fake = [t([-2.0, 0.0], [1.0, -0.5]), t([-3.0])]  # relu(1 + D): 0, 1, 2, .5 -> .875 ; 0
    assert adversarial_d(real, fake).item() == pytest.approx(((0.625 + 0.875) + 1.0) / 2)


def test_hinge_of_g_is_not_clipped() -> None:
    assert adversarial_g([t([3.0, -1.0]), t([5.0])]).item() == pytest.approx((-1.0 - 5.0) / 2)


def test_a_perfect_d_has_no_loss_and_no_gradient() -> None:
    real, fake = t([1.0, 4.0]).requires_grad_(), t([-1.0, -2.0]).requires_grad_()
    loss = adversarial_d([real], [fake])
    loss.backward()
    assert loss.item() == 0
    assert real.grad.abs().sum() == fake.grad.abs().sum() == 0


def test_least_squares() -> None:
    real, fake = [t([1.0, 3.0]), t([0.0])], [t([0.0, 2.0]), t([1.0])]  # (D - 1)²: 0, 4; 1 and D²: 0, 4; 1
    assert least_squares_d(real, fake).item() == pytest.approx(0.5 * ((2 + 2) + (1 + 1)) / 2)
    assert least_squares_g(fake).item() == pytest.approx((1 + 0) / 2)
