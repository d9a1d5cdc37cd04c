"""MIND, the modality-independent neighbourhood descriptor, as AccSegNet's official code has it (9, 7, 3, 3.0).

Departs from Heinrich et al. 2012 with it: a patch's pixels weigh exp(-d / σ²) with the distance d, not its square, and
the descriptor is divided by its sum.
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

REGION, PATCH, NEIGHBOURS, SIGMA = 9, 7, 3, 3.0
EPSILON = 1e-8


@final
class MIND(nn.Module):
    """Describes every pixel by how much patches around it resemble its own.

    All kernels are fixed: 11 052 numbers, which the comparison's released code counts among its 36.578 M parameters
    and hands to its optimiser. Here they are buffers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shifts: Tensor
        self.patches: Tensor
        self.nearby: Tensor
        self.sums: Tensor
        offsets = torch.arange(PATCH) - PATCH // 2
        distance = torch.hypot(offsets[:, None].float(), offsets[None, :].float())
        weights = torch.exp(-distance / SIGMA**2)
        self.register_buffer("shifts", _shifts(REGION), persistent=False)
        self.register_buffer("patches", weights.repeat(REGION**2, 1, 1, 1), persistent=False)
        self.register_buffer("nearby", _shifts(NEIGHBOURS), persistent=False)
        self.register_buffer("sums", torch.ones(NEIGHBOURS**2, 1, PATCH, PATCH), persistent=False)

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 81 h w"]:
        """Descriptors that sum to 1 at every pixel."""
        differences: Tensor = (F.conv2d(x, self.shifts, padding=REGION // 2) - x) ** 2
        distances = F.conv2d(differences, self.patches, padding=PATCH // 2, groups=REGION**2)
        around: Tensor = F.conv2d(x, self.nearby, padding=NEIGHBOURS // 2)
        around = F.conv2d(around, self.sums, padding=PATCH // 2, groups=NEIGHBOURS**2)
        descriptors: Tensor = torch.softmax(-distances / (around.var(1, keepdim=True) + EPSILON), 1)
        return descriptors


def mind_distance(mind: MIND, a: Float[Tensor, "b 1 h w"], b: Float[Tensor, "b 1 h w"]) -> Float[Tensor, ""]:
    """Mean absolute difference of two batches' descriptors."""
    distance: Tensor = (mind(a) - mind(b)).abs().mean()
    return distance


def _shifts(size: int) -> Float[Tensor, "n 1 size size"]:
    return torch.eye(size**2).view(size**2, 1, size, size)
