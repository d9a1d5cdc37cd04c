"""Soft Dice over the whole labelled batch at once, negative (-1 is perfect), as in the released code."""

from jaxtyping import Float
from torch import Tensor


def dice(y: Tensor, y_hat: Tensor, counted: Tensor | None = None) -> Float[Tensor, ""]:
    """Negative soft Dice (Eqs. 4.3, 5.3 and 5.5) over the whole batch, smooth 1 on both sides; in [-1, 0].

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
