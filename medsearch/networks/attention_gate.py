"""Attention-gated skips (Oktay et al. 2018) with the factor 2 of M-GenSeg's released code, as AttENT has them."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn


def _joining(channels: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, outputs, 1), nn.BatchNorm2d(outputs))


@final
class AttentionGate(nn.Module):
    """Weighs every pixel of a skip by what a decoder knows there, both of `channels`; in (0, 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.of_decoder, self.of_skip = _joining(channels, inner), _joining(channels, inner)
        self.weight = _joining(inner, 1)

    def forward(self, g: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The skip `x`, gated by the decoder's `g`."""
        psi = torch.sigmoid(self.weight(torch.relu(self.of_decoder(g) + self.of_skip(x))))
        return 2 * x * psi
