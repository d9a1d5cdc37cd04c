"""Sizes of AttENT's segmentation networks. No torch here: recipes import it."""

from medsearch.core.ranges import NonNegativeFloat, PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale


@recipe
class DeepLabConfig:
    """DeepLab-v2 on a ResNet, with a second output on its third stage (AdaptSegNet, ADVENT).

    width: channels of the root; the four stages leave 4, 8, 16 and 32 times as many.
    units: bottlenecks of the stages; the last two are dilated by 2 and 4 instead of strided.
    dilations: of the parallel convolutions of an output.
    rgb_deviation: SD of the first weights of the convolution from one channel to three; 0: torch's own. As compared
        0.01, by which a random network begins with images that are 2 % of what its first norm passes on.
    """

    width: PositiveInt = 64
    units: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (3, 4, 23, 3)
    dilations: tuple[PositiveInt, ...] = (6, 12, 18, 24)
    rgb_deviation: NonNegativeFloat = 0.01

    @classmethod
    def at(cls, scale: Scale) -> "DeepLabConfig":
        """The sizes for one scale."""
        return override(cls(), _DEEPLAB[scale])


@recipe
class MapDiscriminatorConfig:
    """A discriminator of maps of two channels: stride-2 convolutions of kernel 4 to these channels, then to one."""

    channels: tuple[PositiveInt, ...] = (64, 128, 256, 512)

    @classmethod
    def at(cls, scale: Scale) -> "MapDiscriminatorConfig":
        """The sizes for one scale."""
        return override(cls(), _MAPS[scale])


_DEEPLAB: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 24, "units": (2, 2, 6, 2)},
    # A hundredth of the paper's steps do not bring the image forth from behind the bias.
    "tiny": {"width": 8, "units": (1, 1, 2, 1), "dilations": (1, 2, 3, 4), "rgb_deviation": 0.0},
}
_MAPS: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"channels": (32, 64, 128)},
    "tiny": {"channels": (16, 32, 32)},
}
