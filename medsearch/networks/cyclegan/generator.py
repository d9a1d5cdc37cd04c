"""CycleGAN's ResNet generator (Zhu et al. 2017; Johnson et al. 2016), its forms in CUT and AttENT, and two in cycles.

Reflection padding, instance norm without parameters, biases everywhere. 64 channels, 9 blocks, one channel in and out:
11 365 633 parameters, anti-aliased or not; with bilinear ups and gated skips 11 169 642. s is the source, t the target,
x_st a source image made target.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.networks.cyclegan.config import ResNetGeneratorConfig
from medsearch.networks.cyclegan.layers import BlurDown, BlurUp, cropped, initialise
from medsearch.networks.genseg.blocks import Gate

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


Images = Float[Tensor, "_ _ _ _"]


@dataclass(frozen=True)
class Cycled:
    """Images in [-1, 1], their translations, these translated back, and what stays as it is, if it was asked for."""

    x_s: Images
    x_t: Images
    x_st: Images
    x_ts: Images
    x_sts: Images
    x_tst: Images
    x_ss: Images | None = None
    x_tt: Images | None = None


@final
class Translator(nn.Module):
    """A generator; with input addition, what it makes is added to its input and the sum cut to [-1, 1]."""

    def __init__(self, config: ResNetGeneratorConfig, *, input_addition: bool = False) -> None:
        super().__init__()
        self.generator, self.input_addition = ResNetGenerator(config), input_addition

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Images of the other domain, in fp32."""
        y: Tensor = self.generator(x).float()
        return torch.clamp(x + y, -1, 1) if self.input_addition else y


@final
class Translators(nn.Module):
    """G_st and G_ts."""

    def __init__(self, config: ResNetGeneratorConfig, *, input_addition: bool = False) -> None:
        super().__init__()
        self.g_st, self.g_ts = (Translator(config, input_addition=input_addition) for _ in range(2))

    def forward(self, x_s: Images, x_t: Images, *, identity: bool = False) -> Cycled:
        """Both cycles; with `identity`, also what each generator makes of images that are as it should make them."""
        x_st, x_ts = self.g_st(x_s), self.g_ts(x_t)
        x_sts, x_tst = self.g_ts(x_st), self.g_st(x_ts)
        same = (self.g_ts(x_s), self.g_st(x_t)) if identity else ()
        return Cycled(x_s, x_t, x_st, x_ts, x_sts, x_tst, *same)
