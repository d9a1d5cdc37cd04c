"""The losses that chapter 5 alone has, against numbers worked out by hand."""

import pytest
import torch
from torch import Tensor

from medsearch.methods.modatts import losses


def t(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_cycle() -> None:
    x_s, x_sts = t([0.0, 1.0]), t([0.5, 1.0])  # .25
    x_t, x_tst = t([1.0, -1.0, 0.0]), t([-1.0, 0.0, 0.0])  # 1
    assert losses.cycle(x_s, x_sts, x_t=x_t, x_tst=x_tst).item() == pytest.approx(1.25)


def test_tumour_aware_is_found_in_the_image_and_in_its_translation() -> None:
    y, y_hat_s, y_hat_st = t([1.0, 0.0]), t([1.0, 0.0]), t([0.0, 1.0])
    assert losses.tumour_aware(y, y_hat_s, y_hat_st=y_hat_st).item() == pytest.approx(-1 - 1 / 3)
