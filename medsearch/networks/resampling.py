"""Anti-aliased halving and doubling (Zhang 2019), as CUT has them."""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def binomial(size: int) -> Float[Tensor, "size size"]:
    """A normalised 2D binomial filter: 1 2 1 of size 3, 1 3 3 1 of size 4."""
    row = torch.ones(1)
    for _ in range(size - 1):
        row = F.pad(row, (0, 1)) + F.pad(row, (1, 0))
    square = row[:, None] * row[None, :]
    return square / square.sum()


@final
class BlurDown(nn.Module):
    """Blur by 1 2 1, take every other pixel; an odd side is rounded up."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter: Tensor
        self.register_buffer("filter", binomial(3).expand(channels, 1, 3, 3).clone(), persistent=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """Half as fine."""
        return F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), self.filter, stride=2, groups=x.shape[1])


@final
class BlurUp(nn.Module):
    """Twice as fine, interpolated by 1 3 3 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter: Tensor
        self.register_buffer("filter", (4 * binomial(4)).expand(channels, 1, 4, 4).clone(), persistent=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """Twice as fine; a constant stays one."""
        padded = F.pad(x, (1, 1, 1, 1), "replicate")
        doubled = F.conv_transpose2d(padded, self.filter, stride=2, padding=2, groups=x.shape[1])
        return doubled[..., 1:-1, 1:-1]


def cropped(x: Float[Tensor, "b c h w"], like: tuple[int, ...]) -> Float[Tensor, "b c h2 w2"]:
    """Without the trailing row or column that doubling a side rounded up leaves over."""
    return x[..., : like[-2], : like[-1]]
