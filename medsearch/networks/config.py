"""Sizes of the networks that methods share: by default the paper's, by `at` those of a scale. No torch here."""

from dataclasses import field
from typing import Annotated, Literal

from medsearch.core.errors import BadInput
from medsearch.core.ranges import OddInt, PositiveInt, Range
from medsearch.core.recipes import LATER, override, recipe

Scale = Literal["tiny", "small", "paper"]
Dimensions = Literal[2, 3]
Initialisation = Literal["normal", "xavier", "default"]


@recipe
class DiscriminatorConfig:
    """A multi-scale discriminator (table 5.1; strides, kernel and norm as in the released code of each method).

    channels: outputs of the stride-2 convolutions; as many layers as entries.
    kernel: side of the kernels, voxels, at least their stride.
    scales: copies of the network, each on an input half as fine as the one before.
    spectral_norm: on every convolution, as in M-GenSeg.
    """

    dimensions: Dimensions = 2
    channels: tuple[PositiveInt, ...] = (60, 120, 240, 480)
    kernel: Annotated[int, Range(2)] = 3
    scales: PositiveInt = 3
    spectral_norm: bool = field(default=False, metadata=LATER)

    @classmethod
    def at(cls, scale: Scale, dimensions: Dimensions) -> "DiscriminatorConfig":
        """A discriminator of 2D or 3D images in the sizes of a scale."""
        return override(cls(dimensions=dimensions), _DISCRIMINATOR[dimensions, scale])


def refuse(*faults: tuple[object, str]) -> None:
    """Raise the message of the first fault that is one."""
    for fault, msg in faults:
        if fault:
            raise BadInput(msg)


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
        """A generator in the sizes of a scale; the paper's are Zhu et al.'s."""
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
        """A discriminator in the sizes of a scale; the paper's are Zhu et al.'s."""
        return override(cls(), _PATCH_DISCRIMINATOR[scale])

    @property
    def channels(self) -> tuple[int, ...]:
        """Outputs of the halving convolutions and of the first one after them."""
        return tuple(self.width * min(2**layer, 8) for layer in range(self.layers + 1))


_DISCRIMINATOR: dict[tuple[Dimensions, Scale], dict[str, object]] = {
    (2, "paper"): {},
    (3, "paper"): {},
    (2, "small"): {"channels": (24, 48, 96, 192)},
    (3, "small"): {"channels": (24, 48, 96, 192)},
    # Fewer channels learn more slowly than the generators, which then get away with anything.
    (2, "tiny"): {"channels": (16, 32, 64, 64), "scales": 2},
    (3, "tiny"): {"channels": (16, 32, 64), "scales": 2},
}

_GENSEG: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"channels": (12, 24, 48, 96, 192), "unique": 48},
    "tiny": {"channels": (8, 16, 32, 48), "unique": 12, "head": 5},
}

_GENERATOR: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 24, "blocks": 6},
    "tiny": {"width": 8, "blocks": 3},
}

_PATCH_DISCRIMINATOR: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {"width": 32},
    "tiny": {"width": 16, "layers": 2},
}
