"""What tells real images from generated ones: the hinge (GenSeg; Eq. 5.1 of the thesis), and LSGAN's squares.

All are means over patches, then over the discriminator's scales, as in the released code. The hinge is GenSeg's and the
released code's: Eq. 5.1 as printed has a minus before the part of generated images, where it takes a plus.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Scales = Sequence[Tensor]
"""A discriminator's patch outputs, one tensor per scale."""


def adversarial_d(real: Scales, fake: Scales) -> Float[Tensor, ""]:
    """The discriminator's part: mean of relu(1 - D(x)) plus mean of relu(1 + D(x̂))."""
    terms = [torch.relu(1 - r).mean() + torch.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def adversarial_g(fake: Scales) -> Float[Tensor, ""]:
    """The generator's part: mean of -D(x̂)."""
    return torch.stack([-scale.mean() for scale in fake]).mean()


def least_squares_d(real: Scales, fake: Scales) -> Float[Tensor, ""]:
    """The discriminator's part in LSGAN, halved as in CycleGAN: mean of (D(x) - 1)² plus mean of D(x̂)²."""
    terms = [((r - 1) ** 2).mean() + (f**2).mean() for r, f in zip(real, fake, strict=True)]
    return 0.5 * torch.stack(terms).mean()


def least_squares_g(fake: Scales) -> Float[Tensor, ""]:
    """The generator's part in LSGAN: mean of (D(x̂) - 1)²."""
    return torch.stack([((f - 1) ** 2).mean() for f in fake]).mean()
