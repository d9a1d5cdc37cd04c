"""Norms of the GenSeg family: over a whole sample, and of a convolution's spectrum."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm


@final
class SampleNorm(nn.Module):
    """Each sample over channels and space by its unbiased standard deviation + 1e-5; scale and shift per channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(channels))  # from U(0, 1), as released
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Keeps the shape; in full precision under autocast, as PyTorch's own norms."""
        x = x.float()
        over = tuple(range(1, x.dim()))
        deviation, mean = torch.std_mean(x, over, keepdim=True)
        shape = (1, -1, *[1] * (x.dim() - 2))
        gain = self.scale.view(shape) / (deviation + 1e-5)
        return torch.addcmul(self.shift.view(shape) - mean * gain, x, gain)


def add_spectral_norm(module: nn.Module, *, but: Collection[nn.Module] = ()) -> None:
    """Divide the weight of every 2D convolution in `module` by its largest singular value, estimated as it trains."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and all(part is not one for one in but):
            spectral_norm(part)


@contextmanager
def one_estimate(*networks: nn.Module) -> Iterator[None]:
    """Within it every spectrum of `networks` is estimated once, however often they run; no weight may change.

    A training step then makes one power iteration, where the released code makes one for each pass. Entered outside of
    autocast, it estimates in full precision.
    """
    with parametrize.cached():
        for network in networks:
            for part in network.modules():
                if parametrize.is_parametrized(part, "weight"):
                    _ = part.weight  # computed, and kept until the end
        yield
