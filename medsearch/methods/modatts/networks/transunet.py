"""TransUNet R50-ViT-B/16: the encoders and decoders of the translation stage (section 5.5.1).

Its ResNetV2 has weight-standardised convolutions and group norms, and three blocks of bottleneck units.
"""

from dataclasses import dataclass
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.config import TransUNetConfig
from medsearch.methods.modatts.networks.transformer import TransformerLayer

GROUPS = 32


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups as published; fewer for narrow networks, so that a group keeps at least two channels."""
    groups = next(g for g in range(min(GROUPS, max(1, channels // 2)), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels, eps=1e-6)


@final
class StandardisedConvolution(nn.Module):
    """A convolution without bias whose kernels are brought to mean 0 and variance 1 (eps 1e-5) before use."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int = 1):
        super().__init__()
        self.weight = nn.Conv2d(inputs, outputs, kernel, bias=False).weight
        self.stride, self.padding = stride, kernel // 2

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h2 w2"]:
        """The size divided by the stride, rounded up."""
        weight = F.layer_norm(self.weight, self.weight.shape[1:])
        return F.conv2d(x, weight, stride=self.stride, padding=self.padding)


@final
class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 convolution, each normed; a normed 1x1 shortcut where the shape changes."""

    def __init__(self, inputs: int, outputs: int, *, stride: int):
        super().__init__()
        inner = outputs // 4
        self.conv1, self.gn1 = StandardisedConvolution(inputs, inner, kernel=1), group_norm(inner)
        self.conv2, self.gn2 = StandardisedConvolution(inner, inner, kernel=3, stride=stride), group_norm(inner)
        self.conv3, self.gn3 = StandardisedConvolution(inner, outputs, kernel=1), group_norm(outputs)
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.conv_proj = StandardisedConvolution(inputs, outputs, kernel=1, stride=stride)
            self.gn_proj = nn.GroupNorm(outputs, outputs)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h2 w2"]:
        """The size divided by the stride, rounded up."""
        y = F.relu(self.gn1(self.conv1(x)))
        y = F.relu(self.gn2(self.conv2(y)))
        y = self.gn3(self.conv3(y))
        return F.relu(y + (self.gn_proj(self.conv_proj(x)) if self.projects else x))


@final
class ResNetV2(nn.Module):
    """Three-channel images to features at 1/16 of their size, with skips at 1/8, 1/4 and 1/2."""

    def __init__(self, width: int, units: tuple[int, int, int]):
        super().__init__()
        self.conv_root, self.gn_root = StandardisedConvolution(3, width, kernel=7, stride=2), group_norm(width)
        self.blocks = nn.ModuleList()
        inputs = width
        for block, count in enumerate(units):
            outputs, strides = 4 * width * 2**block, [1 if block == 0 else 2] + [1] * (count - 1)
            entering = [inputs] + [outputs] * (count - 1)
            chain = (Bottleneck(i, outputs, stride=s) for i, s in zip(entering, strides, strict=True))
            self.blocks.append(nn.Sequential(*chain))
            inputs = outputs

    def forward(
        self, image: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b c h16 w16"], tuple[Tensor, Tensor, Tensor]]:
        """The features, and the skips coarse to fine. Sides are multiples of 16."""
        half = F.relu(self.gn_root(self.conv_root(image)))
        # the pooling has no padding, so 1/4 comes out a pixel short, and its skip gets a row and a column of zeros
        quarter = self.blocks[0](F.max_pool2d(half, 3, stride=2))
        eighth = self.blocks[1](quarter)
        return self.blocks[2](eighth), (eighth, F.pad(quarter, (0, 1, 0, 1)), half)


@dataclass(frozen=True)
class Features:
    """One batch of encoded slices: tokens on their grid (b, hidden, grid, grid), and skips at 1/8, 1/4 and 1/2."""

    tokens: Tensor
    skips: tuple[Tensor, Tensor, Tensor]


@final
class TransUNetEncoder(nn.Module):
    """E_S or E_T: a ResNet whose last features are the tokens of a transformer.

    Raises:
        BadInput: the config fits no network, or a slice is not `input_size` wide.
    """

    def __init__(self, config: TransUNetConfig):
        super().__init__()
        config.check()
        self.config = config
        self.resnet = ResNetV2(config.width, config.units)
        self.embedding = nn.Conv2d(16 * config.width, config.hidden, 1)
        self.positions = nn.Parameter(torch.zeros(1, config.grid**2, config.hidden))
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList()
        for _ in range(config.layers):
            layer = TransformerLayer(
                config.hidden, heads=config.heads, mlp=config.mlp, dropout=config.dropout, eps=1e-6
            )
            for linear in (layer.mlp_in, layer.mlp_out):
                nn.init.xavier_uniform_(linear.weight)
                nn.init.normal_(linear.bias, std=1e-6)
            self.layers.append(layer)
        self.norm = nn.LayerNorm(config.hidden, eps=1e-6)

    def forward(self, image: Float[Tensor, "b 1 h w"]) -> Features:
        """Slices in [-1, 1] to tokens at 1/16 of their size, and skips."""
        side = self.config.input_size
        if image.shape[1:] != (1, side, side):
            got = "x".join(map(str, image.shape[1:]))
            msg = f"TransUNet for 1x{side}x{side} slices got {got}; make network.input_size the task's slice_size"
            raise BadInput(msg)
        image = image.expand(-1, 3, -1, -1)  # the first weights come from colour photographs
        deepest, skips = self.resnet(image.contiguous(memory_format=torch.channels_last))
        tokens = self.dropout(self.embedding(deepest).flatten(2).transpose(1, 2) + self.positions)
        for layer in self.layers:
            tokens = layer(tokens)
        grid = (self.config.grid, self.config.grid)
        return Features(self.norm(tokens).transpose(1, 2).unflatten(2, grid), skips)


@final
class CupDecoder(nn.Module):
    """The "cup": four times bilinear up-sampling, the skip joined, two convolutions; then one output channel.

    G_S, G_T with `output` "image" (tanh, values in (-1, 1)); G_S^seg, G_T^seg with "mask" (sigmoid, values in (0, 1)).
    """

    def __init__(self, config: TransUNetConfig, output: Literal["image", "mask"]):
        super().__init__()
        config.check()
        self.bridge = _convolution(config.hidden, config.bridge)
        entering = [config.bridge, *config.decoder[:-1]]
        widths = zip(entering, (*config.skips, 0), config.decoder, strict=True)
        self.blocks = nn.ModuleList(
            nn.Sequential(_convolution(below + skip, out), _convolution(out, out)) for below, skip, out in widths
        )
        self.head = nn.Conv2d(config.decoder[-1], 1, 3, padding=1)
        self.squash = torch.tanh if output == "image" else torch.sigmoid

    def forward(self, features: Features) -> Float[Tensor, "b 1 h w"]:
        """One channel at the input's resolution."""
        x = self.bridge(features.tokens)
        for block, skip in zip(self.blocks, (*features.skips, None), strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = block(x if skip is None else torch.cat([x, skip], 1))
        return self.squash(self.head(x))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
