"""AttENT's networks: two generators, DeepLab-v2 on ResNet-101 with two outputs, and discriminators of its maps.

DeepLab is as ADVENT has it, behind a 1x1 convolution to its three channels. At the paper's sizes 42 505 422 parameters
are trained of 42 610 766 (42.505 of 42.611 M measured): scales and shifts of batch norms are frozen, their running
statistics are not. A discriminator of maps has 2 763 713 parameters (2.764 M measured).
"""

import logging
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.baselines.attent.recipe import DeepLabConfig, MapDiscriminatorConfig, TranslationRecipe
from medsearch.networks import published
from medsearch.networks.cyclegan import Cycled, ResNetGenerator

EXPANSION = 4
Features = Float[Tensor, "b _ _ _"]


@final
class Bottleneck(nn.Module):
    """1x1 (strided), 3x3 (dilated), 1x1 around a shortcut; parts are named as in published checkpoints."""

    def __init__(self, inputs: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, stride=stride, bias=False), _frozen(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = _frozen(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), _frozen(outputs)
        self.downsample = None
        if inputs != outputs or stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), _frozen(outputs))

    def forward(self, x: Features) -> Features:
        """(b, inputs, h, w) to (b, 4 width, h / stride, w / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


@final
class Output(nn.Module):
    """The sum of parallel dilated convolutions to one logit."""

    def __init__(self, inputs: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.conv2d_list = nn.ModuleList(nn.Conv2d(inputs, 1, 3, padding=d, dilation=d) for d in dilations)

    def forward(self, x: Features) -> Features:
        """(b, inputs, h, w) to logits of tumour (b, 1, h, w)."""
        return torch.stack([conv(x) for conv in self.conv2d_list]).sum(0)


@final
class DeepLab(nn.Module):
    """Images to probabilities of tumour, main and auxiliary."""

    def __init__(self, config: DeepLabConfig) -> None:
        super().__init__()
        w, units = config.width, config.units
        self.to_rgb = nn.Conv2d(1, 3, 1)
        self.conv1, self.bn1 = nn.Conv2d(3, w, 7, stride=2, padding=3, bias=False), _frozen(w)
        self.layer1 = _stage(w, w, units[0])
        self.layer2 = _stage(w * 4, w * 2, units[1], stride=2)
        self.layer3 = _stage(w * 8, w * 4, units[2], dilation=2)
        self.layer4 = _stage(w * 16, w * 8, units[3], dilation=4)
        self.layer5, self.layer6 = Output(w * 16, config.dilations), Output(w * 32, config.dilations)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module is not self.to_rgb:
                nn.init.normal_(module.weight, 0.0, 0.01)
        if config.rgb_deviation:
            nn.init.normal_(self.to_rgb.weight, 0.0, config.rgb_deviation)

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "b 1 h w"]]:
        """Main and auxiliary output, upsampled to the image's size, in fp32."""
        y = torch.relu(self.bn1(self.conv1(self.to_rgb(x))))
        y = F.max_pool2d(y, 3, stride=2, padding=1, ceil_mode=True)
        third = self.layer3(self.layer2(self.layer1(y)))
        outputs = self.layer6(self.layer4(third)), self.layer5(third)
        main, auxiliary = (
            torch.sigmoid(F.interpolate(logits.float(), size=x.shape[2:], mode="bilinear", align_corners=True))
            for logits in outputs
        )
        return main, auxiliary

    def segment(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """The main output: probabilities of tumour in source slices."""
        main: Tensor = self(x)[0]
        return main


def _stage(inputs: int, width: int, units: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    rest = [Bottleneck(width * EXPANSION, width, dilation=dilation) for _ in range(units - 1)]
    return nn.Sequential(Bottleneck(inputs, width, stride=stride, dilation=dilation), *rest)


def _frozen(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels).requires_grad_(False)


SLOPE = 0.2
CHANNELS = 2
"""Of a map: what tumour and background have of it."""


@final
class MapDiscriminator(nn.Module):
    """Tells patches of the source domain's maps from those of the target's.

    Raises:
        BadInput: a map is too small for its layers.
    """

    def __init__(self, config: MapDiscriminatorConfig) -> None:
        super().__init__()
        self.halvings = len(config.channels) + 1
        layers: list[nn.Module] = []
        for before, after in pairwise((CHANNELS, *config.channels)):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(config.channels[-1], 1, 4, stride=2, padding=1))

    def forward(self, x: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b 1 h2 w2"]:
        """Scores of the patches; above 0 is the source domain."""
        if min(x.shape[2:]) < 2**self.halvings:
            msg = (
                f"a map of {x.shape[2]}x{x.shape[3]} is too small for {self.halvings} stride-2 layers; take fewer "
                "channels"
            )
            raise BadInput(msg)
        y: Tensor = self.layers(x)
        return y


LOG = logging.getLogger(__name__)
WANTED = "a DeepLab-v2 or ResNet-101 checkpoint"


def start_backbone(network: DeepLab, path: str) -> str:
    """Overwrite every tensor of the backbone, if a path is given; return where its weights are from.

    Raises:
        BadInput: the file cannot be read, or does not fit.
    """
    if not path:
        LOG.warning("DeepLab starts from random weights; knob segmentation.deeplab takes the path of %s", WANTED)
        return "random (no weights given)"
    published.load_backbone(network, Path(path), wanted=WANTED)
    return path


Slices = Float[Tensor, "_ 1 _ _"]


@final
class Translator(nn.Module):
    """Both generators: `to_t` makes target slices of source ones, `to_s` the reverse."""

    def __init__(self, recipe: TranslationRecipe) -> None:
        super().__init__()
        self.to_t, self.to_s = ResNetGenerator(recipe.generator), ResNetGenerator(recipe.generator)

    def forward(self, x_s: Slices, x_t: Slices) -> Cycled:
        """Both translations and both round trips, in fp32."""
        x_st, x_ts = self.to_t(x_s), self.to_s(x_t)
        x_sts, x_tst = self.to_s(x_st), self.to_t(x_ts)
        return Cycled(x_s, x_t, *(x.float() for x in (x_st, x_ts, x_sts, x_tst)))

    @torch.no_grad()
    def as_source(self, x_t: Slices) -> Slices:
        """Target slices as the segmentor knows them; no gradient."""
        x_ts: Tensor = self.to_s(x_t)
        return x_ts.float()

    @torch.no_grad()
    def there_and_back(self, x_s: Slices) -> Slices:
        """Source slices by the way that target slices come: through the target contrast; no gradient."""
        return self.as_source(self.to_t(x_s))
