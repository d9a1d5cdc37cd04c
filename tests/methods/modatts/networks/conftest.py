import pytest
import torch
from torch import nn

from medsearch.methods.modatts.networks.blocks import SqueezeExcitation


@pytest.fixture(autouse=True)
def _quiet_and_repeatable() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def opened():
    """Opens every gate's hidden units: a few narrow ones may all be shut at a random start, and then learn nothing."""

    def open_gates(module: nn.Module) -> nn.Module:
        for part in module.modules():
            if isinstance(part, SqueezeExcitation):
                nn.init.ones_(part.squeeze.bias)
        return module

    return open_gates
