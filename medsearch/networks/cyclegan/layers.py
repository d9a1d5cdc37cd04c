"""What CycleGAN's networks and CUT's are made of: first weights, and anti-aliased halving and doubling (Zhang 2019)."""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.cyclegan.config import Initialisation

GAIN = 0.02


def initialise(network: nn.Module, how: Initialisation) -> None:
    """Weights of convolutions and linear layers anew, normal of SD 0.02 or Xavier's with gain 0.02; biases 0.

    Batch norms scale by a normal of mean 1 and SD 0.02. By `default` all is left as torch has it.
    """
    if how == "default":
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if how == "normal":
                nn.init.normal_(module.weight, 0.0, GAIN)
            else:
                nn.init.xavier_normal_(module.weight, GAIN)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, GAIN)
            nn.init.zeros_(module.bias)


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
