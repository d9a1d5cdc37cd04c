"""Sizes of the networks. Defaults are the paper's; `at` gives them for a scale. No torch here: recipes import it.

A config is checked where a network is built from it, not here: a recipe may pass through states that fit no network
while its knobs are overridden one by one.
"""

from typing import Annotated, Literal

from medsearch.core.ranges import FractionBelowOne, NonNegativeInt, PositiveInt, Range
from medsearch.core.recipes import override, recipe
from medsearch.networks.config import Dimensions, Scale, refuse

Supervision = Literal["self", "semi"]


@recipe
class TransUNetConfig:
    """The generators of the translation stage: R50-ViT-B/16 and its "cup" decoder (section 5.5.1).

    input_size: side of a square slice, pixels, a multiple of 16; tokens = (input_size / 16)².
    width: channels of the ResNet's root; skips are 8, 4 and 1 times as wide.
    units: bottleneck units in each of the three ResNet blocks.
    hidden, layers, heads, mlp, dropout: the transformer's.
    bridge: channels of the convolution between the tokens and the decoder's first block.
    decoder: channels of the decoder's four blocks, coarse to fine.
    """

    input_size: Annotated[int, Range(16, step=16)] = 256
    width: PositiveInt = 64
    units: tuple[PositiveInt, PositiveInt, PositiveInt] = (3, 4, 9)
    hidden: PositiveInt = 768
    layers: PositiveInt = 12
    heads: PositiveInt = 12
    mlp: PositiveInt = 3072
    dropout: FractionBelowOne = 0.1
    bridge: PositiveInt = 512
    decoder: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (256, 128, 64, 16)

    @classmethod
    def at(cls, scale: Scale) -> "TransUNetConfig":
        """The translation's networks in one of three sizes."""
        return override(cls(), _TRANSUNET[scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        refuse((self.hidden % self.heads, f"hidden {self.hidden} does not divide into {self.heads} heads"))

    @property
    def skips(self) -> tuple[int, int, int]:
        """Channels of the skips, coarse to fine (1/8, 1/4 and 1/2 of the input's resolution)."""
        return 8 * self.width, 4 * self.width, self.width

    @property
    def grid(self) -> int:
        """Tokens along a side of a slice."""
        return self.input_size // 16


@recipe
class MedformerConfig:
    """The segmentation network: 3D Medformer (table 5.2), or the same in 2D.

    channels: of the stem and the four levels; the decoder mirrors them.
    scales: down-sampling before each level, on every axis; an image's sides are multiples of their product.
    convs: BasicBlocks in the stem and at level 1.
    attentions, heads: B-MHA blocks at levels 2-4, and their heads; the decoder mirrors levels 2 and 3.
    decoder_convs: BasicBlocks in the decoder's two finest levels.
    expansion: of the MBConv that follows each attention.
    codes: semantic codes per level (3 x 10 x 4 in the released code; only 1x1 convolutions see them, so their
        arrangement plays no part).
    fusion_channels, fusion_heads, fusion_layers: the transformer that fuses the three levels' codes.
    unique_fraction: share of the bottleneck's channels that hold the unique code u; 0 when nothing is disentangled.
    """

    dimensions: Dimensions = 3
    channels: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (32, 64, 128, 256, 320)
    scales: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (2, 2, 2, 2)
    convs: tuple[NonNegativeInt, NonNegativeInt] = (1, 2)
    attentions: tuple[PositiveInt, PositiveInt, PositiveInt] = (2, 4, 6)
    heads: tuple[PositiveInt, PositiveInt, PositiveInt] = (4, 8, 10)
    decoder_convs: tuple[PositiveInt, PositiveInt] = (2, 2)
    expansion: PositiveInt = 4
    codes: PositiveInt = 120
    fusion_channels: PositiveInt = 320
    fusion_heads: PositiveInt = 10
    fusion_layers: NonNegativeInt = 2
    unique_fraction: FractionBelowOne = 0.0

    @classmethod
    def at(cls, scale: Scale, supervision: Supervision, dimensions: Dimensions = 3) -> "MedformerConfig":
        """The sizes for one scale of the self-supervised or the semi-supervised variant."""
        return override(cls(dimensions=dimensions, codes=_CODES[scale][dimensions]), _MEDFORMER[supervision, scale])

    def check(self) -> None:
        """Refuse sizes that fit no network.

        Raises:
            BadInput: with the knob and what it must satisfy.
        """
        heads = zip(self.heads, self.channels[2:], strict=True)
        u, c = self.unique_channels, self.common_channels
        refuse(
            (any(h > channels for h, channels in heads), f"heads {self.heads} exceed channels {self.channels[2:]}"),
            (self.fusion_heads > self.fusion_channels, f"fusion_heads {self.fusion_heads} exceed fusion_channels"),
            (c < 1 or u < bool(self.unique_fraction), f"unique_fraction {self.unique_fraction} leaves a code empty"),
        )

    @property
    def unique_channels(self) -> int:
        """Channels of the unique code u: the last ones of the bottleneck."""
        return round(self.channels[-1] * self.unique_fraction)

    @property
    def common_channels(self) -> int:
        """Channels of the common code c: the first ones of the bottleneck."""
        return self.channels[-1] - self.unique_channels


_TRANSUNET: dict[Scale, dict[str, object]] = {
    "paper": {},
    "small": {
        "input_size": 128, "width": 32, "units": (2, 2, 2), "hidden": 192, "layers": 4, "heads": 6, "mlp": 384,
        "bridge": 128, "decoder": (96, 64, 32, 16),
    },
    "tiny": {
        "input_size": 64, "width": 8, "units": (1, 1, 1), "hidden": 32, "layers": 1, "heads": 4, "mlp": 64,
        "dropout": 0.0, "bridge": 32, "decoder": (24, 16, 8, 8),
    },
}  # fmt: skip

_CODES: dict[Scale, dict[Dimensions, int]] = {
    "paper": {2: 40, 3: 120},
    "small": {2: 24, 3: 64},
    "tiny": {2: 16, 3: 16},
}

_TINY: dict[str, object] = {
    "channels": (8, 8, 16, 16, 16), "scales": (2, 2, 2, 1), "convs": (0, 1), "attentions": (1, 1, 1),
    "heads": (2, 2, 2), "decoder_convs": (1, 1), "expansion": 2,
    "fusion_channels": 16, "fusion_heads": 2, "fusion_layers": 1,
}  # fmt: skip

_MEDFORMER: dict[tuple[Supervision, Scale], dict[str, object]] = {
    ("self", "paper"): {},
    ("semi", "paper"): {"channels": (16, 32, 64, 128, 256), "fusion_channels": 256, "unique_fraction": 0.25},
    ("self", "small"): {
        "channels": (16, 32, 64, 96, 128), "attentions": (1, 2, 2), "heads": (4, 6, 8),
        "fusion_channels": 128, "fusion_heads": 8,
    },
    ("semi", "small"): {
        "channels": (12, 24, 48, 64, 96), "attentions": (1, 2, 2), "heads": (4, 4, 6),
        "fusion_channels": 96, "fusion_heads": 6, "unique_fraction": 0.25,
    },
    ("self", "tiny"): _TINY,
    ("semi", "tiny"): _TINY | {"unique_fraction": 0.25},
}  # fmt: skip
