import pytest
import torch
from torch import Tensor

from medsearch.losses.reconstruction import reconstruction


def t(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_reconstruction_of_one_direction_and_of_both() -> None:
    p, a = (t([1.0, 0.0]), t([0.5, 0.0])), (t([0.0, 0.0, 3.0]), t([0.0, 0.0, 0.0]))
    assert reconstruction(p).item() == pytest.approx(0.25)
    assert reconstruction(p, a).item() == pytest.approx(1.25)
