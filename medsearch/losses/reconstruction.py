"""Distances between images: the L1 norm of Eqs. 4.4, 5.2 and 5.11 of the thesis.

As in the released code every term is a mean over a sample's elements and then over the batch, where the norm is a sum,
so that weights do not depend on the size of images; targets are not detached.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def l1(a: Tensor, b: Tensor) -> Float[Tensor, ""]:
    """Mean absolute difference over all elements of `a` and `b`, which are of one shape."""
    return (a - b).abs().mean()


def reconstruction(*pairs: tuple[Tensor, Tensor]) -> Float[Tensor, ""]:
    """Eqs. 4.4, 5.11 for pairs of images and what was rebuilt of them: x_P, x_PP and, if translated too, x_A, x_AA."""
    return torch.stack([l1(rebuilt, x) for x, rebuilt in pairs]).sum()
