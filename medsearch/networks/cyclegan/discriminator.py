"""PatchGAN (Isola et al. 2017): judges overlapping patches of an image. 2 762 689 parameters at 64 channels."""

from itertools import pairwise
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.networks.cyclegan.config import PatchDiscriminatorConfig
from medsearch.networks.cyclegan.layers import BlurDown, initialise

SLOPE = 0.2


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
    """D_s and D_t."""

    def __init__(self, config: PatchDiscriminatorConfig) -> None:
        super().__init__()
        self.d_s, self.d_t = PatchDiscriminator(config), PatchDiscriminator(config)
