"""AccSegNet's segmentor: a U-Net, bilinear on its way up, with concurrent squeeze-and-excitation (Roy et al. 2018).

13 836 137 parameters at 64 channels (13.836 M measured of the released module).
"""

from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.baselines.accsegnet.config import SqueezeUNetConfig
from medsearch.networks.initialisation import initialise

Features = Float[Tensor, "b _ _ _"]


@final
class SqueezeExcitation(nn.Module):
    """Weighs channels by their means and pixels by their channels; the larger of both counts."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.of_channels = nn.Sequential(nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels))
        self.of_pixels = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Features) -> Features:
        """Keeps the shape."""
        by_channel = x * torch.sigmoid(self.of_channels(x.mean((2, 3))))[..., None, None]
        return torch.maximum(by_channel, x * torch.sigmoid(self.of_pixels(x)))


def _level(inputs: int, outputs: int, reduction: int) -> nn.Sequential:
    """Two convolutions with batch norm; squeezed at the end unless `reduction` is 0."""
    parts: list[nn.Module] = []
    for before in (inputs, outputs):
        parts += [nn.Conv2d(before, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*parts, *([SqueezeExcitation(outputs, reduction)] if reduction else []))


@final
class SqueezeUNet(nn.Module):
    """Images to probabilities of tumour.

    Raises:
        BadInput: the config fits no network.
    """

    def __init__(self, config: SqueezeUNetConfig) -> None:
        super().__init__()
        config.check()
        channels, squeezed = config.channels, config.reduction
        depths = enumerate(pairwise((1, *channels)), 1)
        self.down = nn.ModuleList(_level(a, b, squeezed if depth < config.levels else 0) for depth, (a, b) in depths)
        self.up = nn.ModuleList(
            _level(2 * skip, finer, squeezed) for finer, skip in pairwise((config.width, *channels[:-1]))
        )
        self.head = nn.Conv2d(config.width, 1, 1)
        initialise(self, "xavier")

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Of the same size, in fp32; sides that do not halve are resumed at the size of the skip."""
        skips = []
        for depth, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if depth else x)
            skips.append(x)
        for level, skip in zip(reversed(self.up), skips[-2::-1], strict=True):
            x = level(torch.cat([skip, _doubled(x, skip)], 1))
        return torch.sigmoid(self.head(x).float())


def _doubled(x: Features, like: Features) -> Features:
    """Interpolated to twice the size, then padded to the skip's."""
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    high, wide = (own - other for own, other in zip(like.shape[2:], x.shape[2:], strict=True))
    return F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
