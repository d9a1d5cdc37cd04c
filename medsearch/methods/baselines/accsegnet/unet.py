"""AccSegNet's segmentor: a U-Net of five levels, bilinear ups, with concurrent squeeze-and-excitation (Roy et al. 2018).

13 836 137 parameters at 64 channels (13.836 M measured of the released module).
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.baselines.accsegnet.config import SqueezeUNetConfig
from medsearch.networks.initialisation import initialise

Features = Float[Tensor, "b c h w"]


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
        w, r = config.width, config.reduction
        down = ((1, w, r), (w, 2 * w, r), (2 * w, 4 * w, r), (4 * w, 8 * w, r), (8 * w, 8 * w, 0))
        up = ((16 * w, 4 * w, r), (8 * w, 2 * w, r), (4 * w, w, r), (2 * w, w, r))
        self.down = nn.ModuleList(_level(*sizes) for sizes in down)
        self.up = nn.ModuleList(_level(*sizes) for sizes in up)
        self.head = nn.Conv2d(w, 1, 1)
        initialise(self, "xavier")

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Of the same size; sides that do not halve are resumed at the size of the skip."""
        skips = []
        for depth, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if depth else x)
            skips.append(x)
        for level, skip in zip(self.up, skips[-2::-1], strict=True):
            x = level(torch.cat([skip, _doubled(x, skip)], 1))
        return torch.sigmoid(self.head(x))


def _doubled(x: Features, like: Features) -> Features:
    """Interpolated to twice the size, then padded to the skip's."""
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    high, wide = (own - other for own, other in zip(like.shape[2:], x.shape[2:], strict=True))
    return F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
