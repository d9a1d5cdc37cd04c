"""Sizes of CycleGAN's networks (Zhu et al. 2017). Defaults are theirs; `at` gives them for a scale. No torch here."""

from typing import Annotated, Literal

from medsearch.core.ranges import PositiveInt, Range
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Scale

Initialisation = Literal["normal", "xavier", "default"]


@recipe
class ResNetGeneratorConfig:
    """An image-to-image generator: convolutions down, residual blocks, convolutions up.

    width: channels at full resolution; they double with every halving.
    blocks: residual blocks at the coarsest resolution.
    halvings: how often the resolution is halved.
    down: a strided convolution (CycleGAN), or one of stride 1 and a blur that is subsampled (CUT).
    up: a transposed convolution (CycleGAN), blurred zeros-in-between and a convolution (CUT), or bilinear interpolation
        and a 1x1 convolution (AttENT).
    skips: none (CycleGAN), or attention-gated ones at every resolution (AttENT).
    initialisation: of the weights; normal of SD 0.02 (CycleGAN), Xavier's with gain 0.02 (CUT), torch's own (AttENT).
    """

    width: Annotated[int, Range(2)] = 64
    blocks: PositiveInt = 9
    halvings: PositiveInt = 2
    down: Literal["strided", "anti-aliased"] = "strided"
    up: Literal["transposed", "anti-aliased", "bilinear"] = "transposed"
    skips: Literal["none", "gated"] = "none"
    initialisation: Initialisation = "normal"

    @classmethod
    def at(cls, scale: Scale) -> "ResNetGeneratorConfig":
        """The sizes for one scale."""
        return override(cls(), _GENERATOR[scale])

    @property
    def channels(self) -> tuple[int, ...]:
        """Of every resolution, fine to coarse."""
        return tuple(self.width * 2**level for level in range(self.halvings + 1))

    @property
    def encoder_layers(self) -> int:
        """All before the way up, numbered as by CUT: those at full resolution, of every halving, and the blocks."""
        return 4 + (4 if self.down == "anti-aliased" else 3) * self.halvings + self.blocks


@recipe
class PatchDiscriminatorConfig:
    """PatchGAN: `layers` halving convolutions from `width` channels on, then two of stride 1, all of kernel 4.

    Three layers see patches of 70 x 70 pixels. Channels stop doubling at 8 times the width.

    down: strided convolutions (CycleGAN), or ones of stride 1 and a blur that is subsampled (CUT); sizes are the same.
    initialisation: as a generator's.
    """

    width: PositiveInt = 64
    layers: PositiveInt = 3
    down: Literal["strided", "anti-aliased"] = "strided"
    initialisation: Initialisation = "normal"

    @classmethod
    def at(cls, scale: Scale) -> "PatchDiscriminatorConfig":
        """The sizes for one scale."""
        return override(cls(), _DISCRIMINATOR[scale])

    @property
    def channels(self) -> tuple[int, ...]:
        """Outputs of the halving convolutions and of the first one after them."""
        return tuple(self.width * min(2**layer, 8) for layer in range(self.layers + 1))


_GENERATOR: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 24, "blocks": 6},
    "tiny": {"width": 8, "blocks": 3},
}

_DISCRIMINATOR: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 32},
    "tiny": {"width": 16, "layers": 2},
}
