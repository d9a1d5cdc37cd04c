"""The discriminators of AttENT's segmentation stage: 2 763 713 parameters at the paper's sizes (2.764 M measured)."""

from itertools import pairwise
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from medsearch.core.errors import BadInput
from medsearch.methods.baselines.attent.config import MapDiscriminatorConfig

SLOPE = 0.2
CHANNELS = 2
"""Of a map: what tumour and background have of it."""


@final
class MapDiscriminator(nn.Module):
    """Judges patches of a map.

    Raises:
        BadInput: a map is too small for its layers.
    """

    def __init__(self, config: MapDiscriminatorConfig) -> None:
        super().__init__()
        self.halvings = len(config.channels) + 1
        layers: list[nn.Module] = []
        for before, after in pairwise((CHANNELS, *config.channels)):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(config.channels[-1], 1, 4, stride=2, padding=1))

    def forward(self, x: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b 1 h2 w2"]:
        """Scores of the patches; above 0 is the source domain."""
        if min(x.shape[2:]) < 2**self.halvings:
            msg = (
                f"a map of {x.shape[2]}x{x.shape[3]} is too small for {self.halvings} stride-2 layers; take fewer "
                "channels"
            )
            raise BadInput(msg)
        y: Tensor = self.layers(x)
        return y
