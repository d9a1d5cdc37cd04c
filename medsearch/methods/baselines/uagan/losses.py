"""UAGAN's losses, of the comparison and of the official code (Yuan et al. 2019; StarGAN: Choi et al. 2018)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from medsearch.methods.baselines.uagan.recipe import CONTRASTS


def hinge_d(real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """Mean of relu(1 - D(x)) plus mean of relu(1 + D(x̂)), summed over the two contrasts.

    As compared: its reduction sums over the batch, which holds one image of each contrast.
    """
    return CONTRASTS * (torch.relu(1 - real).mean() + torch.relu(1 + fake).mean())


def hinge_g(fake: Tensor) -> Float[Tensor, ""]:
    """Mean of -D(x̂), summed over the two contrasts (as compared, see `hinge_d`)."""
    return -CONTRASTS * fake.mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """Mean of D(x̂) less that of D(x) (official)."""
    return fake.mean() - real.mean()


def wasserstein_g(fake: Tensor) -> Float[Tensor, ""]:
    """Mean of -D(x̂) (official)."""
    return -fake.mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """Mean of (|∇D(x̃)| - 1)² at random points between real and translated images."""
    mix = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (mix * real.detach() + (1 - mix) * fake.detach()).requires_grad_(True)
    scores = score(between)
    (slope,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True)
    penalty: Tensor = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    return penalty


def contrast(logits: Float[Tensor, "b 2"], one_hot: Float[Tensor, "b 2"]) -> Float[Tensor, ""]:
    """Cross-entropy of an image's contrast."""
    return F.cross_entropy(logits, one_hot)


def cross_entropy(y: Tensor, logits: Tensor, tumour_weight: float) -> Float[Tensor, ""]:
    """Cross-entropy of two classes, as a weighted mean over pixels; tumour weighs so much, background the rest to 1."""
    weight = y * tumour_weight + (1 - y) * (1 - tumour_weight)
    return F.binary_cross_entropy_with_logits(logits, y, weight, reduction="sum") / weight.sum()
