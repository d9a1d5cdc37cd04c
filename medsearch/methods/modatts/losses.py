"""The losses of the thesis, chapter 5: one function per equation, in the paper's letters.

    Eq. 5.1            losses.adversarial.adversarial_d, adversarial_g
    Eq. 5.3, 5.5       losses.dice.dice
    Eq. 5.11           losses.reconstruction.reconstruction
    L_lat (5.4.2)      losses.codes.latent

Conventions that the paper leaves open follow the released code and are written there; Dice is negative, so that total
losses compare.
"""

from jaxtyping import Float
from torch import Tensor

from medsearch.losses.adversarial import Scales, adversarial_d, adversarial_g
from medsearch.losses.codes import AbsenceCodes, LatentCodes, latent
from medsearch.losses.dice import dice, overlap
from medsearch.losses.reconstruction import l1, reconstruction

__all__ = [
    "AbsenceCodes",
    "LatentCodes",
    "Scales",
    "adversarial_d",
    "adversarial_g",
    "cycle",
    "dice",
    "l1",
    "latent",
    "overlap",
    "reconstruction",
    "tumour_aware",
]


def cycle(x_s: Tensor, x_sts: Tensor, *, x_t: Tensor, x_tst: Tensor) -> Float[Tensor, ""]:
    """Eq. 5.2: both images come back after a round trip through the other contrast."""
    return l1(x_s, x_sts) + l1(x_t, x_tst)


def tumour_aware(y_s: Tensor, y_hat_s: Tensor, *, y_hat_st: Tensor) -> Float[Tensor, ""]:
    """Eq. 5.3: the mask is found in the source image and in its translation."""
    return dice(y_s, y_hat_s) + dice(y_s, y_hat_st)
