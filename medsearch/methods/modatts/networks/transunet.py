"""TransUNet R50-ViT-B/16: the encoders and decoders of the translation stage (section 5.5.1)."""

from dataclasses import dataclass
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.config import TransUNetConfig
from medsearch.methods.modatts.networks.resnet import ResNetV2
from medsearch.methods.modatts.networks.transformer import TransformerLayer


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
        self.layers = nn.ModuleList(_vit_layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.hidden, eps=1e-6)

    def forward(self, image: Float[Tensor, "b 1 h w"]) -> Features:
        """Encode slices in [-1, 1]."""
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


def _vit_layer(config: TransUNetConfig) -> TransformerLayer:
    layer = TransformerLayer(config.hidden, heads=config.heads, mlp=config.mlp, dropout=config.dropout, eps=1e-6)
    for linear in (layer.mlp_in, layer.mlp_out):
        nn.init.xavier_uniform_(linear.weight)
        nn.init.normal_(linear.bias, std=1e-6)
    return layer


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
