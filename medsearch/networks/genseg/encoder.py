"""GenSeg's encoder: one per modality."""

from itertools import pairwise
from typing import final

import torch.nn.functional as F
from torch import nn

from medsearch.networks.genseg.blocks import Down, Features, convolution
from medsearch.networks.genseg.config import GenSegConfig
from medsearch.networks.latent import Latent
from medsearch.networks.norms import add_spectral_norm


@final
class GenSegEncoder(nn.Module):
    """E: slices (b, 1, h, w) to the codes [c, u] at the coarsest level, and a skip of every finer one.

    Raises:
        BadInput: the config fits no network.

    """

    def __init__(self, config: GenSegConfig) -> None:
        super().__init__()
        config.check()
        self.common_channels = config.common
        self.first = convolution(1, config.channels[0], config.kernel)
        self.downs = nn.ModuleList(Down(a, b, config.kernel) for a, b in pairwise(config.channels))
        self.norm = nn.InstanceNorm2d(config.channels[-1])
        if config.spectral_norm:
            add_spectral_norm(self)

    def forward(self, x: Features) -> Latent:
        """The skips are not split: every decoder gets all of them, also the common one."""
        features = [self.first(x)]
        for down in self.downs:
            features.append(down(features[-1]))
        code = F.relu(self.norm(features.pop()))
        return Latent(code, skips=tuple(features), maps=(), common_channels=self.common_channels)
