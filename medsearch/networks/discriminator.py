"""The multi-scale patch discriminators of M-GenSeg and MoDATTS: table 5.1 as the released code builds it."""

from itertools import pairwise
from typing import Literal, final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.networks.config import Dimensions, DiscriminatorConfig
from medsearch.networks.norms import SampleNorm, add_spectral_norm

SLOPE = 0.2
_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_POOL = {2: F.avg_pool2d, 3: F.avg_pool3d}


def _one_scale(config: DiscriminatorConfig) -> nn.Sequential:
    """Stride-2 convolutions, then a 1x1 convolution to one channel; norms before the third layer and all after it."""
    convolution, padding = _CONVOLUTION[config.dimensions], (config.kernel - 1) // 2
    mode: Literal["reflect", "zeros"] = "reflect" if config.dimensions == 2 else "zeros"
    # Departs from the paper, with the released code: no stride-1 layer first
    layers: list[nn.Module] = [
        convolution(inputs, outputs, config.kernel, stride=2, padding=padding, padding_mode=mode)
        for inputs, outputs in pairwise((1, *config.channels))
    ]
    layers.append(convolution(config.channels[-1], 1, 1))
    parts: list[nn.Module] = []
    for depth, layer in enumerate(layers):
        nn.init.kaiming_normal_(layer.get_parameter("weight"))
        norm = [SampleNorm(config.channels[depth - 1])] if depth >= 2 else []
        activation = [nn.LeakyReLU(SLOPE)] if depth >= 1 else []
        parts += [*norm, *activation, layer]
    return nn.Sequential(*parts)


@final
class MultiScaleDiscriminator(nn.Module):
    """Judges patches of an image at several resolutions.

    Raises:
        BadInput: the config fits no network, or an image is too small for its layers and scales.
    """

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(_one_scale(config) for _ in range(config.scales))
        if config.spectral_norm:
            add_spectral_norm(self)

    def forward(self, image: Float[Tensor, "b 1 *space"]) -> list[Float[Tensor, "b 1 *patches"]]:
        """Scores of the patches, one tensor per scale, fine to coarse; above 0 is real."""
        self._check_size(image.shape[2:])
        scores = [self.scales[0](image)]
        for scale in self.scales[1:]:
            image = _halved(image, self.config.dimensions)
            scores.append(scale(image))
        return scores

    def _check_size(self, size: tuple[int, ...]) -> None:
        config, side = self.config, min(size)
        padding = (config.kernel - 1) // 2
        for _ in range(config.scales - 1):
            side = -(-side // 2)
        for _ in config.channels[1:]:
            side = (side + 2 * padding - config.kernel) // 2 + 1  # what enters the next convolution of the last scale
        least = padding + 1 if config.dimensions == 2 else config.kernel - 2 * padding  # reflection needs more
        if len(size) != config.dimensions or side < max(least, config.kernel - 2 * padding):
            msg = (
                f"an image of {'x'.join(map(str, size))} is too small for a {config.dimensions}D discriminator of "
                f"{len(config.channels)} layers on {config.scales} scales; take fewer scales or channels"
            )
            raise BadInput(msg)


def _halved(image: Tensor, dimensions: Dimensions) -> Tensor:
    return _POOL[dimensions](image, 3, stride=2, padding=1, count_include_pad=False)
