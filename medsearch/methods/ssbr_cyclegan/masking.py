"""The binary mask at inference: what is generated outside of the input's body is taken away (section 2)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

BACKGROUND = -1.0
"""Air, in the normalised range."""


def masked(fake: Float[Tensor, "b 1 h w"], body: Bool[Tensor, "b h w"]) -> Float[Tensor, "b 1 h w"]:
    """`fake` within the body mask of its input, background elsewhere."""
    return torch.where(body.unsqueeze(1), fake, BACKGROUND)
