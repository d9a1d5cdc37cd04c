"""The Medformer encoder (table 5.2): a convolutional stem, then levels of bidirectional attention on semantic maps."""

import math
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.blocks import BasicBlock, PatchMerging
from medsearch.methods.modatts.networks.config import MedformerConfig
from medsearch.methods.modatts.networks.layers import Layers
from medsearch.methods.modatts.networks.semantic_maps import AttentionBlock, SemanticMap
from medsearch.networks.latent import Latent


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
        """Features and codes of this level."""
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
        """Encode images in [-1, 1]."""
        self._check_size(image.shape[2:])
        skips, maps = [self.stem(image)], []
        skips.append(self.level1(skips[0]))
        for level in self.levels:
            x, codes = level(skips[-1])
            skips.append(x)
            maps.append(codes)
        return Latent(skips[-1], tuple(skips[:-1]), tuple(maps), self.config.common_channels)

    def _check_size(self, size: tuple[int, ...]) -> None:
        whole = math.prod(self.config.scales)
        if len(size) != self.config.dimensions or any(side % whole for side in size):
            got = "x".join(map(str, size))
            msg = (
                f"an image of {got} does not fit a {self.config.dimensions}D Medformer, whose sides must be "
                f"multiples of {whole}; change the task's crop, or network.scales {self.config.scales}"
            )
            raise BadInput(msg)
