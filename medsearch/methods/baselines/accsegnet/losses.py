"""AccSegNet's losses, of the comparison and of the official code (Zhou et al. 2021; CUT: Park et al. 2020)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

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
