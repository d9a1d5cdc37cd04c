"""The multi-scale patch discriminators D_S, D_T (2D) and D_P, D_A (3D): table 5.1 as the released code builds it."""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.config import Dimensions, DiscriminatorConfig

SLOPE = 0.2
_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_POOL = {2: F.avg_pool2d, 3: F.avg_pool3d}


@final
class SampleNorm(nn.Module):
    """Each sample over channels and space by its unbiased standard deviation + 1e-5; scale and shift per channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(channels))  # from U(0, 1), as released
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Keeps the shape; in full precision under autocast, as PyTorch's own norms."""
        x = x.float()
        over = tuple(range(1, x.dim()))
        deviation, mean = torch.std_mean(x, over, keepdim=True)
        shape = (1, -1, *[1] * (x.dim() - 2))
        gain = self.scale.view(shape) / (deviation + 1e-5)
        return torch.addcmul(self.shift.view(shape) - mean * gain, x, gain)


@final
class PatchScores(nn.Module):
    """One scale: stride-2 convolutions and a 1x1 convolution to one channel; norms from the third layer on."""

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        convolution, widths = _CONVOLUTION[config.dimensions], (1, *config.channels)
        # Departs from the paper, with the released code: kernel 3, and no stride-1 layer first
        self.convolutions = nn.ModuleList(
            convolution(i, o, config.kernel, stride=2) for i, o in zip(widths, config.channels, strict=False)
        )
        self.norms = nn.ModuleList(SampleNorm(channels) for channels in config.channels[1:])
        self.last = convolution(config.channels[-1], 1, 1)
        self.padding = [config.kernel // 2] * (2 * config.dimensions)
        self.padding_mode = "reflect" if config.dimensions == 2 else "constant"
        for layer in (*self.convolutions, self.last):
            nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: Float[Tensor, "b 1 *space"]) -> Float[Tensor, "b 1 *patches"]:
        """One score per patch."""
        for index, convolve in enumerate(self.convolutions):
            if index > 0:
                x = F.leaky_relu(x if index == 1 else self.norms[index - 2](x), SLOPE)
            x = convolve(F.pad(x, self.padding, mode=self.padding_mode))
        x = self.norms[-1](x) if len(self.convolutions) > 1 else x
        y: Tensor = self.last(F.leaky_relu(x, SLOPE))
        return y


@final
class MultiScaleDiscriminator(nn.Module):
    """Judges patches of an image at several resolutions.

    Raises:
        BadInput: the image is too small for the config's layers and scales.
    """

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(PatchScores(config) for _ in range(config.scales))

    def forward(self, image: Float[Tensor, "b 1 *space"]) -> list[Float[Tensor, "b 1 *patches"]]:
        """Scores of the patches, one tensor per scale, fine to coarse; above 0 is real."""
        self._check_size(image.shape[2:])
        scores = [self.scales[0](image)]
        for scale in self.scales[1:]:
            image = _halved(image, self.config.dimensions)
            scores.append(scale(image))
        return scores

    def _check_size(self, size: tuple[int, ...]) -> None:
        side, layers = min(size), len(self.config.channels)
        for _ in range(self.config.scales - 1 + layers - 1):
            side = -(-side // 2)  # what enters the last convolution of the last scale
        reflects = self.config.dimensions == 2
        if len(size) != self.config.dimensions or (reflects and side <= self.config.kernel // 2):
            msg = (
                f"an image of {'x'.join(map(str, size))} is too small for a {self.config.dimensions}D discriminator of "
                f"{layers} layers on {self.config.scales} scales; take fewer scales or channels"
            )
            raise BadInput(msg)


def _halved(image: Tensor, dimensions: Dimensions) -> Tensor:
    return _POOL[dimensions](image, 3, stride=2, padding=1, count_include_pad=False)
