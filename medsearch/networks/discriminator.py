"""The multi-scale patch discriminators of M-GenSeg and MoDATTS: table 5.1 as the released code builds and pads it."""

from itertools import pairwise
from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.networks.config import DiscriminatorConfig
from medsearch.networks.norms import SampleNorm, add_spectral_norm

SLOPE = 0.2


@final
class MultiScaleDiscriminator(nn.Module):
    """Judges patches of an image at several resolutions.

    At each: stride-2 convolutions, then a 1x1 convolution to one channel; norms before the third layer and all after
    it. It departs from the paper, with the released code: no stride-1 layer comes first.

    Raises:
        BadInput: an image is too small for its layers and scales.
    """

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList()
        kind = nn.Conv2d if config.dimensions == 2 else nn.Conv3d
        for _ in range(config.scales):
            layers = [kind(a, b, config.kernel, stride=2) for a, b in pairwise((1, *config.channels))]
            for layer in layers:
                layer.register_forward_pre_hook(_padded)
            layers.append(kind(config.channels[-1], 1, 1))
            parts: list[nn.Module] = []
            for depth, layer in enumerate(layers):
                nn.init.kaiming_normal_(layer.get_parameter("weight"))
                norm = [SampleNorm(config.channels[depth - 1])] if depth >= 2 else []
                parts += [*norm, *([nn.LeakyReLU(SLOPE)] if depth else []), layer]
            self.scales.append(nn.Sequential(*parts))
        if config.spectral_norm:
            add_spectral_norm(self)

    def forward(self, image: Float[Tensor, "b 1 *space"]) -> list[Float[Tensor, "b 1 *patches"]]:
        """Scores of the patches, one tensor per scale, fine to coarse; above 0 is real."""
        self._require_large_enough(image.shape[2:])
        scores = [self.scales[0](image)]
        pool = F.avg_pool2d if self.config.dimensions == 2 else F.avg_pool3d
        for scale in self.scales[1:]:
            image = pool(image, 3, stride=2, padding=1, count_include_pad=False)
            scores.append(scale(image))
        return scores

    def _require_large_enough(self, size: tuple[int, ...]) -> None:
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


def _padded(layer: nn.Conv2d | nn.Conv3d, inputs: tuple[Tensor]) -> Tensor:
    """(kernel - 1) // 2 voxels around what a stride-2 convolution takes, and more where it is smaller than the kernel.

    What an axis lacks is added to the axis as far from the other end, because the released code lists the axes first
    to last where padding is given last to first: a map of 7 x 3 becomes 10 x 5 before a kernel of 4, not 9 x 6.
    """
    (x,), kernel = inputs, layer.kernel_size[0]
    mode = "reflect" if x.dim() == 4 else "constant"
    size = x.shape[2:]
    x = F.pad(x, [(kernel - 1) // 2] * 2 * len(size), mode)
    lacking = [max(0, kernel - side) for side in size]
    more = [part for missing in lacking for part in (missing // 2, missing - missing // 2)]
    return F.pad(x, more, mode) if any(more) else x
