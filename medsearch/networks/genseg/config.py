"""Sizes of the GenSeg family's networks. No torch here: recipes import it."""

from typing import Annotated, Literal

from medsearch.core.ranges import OddInt, PositiveInt, Range
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale, refuse


@recipe
class GenSegConfig:
    """Encoder and decoders (released code of M-GenSeg; the paper says "as in GenSeg", which has 512 channels).

    channels: of the encoder, fine to coarse, each half as fine as the one before; the decoders mirror them.
    unique: the last channels of the bottleneck, which hold the unique code u; the others hold the common code c.
    kernel: of encoder, common and translation decoders. wide: of the residual/segmentation decoder. head: of the last
        convolution of every decoder.
    skips: "attention" gates them (section 4.3.3), "concat" takes them as they are.
    """

    channels: tuple[Annotated[int, Range(2)], ...] = (15, 30, 60, 120, 240, 480)
    unique: PositiveInt = 128
    kernel: OddInt = 3
    wide: OddInt = 5
    head: OddInt = 7
    skips: Literal["attention", "concat"] = "attention"
    spectral_norm: bool = True

    @classmethod
    def at(cls, scale: Scale) -> "GenSegConfig":
        """The sizes for one scale; a bottleneck is 8 x 4 in all of them."""
        return override(cls(), _GENSEG[scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        unique, last = self.unique, self.channels[-1]
        refuse(
            (len(self.channels) < 2, f"channels {self.channels}: there must be two levels or more"),
            (unique >= last, f"unique {unique} of {last} channels leaves a code empty"),
        )

    @property
    def common(self) -> int:
        """Channels of the common code c."""
        return self.channels[-1] - self.unique


_GENSEG: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"channels": (12, 24, 48, 96, 192), "unique": 48},
    "tiny": {"channels": (8, 16, 32, 48), "unique": 12, "head": 5},
}
