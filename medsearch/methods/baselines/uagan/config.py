"""Sizes of UAGAN's networks. No torch here: recipes import it."""

from medsearch.core.ranges import FractionBelowOne, PositiveInt
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale

CONTRASTS = 2
"""Source and target, of which a batch holds as many images each."""


@recipe
class UAGANConfig:
    """The generator with its two streams.

    width: channels of the first level; each level below has twice as many.
    levels: of both encoders, the shared centre not counted.
    dropout: of the skips of the last level.
    bounded: translated images are in (-1, 1), by a tanh.
    """

    width: PositiveInt = 64
    levels: PositiveInt = 3
    dropout: FractionBelowOne = 0.5
    bounded: bool = True

    @classmethod
    def at(cls, scale: Scale) -> "UAGANConfig":
        """The sizes for one scale."""
        return override(cls(), _GENERATOR[scale])

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the levels, fine to coarse."""
        return tuple(self.width * 2**level for level in range(self.levels))


@recipe
class JudgeConfig:
    """UAGAN's discriminator: `layers` stride-2 convolutions, of `width` channels and twice as many each time."""

    width: PositiveInt = 64
    layers: PositiveInt = 6

    @classmethod
    def at(cls, scale: Scale) -> "JudgeConfig":
        """The sizes for one scale."""
        return override(cls(), _JUDGE[scale])


_GENERATOR: dict[Scale, dict[str, object]] = {"paper": {}, "small": {"width": 24}, "tiny": {"width": 8}}
_JUDGE: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 24, "layers": 5},
    "tiny": {"width": 16, "layers": 4},
}
