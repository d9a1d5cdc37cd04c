"""Every loss against a number worked out by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.losses import DiceLoss
from torch import Tensor

from medsearch.methods.modatts import losses
from medsearch.metrics.overlap import MicroDice


def t(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_hinge_of_d() -> None:
    real = [t([2.0, 0.5], [-1.0, 1.0]), t([0.0])]  # relu(1 - D): 0, .5, 2, 0 -> .625 ; 1
    fake = [t([-2.0, 0.0], [1.0, -0.5]), t([-3.0])]  # relu(1 + D): 0, 1, 2, .5 -> .875 ; 0
    assert losses.adversarial_d(real, fake).item() == pytest.approx(((0.625 + 0.875) + 1.0) / 2)


def test_hinge_of_g_is_not_clipped() -> None:
    assert losses.adversarial_g([t([3.0, -1.0]), t([5.0])]).item() == pytest.approx((-1.0 - 5.0) / 2)


def test_a_perfect_d_has_no_loss_and_no_gradient() -> None:
    real, fake = t([1.0, 4.0]).requires_grad_(), t([-1.0, -2.0]).requires_grad_()
    loss = losses.adversarial_d([real], [fake])
    loss.backward()
    assert loss.item() == 0
    assert real.grad.abs().sum() == fake.grad.abs().sum() == 0


def test_cycle() -> None:
    x_s, x_sts = t([0.0, 1.0]), t([0.5, 1.0])  # .25
    x_t, x_tst = t([1.0, -1.0, 0.0]), t([-1.0, 0.0, 0.0])  # 1
    assert losses.cycle(x_s, x_sts, x_t=x_t, x_tst=x_tst).item() == pytest.approx(1.25)


def test_soft_dice() -> None:
    y, y_hat = t([1.0, 1.0, 0.0, 0.0]), t([0.5, 1.0, 0.5, 0.0])
    assert losses.dice(y, y_hat).item() == pytest.approx(-(2 * 1.5 + 1) / (2 + 2 + 1))


def test_soft_dice_is_over_the_whole_batch() -> None:
    y, y_hat = t([[1.0, 1.0]], [[1.0, 0.0]]), t([[1.0, 1.0]], [[0.0, 1.0]])
    assert losses.dice(y, y_hat).item() == pytest.approx(-(2 * 2 + 1) / (3 + 3 + 1))


def test_soft_dice_leaves_out_what_does_not_count() -> None:
    y, y_hat, counted = t([1.0, 0.0, 0.0]), t([0.5, 0.5, 1.0]).requires_grad_(), torch.tensor([[True, True, False]])
    loss = losses.dice(y, y_hat, counted)
    assert loss.item() == pytest.approx(-(2 * 0.5 + 1) / (1 + 1 + 1))
    loss.backward()
    assert y_hat.grad[0, 2] == 0 != y_hat.grad[0, 1]


def test_soft_dice_of_nothing_is_constant() -> None:
    y_hat = torch.zeros(0, 1, 2, 2, requires_grad=True)
    loss = losses.dice(torch.zeros(0, 1, 2, 2), y_hat)
    loss.backward()
    assert loss.item() == -1
    assert y_hat.grad.numel() == 0


masks = st.lists(st.integers(0, 1), min_size=12, max_size=12)
probabilities = st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12)


@given(masks, probabilities)
def test_soft_dice_is_monais_less_one(mask: list[int], probability: list[float]) -> None:
    y, y_hat = t(*mask).view(2, 1, 2, 3), t(*probability).view(2, 1, 2, 3)
    monai = DiceLoss(batch=True, smooth_nr=1, smooth_dr=1)(y_hat, y)
    assert losses.dice(y, y_hat).item() == pytest.approx(monai.item() - 1, abs=1e-6)
    assert -1 <= losses.dice(y, y_hat).item() <= 0


@given(masks, probabilities, st.integers(1, 11))
def test_running_dice_is_that_of_the_whole(mask: list[int], probability: list[float], cut: int) -> None:
    y, y_hat, running = t(*mask), t(*probability), MicroDice()
    for part in (slice(cut), slice(cut, None)):
        running.count(*losses.overlap(y[part], y_hat[part]))
    assert running.value == pytest.approx(-losses.dice(y, y_hat).item(), abs=1e-6)


def test_tumour_aware_is_found_in_the_image_and_in_its_translation() -> None:
    y, y_hat_s, y_hat_st = t([1.0, 0.0]), t([1.0, 0.0]), t([0.0, 1.0])
    assert losses.tumour_aware(y, y_hat_s, y_hat_st=y_hat_st).item() == pytest.approx(-1 - 1 / 3)


def test_reconstruction_of_one_direction_and_of_both() -> None:
    p, a = (t([1.0, 0.0]), t([0.5, 0.0])), (t([0.0, 0.0, 3.0]), t([0.0, 0.0, 0.0]))
    assert losses.reconstruction(p).item() == pytest.approx(0.25)
    assert losses.reconstruction(p, a).item() == pytest.approx(1.25)


def codes(values: tuple[float, float, float]) -> Tensor:
    """One sample of three channels, of which the first two are common; one voxel."""
    return t(list(values)).view(1, 3, 1)


def test_latent_compares_common_codes_and_whole_codes() -> None:
    absence = losses.AbsenceCodes(
        a=codes((1, 1, 1)), aa=codes((1, 3, 99)), ap=codes((1, 1, 0)), u=t([[6.0]])
    )  # aa: c differs by 2 in one of two: 1 ; ap against [c_A, u]: 6 in one of three: 2
    presence = losses.LatentCodes(
        common_channels=2, p=codes((0, 0, 0)), pa=codes((4, 0, 99)), pp=codes((0, 3, 3)), from_a=None
    )  # pa: 2 ; pp: 2
    assert losses.latent(presence).item() == pytest.approx(4.0)
    both = losses.LatentCodes(common_channels=2, p=presence.p, pa=presence.pa, pp=presence.pp, from_a=absence)
    assert losses.latent(both).item() == pytest.approx(7.0)


def test_latent_targets_are_not_detached() -> None:
    p, pa, pp = (codes(v).requires_grad_() for v in ((0, 0, 0), (4, 0, 9), (0, 3, 3)))
    losses.latent(losses.LatentCodes(common_channels=2, p=p, pa=pa, pp=pp, from_a=None)).backward()
    assert p.grad.flatten().tolist() == pytest.approx([-0.5, -1 / 3, -1 / 3])
    assert pa.grad.flatten().tolist() == pytest.approx([0.5, 0, 0])
