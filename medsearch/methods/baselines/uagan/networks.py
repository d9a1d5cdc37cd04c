"""UAGAN's networks (Yuan et al. 2019): one stream segments, one translates, and each attends to the other's skips.

As compared, at 240 x 120: generator 14 951 938 parameters (14.952 M measured), discriminator 44 731 330 (44.731 M).
"""

from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.cohorts.views import Domain
from medsearch.core.errors import BadInput
from medsearch.methods.baselines.recipe import sides
from medsearch.methods.baselines.uagan.recipe import CONTRASTS, JudgeConfig, UAGANConfig

SLOPE = 0.01
FIRST_SLOPE = 0.001
"""Of the discriminator's first layer, in either code."""

Features = Float[Tensor, "b _ _ _"]


def _convolved(*channels: int) -> nn.Sequential:
    """3x3 convolutions with instance norms and leaky ReLUs, from each number of channels to the next."""
    parts: list[nn.Module] = []
    for before, after in pairwise(channels):
        parts += [nn.Conv2d(before, after, 3, padding=1), nn.InstanceNorm2d(after), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*parts)


@final
class Encoder(nn.Module):
    """The levels of a U-Net above its centre: two convolutions each, then pooling by 2."""

    def __init__(self, config: UAGANConfig, inputs: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            _convolved(before, after, after) for before, after in pairwise((inputs, *config.channels))
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Features) -> tuple[list[Features], Features]:
        """The skips, fine to coarse, of which the last is thinned out; and what goes on to the centre."""
        skips = []
        for level in self.levels:
            x = level(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        skips[-1] = self.dropout(skips[-1])
        return skips, x


@final
class Exchange(nn.Module):
    """The other stream's skip, convolved and weighted by its own attention, on top of one's own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.Conv2d(channels, channels, 3, padding=1)
        self.values = _convolved(channels, channels)

    def forward(self, own: Features, other: Features) -> Features:
        """`own`, of whose shape `other` is, with what is taken over from `other`."""
        y: Tensor = own + self.values(other) * torch.sigmoid(self.attention(other))
        return y


@final
class Decoder(nn.Module):
    """From the centre up to full resolution, with the skips of both streams."""

    def __init__(self, config: UAGANConfig) -> None:
        super().__init__()
        channels = (*config.channels, 2 * config.channels[-1])[::-1]
        self.exchanges = nn.ModuleList(Exchange(after) for after in channels[1:])
        self.ups = nn.ModuleList(nn.ConvTranspose2d(before, after, 2, stride=2) for before, after in pairwise(channels))
        self.levels = nn.ModuleList(_convolved(2 * after, after, after) for after in channels[1:])
        self.head = nn.Conv2d(config.width, 1, 1)

    def forward(self, x: Features, own: list[Features], other: list[Features]) -> Features:
        """From the centre's features to one channel, as large as the finest skip."""
        parts = zip(self.exchanges, self.ups, self.levels, own[::-1], other[::-1], strict=True)
        for exchange, up, level, mine, theirs in parts:
            doubled = up(x)
            lacking = [mine.shape[axis] - doubled.shape[axis] for axis in (-1, -2)]  # what pooling dropped
            x = level(torch.cat([exchange(mine, theirs), F.pad(doubled, (0, lacking[0], 0, lacking[1]))], 1))
        y: Tensor = self.head(x)
        return y


@final
class Generator(nn.Module):
    """Segments an image, and translates it to the contrast that is asked for."""

    def __init__(self, config: UAGANConfig) -> None:
        super().__init__()
        self.encode_mask, self.encode_image = Encoder(config, 1), Encoder(config, 1 + CONTRASTS)
        deepest = config.channels[-1]
        self.centre = _convolved(deepest, 2 * deepest, 2 * deepest)
        self.decode_mask, self.decode_image = Decoder(config), Decoder(config)
        self.bound = nn.Tanh() if config.bounded else nn.Identity()

    def forward(
        self, x: Float[Tensor, "b 1 h w"], contrast: Float[Tensor, "b 2"]
    ) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "b 1 h w"]]:
        """Logits of tumour, and the translated image."""
        asked = contrast[..., None, None].expand(-1, -1, *x.shape[2:])
        of_mask, mask = self.encode_mask(x)
        of_image, image = self.encode_image(torch.cat([x, asked], 1))
        mask, image = self.centre(mask), self.centre(image)
        translated = self.bound(self.decode_image(image, of_image, of_mask))
        return self.decode_mask(mask, of_mask, of_image), translated

    def segment(self, x: Float[Tensor, "b 1 h w"], domain: Domain) -> Float[Tensor, "b 1 h w"]:
        """Probabilities of tumour in slices of a domain; translation is asked for their own contrast."""
        own = torch.eye(CONTRASTS, device=x.device)[sides("both").index(domain)].expand(len(x), -1)
        logits, _ = self(x, own)
        return torch.sigmoid(logits.float())


@final
class Judge(nn.Module):
    """Whether patches are real, and which contrast an image of `size` is.

    Raises:
        BadInput: the size is too small for the layers.
    """

    def __init__(self, config: JudgeConfig, size: tuple[int, int]) -> None:
        super().__init__()
        high, wide = (side // 2**config.layers for side in size)
        if min(high, wide) < 1:
            msg = f"an image of {size[0]}x{size[1]} is too small for {config.layers} stride-2 layers; take fewer"
            raise BadInput(msg)
        channels = [config.width * 2**layer for layer in range(config.layers)]
        layers: list[nn.Module] = []
        slopes = (FIRST_SLOPE, *[SLOPE] * (config.layers - 1))
        for slope, (before, after) in zip(slopes, pairwise((1, *channels)), strict=True):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(slope)]
        self.layers = nn.Sequential(*layers)
        self.real = nn.Conv2d(channels[-1], 1, 3, padding=1, bias=False)
        self.contrast = nn.Linear(channels[-1] * high * wide, CONTRASTS)

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> tuple[Float[Tensor, "b 1 h2 w2"], Float[Tensor, "b 2"]]:
        """Scores of the patches, above 0 real, and logits of the contrasts."""
        features = self.layers(x)
        return self.real(features), self.contrast(features.flatten(1))
