"""The Medformer decoders: segmentation, common, and the one that residual and segmentation share (5.4.2)."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.methods.modatts.networks.blocks import BasicBlock
from medsearch.methods.modatts.networks.config import MedformerConfig
from medsearch.methods.modatts.networks.layers import Layers
from medsearch.methods.modatts.networks.semantic_maps import AttentionBlock, MapFusion, pointwise
from medsearch.networks.latent import MODES, Latent, Mode


@final
class AttentionUp(nn.Module):
    """One attention level upwards: interpolate, join the skip and its codes, update both."""

    def __init__(self, config: MedformerConfig, layers: Layers, level: int):
        super().__init__()
        below, channels = config.channels[level + 1], config.channels[level]
        count = config.attentions[level - 2]
        self.layers = layers
        self.reduce = pointwise(below + channels, channels)
        self.blocks = nn.ModuleList(
            AttentionBlock(
                layers,
                below + channels if index == 0 else channels,
                channels,
                heads=config.heads[level - 2],
                expansion=config.expansion,
                returns_codes=not (level == 2 and index == count - 1),
            )
            for index in range(count)
        )

    def forward(
        self, x: Tensor, codes: Tensor, *, skip: Tensor, skip_codes: Tensor, mode: Mode | None
    ) -> tuple[Tensor, Tensor]:
        """(b, below, *coarse) and (b, below, codes) to (b, channels, *fine) and (b, channels, codes)."""
        x = torch.cat([self.layers.resize(x, skip.shape[2:]), skip], 1)
        codes = self.reduce(torch.cat([codes, skip_codes], 1))
        for block in self.blocks:
            x, codes = block(x, codes, mode)
        return x, codes


@final
class ConvolutionUp(nn.Module):
    """One convolutional level upwards: interpolate, join the skip, BasicBlocks."""

    def __init__(self, config: MedformerConfig, layers: Layers, level: int):
        super().__init__()
        below, channels = config.channels[level + 1], config.channels[level]
        inputs = [below + channels] + [channels] * (config.decoder_convs[1 - level] - 1)
        self.layers = layers
        self.blocks = nn.ModuleList(BasicBlock(layers, entering, channels) for entering in inputs)

    def forward(self, x: Tensor, *, skip: Tensor, mode: Mode | None) -> Tensor:
        """(b, below, *coarse) to (b, channels, *fine)."""
        x = torch.cat([self.layers.resize(x, skip.shape[2:]), skip], 1)
        for block in self.blocks:
            x = block(x, mode)
        return x


@final
class DecoderTrunk(nn.Module):
    """All of a decoder but its head: fused codes, two attention levels, two convolutional ones."""

    def __init__(self, config: MedformerConfig, modes: tuple[Mode, ...] = ()):
        super().__init__()
        layers = Layers(config.dimensions, modes)
        self.fusion = MapFusion(
            config.channels[2:], config.fusion_channels, heads=config.fusion_heads, depth=config.fusion_layers
        )
        self.attention = nn.ModuleList(AttentionUp(config, layers, level) for level in (3, 2))
        self.convolution = nn.ModuleList(ConvolutionUp(config, layers, level) for level in (1, 0))
        self.unreached = _unreached(config)

    def forward(
        self, code: Tensor, skips: Sequence[Tensor], maps: Sequence[Tensor], mode: Mode | None = None
    ) -> Float[Tensor, "b stem *space"]:
        """Features at the image's own resolution."""
        fused = self.fusion(maps)
        x, codes = code, fused[2]
        for up, skip, skip_codes in zip(self.attention, (skips[3], skips[2]), (fused[1], fused[0]), strict=True):
            x, codes = up(x, codes, skip=skip, skip_codes=skip_codes, mode=mode)
        for up, skip in zip(self.convolution, (skips[1], skips[0]), strict=True):
            x = up(x, skip=skip, mode=mode)
        return x


def _unreached(config: MedformerConfig) -> nn.ModuleDict:
    """Weights of the released decoder that reach no output: kept, frozen, so that sizes and checkpoints compare.

    Two levels without attention have a map reduction, and the last attention block writes codes that nobody reads.
    """
    stem, first, second, *_ = config.channels
    inner = second // config.heads[0] * config.heads[0]
    unreached = nn.ModuleDict(
        {
            "level2_codes_out": pointwise(inner, second),
            "level1_reduce": pointwise(second, first),
            "level0_reduce": pointwise(first, stem),
        }
    )
    return unreached.requires_grad_(False)


@final
class SegmentationDecoder(nn.Module):
    """G_seg of the self-supervised variant: probabilities of tumour."""

    def __init__(self, config: MedformerConfig):
        super().__init__()
        self.trunk = DecoderTrunk(config)
        self.head = _head(config)

    def forward(self, latent: Latent) -> Float[Tensor, "b 1 *space"]:
        """Probabilities in (0, 1)."""
        return torch.sigmoid(self.head(self.trunk(latent.code, latent.skips, latent.maps)))


@final
class CommonDecoder(nn.Module):
    """G_com (Eqs. 5.6 and 5.9): the healthy image that the common code, the skips and the codes tell of."""

    def __init__(self, config: MedformerConfig):
        super().__init__()
        layers = Layers(config.dimensions)
        self.widen = layers.conv(config.common_channels, config.channels[-1], kernel=1, bias=True)
        self.trunk = DecoderTrunk(config)
        self.head = _head(config)

    def forward(self, latent: Latent) -> Float[Tensor, "b 1 *space"]:
        """Images in (-1, 1)."""
        return torch.tanh(self.head(self.trunk(self.widen(latent.common), latent.skips, latent.maps)))


@final
class SharedDecoder(nn.Module):
    """G_res and G_seg in one (section 5.4.2): the same weights, but norms and a head of its own for either mode."""

    def __init__(self, config: MedformerConfig):
        super().__init__()
        self.trunk = DecoderTrunk(config, MODES)
        self.heads = nn.ModuleDict({mode: _head(config) for mode in MODES})

    def forward(self, latent: Latent, mode: Mode) -> Float[Tensor, "b 1 *space"]:
        """A residual in (-1, 1) (Eqs. 5.7 and 5.10), or probabilities in (0, 1)."""
        y = self.heads[mode](self.trunk(latent.code, latent.skips, latent.maps, mode))
        return torch.tanh(y) if mode == "residual" else torch.sigmoid(y)


@final
class SeparateDecoders(nn.Module):
    """The ablation "w/o dual-use", and what the released code runs: nothing shared between G_res and G_seg.

    As released, each is a whole `SharedDecoder`, of which the other mode's norms and head are never used.
    """

    def __init__(self, config: MedformerConfig):
        super().__init__()
        self.of = nn.ModuleDict({mode: SharedDecoder(config) for mode in MODES})

    def forward(self, latent: Latent, mode: Mode) -> Float[Tensor, "b 1 *space"]:
        """As `SharedDecoder`."""
        y: Tensor = self.of[mode](latent, mode)
        return y


def _head(config: MedformerConfig) -> nn.Module:
    return Layers(config.dimensions).conv(config.channels[0], 1, kernel=1, bias=True)
