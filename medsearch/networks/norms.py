"""Norms of the GenSeg family: over a whole sample, and of a convolution's spectrum."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, final

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


@final
class _InFullPrecision(nn.Module):
    """A parametrization that autocast does not round: a singular value of bf16 has three digits."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, weight: Tensor) -> Tensor:
        """The weight as the inner parametrization has it, in fp32."""
        rounding = nullcontext() if weight.is_meta else torch.autocast(weight.device.type, enabled=False)
        with rounding:  # a meta tensor, which holds only a shape, knows no autocast
            normed: Tensor = self.inner(weight)
        return normed


def add_spectral_norm(module: nn.Module, *, but: Collection[nn.Module] = ()) -> None:
    """Divide the weight of every convolution in `module` by its largest singular value, estimated as it trains."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Conv3d) and all(part is not one for one in but):
            spectral_norm(part)
            steps: Any = part.parametrizations["weight"]  # type: ignore[index, operator]
            steps[0] = _InFullPrecision(steps[0])


@contextmanager
def one_estimate() -> Iterator[None]:
    """Within it every spectrum is estimated once, however often its convolution is used; its weight must not change."""
    with parametrize.cached():
        yield
