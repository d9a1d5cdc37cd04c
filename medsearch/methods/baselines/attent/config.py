"""Sizes of AttENT's segmentation networks. No torch here: recipes import it."""

from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale, refuse


@recipe
class DeepLabConfig:
    """DeepLab-v2 on a ResNet, with a second output on its third stage (AdaptSegNet, ADVENT).

    width: channels of the root; the four stages leave 4, 8, 16 and 32 times as many.
    units: bottlenecks of the stages; the last two are dilated by 2 and 4 instead of strided.
    dilations: of the parallel convolutions of an output.
    """

    width: int = 64
    units: tuple[int, int, int, int] = (3, 4, 23, 3)
    dilations: tuple[int, ...] = (6, 12, 18, 24)

    @classmethod
    def at(cls, scale: Scale) -> "DeepLabConfig":
        """The sizes for one scale."""
        return override(cls(), _DEEPLAB[scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        refuse(
            (self.width < 1, f"width {self.width} must be 1 or more"),
            (min(self.units) < 1, f"units {self.units} leave a stage empty; each must be 1 or more"),
            (not self.dilations or min(self.dilations) < 1, f"dilations {self.dilations} must be positive numbers"),
        )


@recipe
class MapDiscriminatorConfig:
    """A discriminator of maps of two channels: stride-2 convolutions of kernel 4 to these channels, then to one."""

    channels: tuple[int, ...] = (64, 128, 256, 512)

    @classmethod
    def at(cls, scale: Scale) -> "MapDiscriminatorConfig":
        """The sizes for one scale."""
        return override(cls(), _MAPS[scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        refuse((not self.channels or min(self.channels) < 1, f"channels {self.channels} must be positive numbers"))


_DEEPLAB: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 24, "units": (2, 2, 6, 2)},
    "tiny": {"width": 8, "units": (1, 1, 2, 1), "dilations": (1, 2, 3, 4)},
}
_MAPS: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"channels": (32, 64, 128)},
    "tiny": {"channels": (16, 32, 32)},
}
