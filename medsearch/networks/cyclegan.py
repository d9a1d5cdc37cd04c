"""CycleGAN's networks (Zhu et al. 2017; Johnson et al. 2016; PatchGAN: Isola et al. 2017), and their forms elsewhere.

The generator: reflection padding, instance norm without parameters, biases everywhere. With 64 channels, 9 blocks, one
channel in and out it has 11 365 633 parameters, with anti-aliased resampling as in CUT (Zhang 2019) too; with bilinear
ups and gated skips as in AttENT 11 169 642. The discriminator of 64 channels has 2 762 689.
s is the source, t the target, x_st a source image made target.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.networks.config import Initialisation, PatchDiscriminatorConfig, ResNetGeneratorConfig
from medsearch.networks.genseg import Gate

GAIN = 0.02
SLOPE = 0.2
Image = Float[Tensor, "b _ h w"]
Images = Float[Tensor, "_ _ _ _"]


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
        """(b, c, h, w) to (b, c, ⌈h/2⌉, ⌈w/2⌉)."""
        return F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), self.filter, stride=2, groups=x.shape[1])


@final
class BlurUp(nn.Module):
    """Twice as fine, interpolated by 1 3 3 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter: Tensor
        self.register_buffer("filter", (4 * binomial(4)).expand(channels, 1, 4, 4).clone(), persistent=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """(b, c, h, w) to (b, c, 2h, 2w); a constant stays one."""
        padded = F.pad(x, (1, 1, 1, 1), "replicate")
        doubled = F.conv_transpose2d(padded, self.filter, stride=2, padding=2, groups=x.shape[1])
        return doubled[..., 1:-1, 1:-1]


@final
class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect") for _ in range(2))
        norms = (nn.InstanceNorm2d(channels) for _ in range(2))
        self.body = nn.Sequential(first, next(norms), nn.ReLU(), second, next(norms))

    def forward(self, x: Image) -> Image:
        """The sum of `x` and of what two convolutions make of it, in its shape."""
        y: Tensor = x + self.body(x)
        return y


@final
class ResNetGenerator(nn.Module):
    """Images to images of the same size, in (-1, 1).

    ends: after how many layers of the encoder the features of every resolution leave as a skip.
    """

    def __init__(self, config: ResNetGeneratorConfig, *, inputs: int = 1, outputs: int = 1) -> None:
        super().__init__()
        channels, gated = config.channels, config.skips == "gated"
        first = [nn.Conv2d(inputs, channels[0], 7), nn.InstanceNorm2d(channels[0]), nn.ReLU()]
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), *first]
        self.ends = [len(layers)]
        strided = config.down == "strided"
        for fine, coarse in pairwise(channels):
            layers += [nn.Conv2d(fine, coarse, 3, stride=2 if strided else 1, padding=1), nn.InstanceNorm2d(coarse)]
            layers += [nn.ReLU(), *([] if strided else [BlurDown(coarse)])]
            self.ends.append(len(layers))
        layers += [ResidualBlock(channels[-1]) for _ in range(config.blocks)]
        self.encoder = nn.ModuleList(layers)
        wider = 2 if gated else 1
        self.ups = nn.ModuleList()
        for coarse, fine in pairwise(reversed(channels)):
            up: nn.Module
            if config.up == "transposed":
                up = nn.ConvTranspose2d(coarse * wider, fine, 3, stride=2, padding=1, output_padding=1)
            elif config.up == "anti-aliased":
                up = nn.Sequential(BlurUp(coarse * wider), nn.Conv2d(coarse * wider, fine, 3, padding=1))
            else:
                twice = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
                up = nn.Sequential(twice, nn.Conv2d(coarse * wider, fine, 1))
            self.ups.append(up)
        self.gates = nn.ModuleList(Gate(c) for c in reversed(channels)) if gated else None
        self.head = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(wider * channels[0], outputs, 7), nn.Tanh())
        initialise(self, config.initialisation)

    def forward(self, x: Image) -> Image:
        """(b, inputs, h, w) to (b, outputs, h, w) in (-1, 1)."""
        skips = []
        for number, layer in enumerate(self.encoder, 1):
            x = layer(x)
            if number in self.ends:
                skips.append(x)
        for depth, up in enumerate(self.ups):
            y = up(self._joined(x, skips[-1 - depth], depth))
            rows, columns = skips[-2 - depth].shape[2:]  # doubling a side that was rounded up leaves one over
            x = torch.relu(F.instance_norm(y[..., :rows, :columns]))
        image: Tensor = self.head(self._joined(x, skips[0], -1))
        return image

    def features(self, x: Image, layers: Collection[int]) -> list[Tensor]:
        """What comes out of some of the encoder's layers, numbered as by CUT: 0 is the padded image."""
        features = []
        for number, layer in enumerate(self.encoder):
            x = layer(x)
            if number in layers:
                features.append(x)
            if number == max(layers):
                break
        return features

    def _joined(self, x: Image, skip: Image, depth: int) -> Image:
        return x if self.gates is None else torch.cat([self.gates[depth](skip, x), x], 1)


@final
class PatchDiscriminator(nn.Module):
    """Convolutions of kernel 4, all but the last two halve; instance norms but after the first and the last.

    Raises:
        BadInput: an image is too small for its layers.
    """

    def __init__(self, config: PatchDiscriminatorConfig, *, inputs: int = 1) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        blurred = config.down == "anti-aliased"
        layers: list[nn.Module] = []
        for depth, (before, after) in enumerate(pairwise((inputs, *channels))):
            halves = depth < config.layers
            layers.append(nn.Conv2d(before, after, 4, stride=2 if halves and not blurred else 1, padding=1))
            layers += [nn.InstanceNorm2d(after)] if depth else []
            layers += [nn.LeakyReLU(SLOPE), *([BlurDown(after)] if halves and blurred else [])]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 4, padding=1))
        initialise(self, config.initialisation)

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b 1 *patches"]]:
        """Scores of the patches, in a list of one scale, as a multi-scale discriminator gives them; above 0 is real."""
        if min(image.shape[2:]) // 2**self.config.layers < 3:
            msg = (
                f"an image of {image.shape[2]}x{image.shape[3]} is too small for a patch discriminator of "
                f"{self.config.layers} halving layers; take fewer"
            )
            raise BadInput(msg)
        scores: Tensor = self.layers(image)
        return [scores]


@final
class Discriminators(nn.Module):
    """The patch discriminators of the source (`d_s`) and of the target (`d_t`)."""

    def __init__(self, config: PatchDiscriminatorConfig) -> None:
        super().__init__()
        self.d_s, self.d_t = PatchDiscriminator(config), PatchDiscriminator(config)


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
    """The generators from source to target (`g_st`) and back (`g_ts`)."""

    def __init__(self, config: ResNetGeneratorConfig, *, input_addition: bool = False) -> None:
        super().__init__()
        self.g_st, self.g_ts = (Translator(config, input_addition=input_addition) for _ in range(2))

    def forward(self, x_s: Images, x_t: Images, *, identity: bool = False) -> Cycled:
        """Both cycles; with `identity`, also what each generator makes of images that are as it should make them."""
        x_st, x_ts = self.g_st(x_s), self.g_ts(x_t)
        x_sts, x_tst = self.g_ts(x_st), self.g_st(x_ts)
        same = (self.g_ts(x_s), self.g_st(x_t)) if identity else ()
        return Cycled(x_s, x_t, x_st, x_ts, x_sts, x_tst, *same)
