"""The losses of the thesis, chapter 4: one function per equation, in the paper's letters.

Eq. 4.3                  segmentation
Eq. 4.4, L_cyc^mod       losses.reconstruction.reconstruction of (x, x translated and back)
Eq. 4.4, L_rec^Gen       losses.reconstruction.reconstruction of (x_P, x_PP), (x_A, x_AA)
L_lat^Gen (4.3.2)        losses.codes.latent
L_adv (4.3.2)            losses.adversarial.adversarial_d, adversarial_g
Eq. 4.5                  training.MGenSegTraining.g_terms
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
    "dice",
    "l1",
    "latent",
    "overlap",
    "reconstruction",
    "segmentation",
]


def segmentation(y: Tensor, *y_hats: Tensor) -> Float[Tensor, ""]:
    """Eq. 4.3: the mask is found in the image and, if it was translated, in its translation."""
    loss: Tensor = sum((dice(y, y_hat) for y_hat in y_hats), start=y.new_zeros(()))
    return loss
