"""The Medformer (table 5.2): a convolutional stem, then levels of bidirectional attention on semantic maps.

Its decoders mirror it: segmentation, common, and the one that residual and segmentation share (5.4.2).
"""

import math
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.blocks import BasicBlock, PatchMerging
from medsearch.methods.modatts.networks.config import MedformerConfig
from medsearch.methods.modatts.networks.layers import Layers
from medsearch.methods.modatts.networks.semantic_maps import AttentionBlock, MapFusion, SemanticMap, pointwise
from medsearch.networks.latent import MODES, Latent, Mode


@final
class AttentionLevel(nn.Module):
    """Levels 2-4: patch merging, a semantic map of what came out, and the blocks that update both."""

    def __init__(self, config: MedformerConfig, level: int):
        super().__init__()
        layers, channels = Layers(config.dimensions), config.channels[level]
        self.merge = PatchMerging(layers, config.channels[level - 1], channels, scale=config.scales[level - 1])
        self.codes = SemanticMap(layers, channels, config.codes)
        self.blocks = nn.ModuleList(
            AttentionBlock(layers, channels, channels, heads=config.heads[level - 2], expansion=config.expansion)
            for _ in range(config.attentions[level - 2])
        )

    def forward(self, x: Float[Tensor, "b c *fine"]) -> tuple[Float[Tensor, "b o *coarse"], Float[Tensor, "b o codes"]]:
        """Features of the level above to features and codes of this one."""
        x = self.merge(x)
        codes = self.codes(x)
        for block in self.blocks:
            x, codes = block(x, codes)
        return x, codes


@final
class MedformerEncoder(nn.Module):
    """E of section 5.4.2: images to `Latent`.

    Raises:
        BadInput: the config fits no network, or the sides of an image are no multiples of the whole down-sampling.
    """

    def __init__(self, config: MedformerConfig):
        super().__init__()
        config.check()
        layers, (stem, first, *_) = Layers(config.dimensions), config.channels
        self.config = config
        self.stem = nn.Sequential(
            layers.conv(1, stem), *(BasicBlock(layers, stem, stem) for _ in range(config.convs[0]))
        )
        self.level1 = nn.Sequential(
            PatchMerging(layers, stem, first, scale=config.scales[0]),
            *(BasicBlock(layers, first, first) for _ in range(config.convs[1])),
        )
        self.levels = nn.ModuleList(AttentionLevel(config, level) for level in (2, 3, 4))

    def forward(self, image: Float[Tensor, "b 1 *space"]) -> Latent:
        """Images in [-1, 1] to bottleneck, skips and semantic maps."""
        whole, size = math.prod(self.config.scales), image.shape[2:]
        if len(size) != self.config.dimensions or any(side % whole for side in size):
            msg = (
                f"an image of {'x'.join(map(str, size))} does not fit a {self.config.dimensions}D Medformer, whose "
                f"sides must be multiples of {whole}; change the task's crop, or network.scales {self.config.scales}"
            )
            raise BadInput(msg)
        skips, maps = [self.stem(image)], []
        skips.append(self.level1(skips[0]))
        for level in self.levels:
            x, codes = level(skips[-1])
            skips.append(x)
            maps.append(codes)
        return Latent(skips[-1], tuple(skips[:-1]), tuple(maps), self.config.common_channels)


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
        # weights of the released decoder that reach no output, kept so that sizes and checkpoints compare: two levels
        # without attention have a map reduction, and the last attention block writes codes that nobody reads
        stem, first, second, *_ = config.channels
        unreached = {
            "level2_codes_out": pointwise(second // config.heads[0] * config.heads[0], second),
            "level1_reduce": pointwise(second, first),
            "level0_reduce": pointwise(first, stem),
        }
        self.unreached = nn.ModuleDict(unreached).requires_grad_(False)

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


@final
class SegmentationDecoder(nn.Module):
    """G_seg of the self-supervised variant: probabilities of tumour."""

    def __init__(self, config: MedformerConfig):
        super().__init__()
        self.trunk = DecoderTrunk(config)
        self.head = _head(config)

    def forward(self, latent: Latent) -> Float[Tensor, "b 1 *space"]:
        """Probabilities of tumour in (0, 1), as large as the image."""
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
        """Healthy images in (-1, 1), as large as the encoded ones."""
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
        """A residual in (-1, 1), or probabilities in (0, 1), by the decoder of that mode."""
        y: Tensor = self.of[mode](latent, mode)
        return y


def _head(config: MedformerConfig) -> nn.Module:
    return Layers(config.dimensions).conv(config.channels[0], 1, kernel=1, bias=True)
