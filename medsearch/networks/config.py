"""Sizes of the networks that methods share. Defaults are the paper's; `at` gives them for a scale. No torch here."""

from dataclasses import field
from typing import Annotated, Literal

from medsearch.core.errors import BadInput
from medsearch.core.ranges import PositiveInt, Range
from medsearch.core.recipes import LATER, override, recipe

Scale = Literal["tiny", "small", "paper"]
Dimensions = Literal[2, 3]


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
        """The sizes for one scale."""
        return override(cls(dimensions=dimensions), _DISCRIMINATOR[dimensions, scale])


def refuse(*faults: tuple[object, str]) -> None:
    """Raise the message of the first fault that is one."""
    for fault, msg in faults:
        if fault:
            raise BadInput(msg)


_DISCRIMINATOR: dict[tuple[Dimensions, Scale], dict[str, object]] = {
    (2, "paper"): {},
    (3, "paper"): {},
    (2, "small"): {"channels": (24, 48, 96, 192)},
    (3, "small"): {"channels": (24, 48, 96, 192)},
    # Fewer channels learn more slowly than the generators, which then get away with anything.
    (2, "tiny"): {"channels": (16, 32, 64, 64), "scales": 2},
    (3, "tiny"): {"channels": (16, 32, 64), "scales": 2},
}
