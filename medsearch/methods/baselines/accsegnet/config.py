"""Sizes of AccSegNet's segmentor. No torch here: recipes import it."""

from typing import Annotated

from medsearch.core.ranges import PositiveInt, Range
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale, refuse


@recipe
class SqueezeUNetConfig:
    """A U-Net with channel and spatial squeeze-and-excitation.

    width: channels of the first level; each one below has twice as many, but the last as many as the one above.
    levels: five have 1, 2, 4, 8 and 8 times the width.
    reduction: of the channels within the channel-wise squeeze.
    """

    width: PositiveInt = 64
    levels: Annotated[int, Range(2)] = 5
    reduction: PositiveInt = 2

    @classmethod
    def at(cls, scale: Scale) -> "SqueezeUNetConfig":
        """The sizes for one scale."""
        return override(cls(), _SEGMENTOR[scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        refuse((self.reduction > self.width, f"reduction {self.reduction} must be from 1 to width {self.width}"))

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the levels, fine to coarse."""
        return tuple(self.width * 2 ** min(level, self.levels - 2) for level in range(self.levels))


_SEGMENTOR: dict[Scale, dict[str, object]] = {"paper": {}, "small": {"width": 24}, "tiny": {"width": 8}}
