"""Sizes of AccSegNet's segmentor. No torch here: recipes import it."""

from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale, refuse


@recipe
class SqueezeUNetConfig:
    """A U-Net with channel and spatial squeeze-and-excitation.

    width: channels of the first of five levels; the others have 2, 4, 8 and 8 times as many.
    reduction: of the channels within the channel-wise squeeze.
    """

    width: int = 64
    reduction: int = 2

    @classmethod
    def at(cls, scale: Scale) -> "SqueezeUNetConfig":
        """The sizes for one scale."""
        return override(cls(), _SEGMENTOR[scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        refuse(
            (self.width < 1, f"width {self.width} must be 1 or more"),
            (not 1 <= self.reduction <= self.width, f"reduction {self.reduction} must be from 1 to width {self.width}"),
        )


_SEGMENTOR: dict[Scale, dict[str, object]] = {"paper": {}, "small": {"width": 24}, "tiny": {"width": 8}}
