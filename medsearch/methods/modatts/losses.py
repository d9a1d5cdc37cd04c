"""The losses of the thesis, chapter 5: one function per equation, in the paper's letters.

Conventions that the paper leaves open follow the released code: every L1 term is a mean over a sample's elements and
then over the batch; targets are not detached; a hinge is the mean over patches, then over the discriminator's scales;
Dice is computed over the whole labelled batch at once and is negative (-1 is perfect), so that total losses compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Scales = Sequence[Tensor]
"""A discriminator's patch outputs, one tensor per scale."""


def adversarial_d(real: Scales, fake: Scales) -> Float[Tensor, ""]:
    """The discriminator's part of Eq. 5.1: mean of relu(1 - D(x)) plus mean of relu(1 + D(x̂))."""
    terms = [torch.relu(1 - r).mean() + torch.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def adversarial_g(fake: Scales) -> Float[Tensor, ""]:
    """The generator's part of Eq. 5.1: mean of -D(x̂)."""
    return torch.stack([-scale.mean() for scale in fake]).mean()


def l1(a: Tensor, b: Tensor) -> Float[Tensor, ""]:
    """Mean absolute difference; the norm of Eqs. 5.2 and 5.11."""
    return (a - b).abs().mean()


def cycle(x_s: Tensor, x_sts: Tensor, *, x_t: Tensor, x_tst: Tensor) -> Float[Tensor, ""]:
    """Eq. 5.2: both images come back after a round trip through the other contrast."""
    return l1(x_s, x_sts) + l1(x_t, x_tst)


def dice(y: Tensor, y_hat: Tensor, counted: Tensor | None = None) -> Float[Tensor, ""]:
    """Negative soft Dice of Eqs. 5.3 and 5.5 over the whole batch, smooth 1 on both sides; in [-1, 0].

    Args:
        y: masks, any shape.
        y_hat: probabilities of the same shape.
        counted: where it is False a voxel takes no part (the ignore band of self-training).

    An empty batch gives the constant -1, which has no gradient.

    """
    if counted is not None:
        y, y_hat = y * counted, y_hat * counted
    return -(2 * (y * y_hat).sum() + 1) / (y.sum() + y_hat.sum() + 1)


def overlap(y: Tensor, y_hat: Tensor) -> tuple[float, float]:
    """What `dice` is made of, overlap and sum of sizes, for a `MicroDice` over more than fits in one batch."""
    return float((y * y_hat).sum()), float(y.sum() + y_hat.sum())


def tumour_aware(y_s: Tensor, y_hat_s: Tensor, *, y_hat_st: Tensor) -> Float[Tensor, ""]:
    """Eq. 5.3: the mask is found in the source image and in its translation."""
    return dice(y_s, y_hat_s) + dice(y_s, y_hat_st)


def reconstruction(*pairs: tuple[Tensor, Tensor]) -> Float[Tensor, ""]:
    """Eq. 5.11 for pairs of images and what was rebuilt of them: x_P, x_PP and, if translated too, x_A, x_AA."""
    return torch.stack([l1(rebuilt, x) for x, rebuilt in pairs]).sum()


@dataclass(frozen=True, kw_only=True)
class AbsenceCodes:
    """Codes of healthy images: `a` of the image, `aa` and `ap` found again in x_AA and x_AP, `u` as sampled."""

    a: Tensor
    aa: Tensor
    ap: Tensor
    u: Tensor


@dataclass(frozen=True, kw_only=True)
class LatentCodes:
    """Codes of diseased images: `p` of the image, `pa` and `pp` found again in x_PA and x_PP.

    Each code is a bottleneck (b, channels, *space) whose first `common_channels` are c, the others u. `from_a` is None
    when absence is not translated to presence.
    """

    common_channels: int
    p: Tensor
    pa: Tensor
    pp: Tensor
    from_a: AbsenceCodes | None


def latent(codes: LatentCodes) -> Float[Tensor, ""]:
    """L_lat of section 5.4.2: the codes of generated images match those they were made of; u_AP matches u."""
    c = slice(codes.common_channels)
    loss = l1(codes.pa[:, c], codes.p[:, c]) + l1(codes.pp, codes.p)
    if codes.from_a is None:
        return loss
    of = codes.from_a
    return loss + l1(of.aa[:, c], of.a[:, c]) + l1(of.ap, torch.cat([of.a[:, c], of.u], dim=1))
