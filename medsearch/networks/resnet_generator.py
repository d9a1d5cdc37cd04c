"""CycleGAN's ResNet generator (Zhu et al. 2017; Johnson et al. 2016), and its forms in CUT and AttENT.

Reflection padding, instance norm without parameters, biases everywhere. 64 channels, 9 blocks, one channel in and out:
11 365 633 parameters, anti-aliased or not; with bilinear ups and gated skips 11 169 642.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.cyclegan_config import ResNetGeneratorConfig
from medsearch.networks.genseg.blocks import Gate
from medsearch.networks.initialisation import initialise
from medsearch.networks.resampling import BlurDown, BlurUp, cropped

Image = Float[Tensor, "b _ h w"]


@final
class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect") for _ in range(2))
        self.body = nn.Sequential(first, _norm(channels), nn.ReLU(), second, _norm(channels))

    def forward(self, x: Image) -> Image:
        """Keeps the shape."""
        y: Tensor = x + self.body(x)
        return y


@final
class ResNetGenerator(nn.Module):
    """Images to images of the same size, in (-1, 1)."""

    def __init__(self, config: ResNetGeneratorConfig, *, inputs: int = 1, outputs: int = 1) -> None:
        super().__init__()
        self.config = config
        channels, gated = config.channels, config.skips == "gated"
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, channels[0], 7), _norm(channels[0]), nn.ReLU()]
        self.ends = [len(layers)]
        """After how many layers the features of every resolution leave as a skip."""
        for fine, coarse in pairwise(channels):
            layers += _down(config, fine, coarse)
            self.ends.append(len(layers))
        layers += [ResidualBlock(channels[-1]) for _ in range(config.blocks)]
        self.encoder = nn.ModuleList(layers)
        wider = 2 if gated else 1
        self.ups = nn.ModuleList(_up(config, coarse * wider, fine) for coarse, fine in pairwise(reversed(channels)))
        self.gates = nn.ModuleList(Gate(c) for c in reversed(channels)) if gated else None
        self.head = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(wider * channels[0], outputs, 7), nn.Tanh())
        initialise(self, config.initialisation)

    def forward(self, x: Image) -> Image:
        """The translated images."""
        skips = []
        for number, layer in enumerate(self.encoder, 1):
            x = layer(x)
            if number in self.ends:
                skips.append(x)
        for depth, up in enumerate(self.ups):
            y = up(self._joined(x, skips[-1 - depth], depth))
            x = torch.relu(F.instance_norm(cropped(y, skips[-2 - depth].shape)))
        image: Tensor = self.head(self._joined(x, skips[0], -1))
        return image

    def features(self, x: Image, layers: Collection[int]) -> list[Tensor]:
        """What comes out of some of the encoder's layers, numbered as by CUT: 0 is the padded image."""
        found = []
        for number, layer in enumerate(self.encoder):
            x = layer(x)
            if number in layers:
                found.append(x)
            if number == max(layers):
                break
        return found

    def _joined(self, x: Image, skip: Image, depth: int) -> Image:
        return x if self.gates is None else torch.cat([self.gates[depth](skip, x), x], 1)


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels)


def _down(config: ResNetGeneratorConfig, fine: int, coarse: int) -> list[nn.Module]:
    if config.down == "strided":
        return [nn.Conv2d(fine, coarse, 3, stride=2, padding=1), _norm(coarse), nn.ReLU()]
    return [nn.Conv2d(fine, coarse, 3, padding=1), _norm(coarse), nn.ReLU(), BlurDown(coarse)]


def _up(config: ResNetGeneratorConfig, coarse: int, fine: int) -> nn.Module:
    if config.up == "transposed":
        return nn.ConvTranspose2d(coarse, fine, 3, stride=2, padding=1, output_padding=1)
    if config.up == "anti-aliased":
        return nn.Sequential(BlurUp(coarse), nn.Conv2d(coarse, fine, 3, padding=1))
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Conv2d(coarse, fine, 1))
