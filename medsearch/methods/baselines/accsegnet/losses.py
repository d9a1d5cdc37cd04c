"""AccSegNet's losses, of the comparison and of the official code (Zhou et al. 2021; CUT: Park et al. 2020).

MIND, the modality-independent neighbourhood descriptor, is as the official code has it (9, 7, 3, 3.0). Departs from
Heinrich et al. 2012 with it: a patch's pixels weigh exp(-d / σ²) with the distance d, not its square, and the
descriptor is divided by its sum.
"""

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-7
MASKED = -10.0
"""The similarity of a patch with itself among its negatives, before the temperature: official."""


def mse(a: Tensor, b: Tensor) -> Float[Tensor, ""]:
    """Mean squared difference: identity and cycle as compared."""
    return ((a - b) ** 2).mean()


def anatomy(a: Tensor, b: Tensor) -> Float[Tensor, ""]:
    """1 - corr² of two batches of images, over all pixels at once: 0 where one is linear in the other."""
    x, y = a - a.mean(), b - b.mean()
    return 1 - (x * y).sum() ** 2 / ((x**2).sum() * (y**2).sum()).clamp_min(EPSILON)


def squared_dice(y: Tensor, y_hat: Tensor) -> Float[Tensor, ""]:
    """Negative Dice over the whole batch with squares in the denominator, in [-1, 0] (official)."""
    return -2 * ((y * y_hat).sum() + EPSILON) / ((y**2).sum() + (y_hat**2).sum() + EPSILON)


def patch_nce(queries: Float[Tensor, "b n c"], keys: Float[Tensor, "b n c"], temperature: float) -> Float[Tensor, ""]:
    """Cross-entropy of finding a patch's own key among those of all patches of its image.

    Features have length 1; keys come without gradients.
    """
    similar = queries @ keys.transpose(1, 2)
    itself = torch.eye(similar.shape[1], dtype=torch.bool, device=similar.device)
    positive = similar.diagonal(dim1=1, dim2=2)[..., None]
    logits = torch.cat([positive, similar.masked_fill(itself, MASKED)], 2) / temperature
    return F.cross_entropy(logits.flatten(0, 1), torch.zeros(logits.shape[:2].numel(), device=logits.device).long())


def layered_nce(queries: Sequence[Tensor], keys: Sequence[Tensor], temperature: float) -> Float[Tensor, ""]:
    """The mean of `patch_nce` over layers."""
    return torch.stack([patch_nce(q, k, temperature) for q, k in zip(queries, keys, strict=True)]).mean()


REGION, PATCH, NEIGHBOURS, SIGMA = 9, 7, 3, 3.0
LEAST_VARIANCE = 1e-8


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
        shifts, nearby = torch.eye(REGION**2), torch.eye(NEIGHBOURS**2)  # each kernel picks one pixel around another
        self.register_buffer("shifts", shifts.view(-1, 1, REGION, REGION), persistent=False)
        self.register_buffer("patches", weights.repeat(REGION**2, 1, 1, 1), persistent=False)
        self.register_buffer("nearby", nearby.view(-1, 1, NEIGHBOURS, NEIGHBOURS), persistent=False)
        self.register_buffer("sums", torch.ones(NEIGHBOURS**2, 1, PATCH, PATCH), persistent=False)

    def forward(self, x: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 81 h w"]:
        """Descriptors that sum to 1 at every pixel."""
        differences: Tensor = (F.conv2d(x, self.shifts, padding=REGION // 2) - x) ** 2
        distances = F.conv2d(differences, self.patches, padding=PATCH // 2, groups=REGION**2)
        around: Tensor = F.conv2d(x, self.nearby, padding=NEIGHBOURS // 2)
        around = F.conv2d(around, self.sums, padding=PATCH // 2, groups=NEIGHBOURS**2)
        descriptors: Tensor = torch.softmax(-distances / (around.var(1, keepdim=True) + LEAST_VARIANCE), 1)
        return descriptors


def mind_distance(mind: MIND, a: Float[Tensor, "b 1 h w"], b: Float[Tensor, "b 1 h w"]) -> Float[Tensor, ""]:
    """Mean absolute difference of two batches' descriptors."""
    distance: Tensor = (mind(a) - mind(b)).abs().mean()
    return distance
