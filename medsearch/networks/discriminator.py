"""The multi-scale patch discriminators of M-GenSeg and MoDATTS: table 5.1 as the released code builds and pads it."""

from itertools import pairwise
from typing import Literal, final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.networks.config import Dimensions, DiscriminatorConfig
from medsearch.networks.norms import SampleNorm, add_spectral_norm

SLOPE = 0.2
_POOL = {2: F.avg_pool2d, 3: F.avg_pool3d}


@final
class _Halving2d(nn.Conv2d):
    """A stride-2 convolution, padded as `_padded`."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to about half as many rows and columns."""
        return F.conv2d(_padded(x, self.kernel_size[0], "reflect"), self.weight, self.bias, self.stride)


@final
class _Halving3d(nn.Conv3d):
    """A stride-2 convolution, padded as `_padded`."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, z, y, x) to about half as many voxels along each axis."""
        return F.conv3d(_padded(x, self.kernel_size[0], "constant"), self.weight, self.bias, self.stride)


def _padded(x: Tensor, kernel: int, mode: Literal["reflect", "constant"]) -> Tensor:
    """(kernel - 1) // 2 voxels around `x`, and more where it is smaller than the kernel, as in the released code.

    What an axis lacks is added to the axis as far from the other end, because the released code lists the axes first
    to last where padding is given last to first: a map of 7 x 3 becomes 10 x 5 before a kernel of 4, not 9 x 6.
    """
    size = x.shape[2:]
    x = F.pad(x, [(kernel - 1) // 2] * 2 * len(size), mode)
    lacking = [max(0, kernel - side) for side in size]
    more = [part for missing in lacking for part in (missing // 2, missing - missing // 2)]
    return F.pad(x, more, mode) if any(more) else x


_HALVING = {2: _Halving2d, 3: _Halving3d}
_POINTWISE = {2: nn.Conv2d, 3: nn.Conv3d}


def _one_scale(config: DiscriminatorConfig) -> nn.Sequential:
    """Stride-2 convolutions, then a 1x1 convolution to one channel; norms before the third layer and all after it."""
    # Departs from the paper, with the released code: no stride-1 layer first
    layers: list[nn.Module] = [
        _HALVING[config.dimensions](inputs, outputs, config.kernel, stride=2)
        for inputs, outputs in pairwise((1, *config.channels))
    ]
    layers.append(_POINTWISE[config.dimensions](config.channels[-1], 1, 1))
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
        BadInput: an image is too small for its layers and scales.
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
