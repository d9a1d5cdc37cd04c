"""The hinge between real and generated images (GenSeg; Eq. 5.1 of the thesis).

A hinge is the mean over patches, then over the discriminator's scales, as in the released code.
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
