"""What M-GenSeg minimises: the loss terms of chapter 4 of the thesis, in its letters, one function each.

S and T are the two modalities, P and A images with and without a tumour; x_pa is a diseased image made healthy, x_pp
one rebuilt of its own codes, and alike for A.

    Eq. 4.3          segmentation                    Dice of annotated images, and of their translations
    Eq. 4.4          reconstruction                  L1; L_cyc^mod: of x and x translated and back,
                                                     L_rec^Gen: of x_p and x_pp, x_a and x_aa
    4.3.2            latent                          L_lat^Gen: L1 of codes and those found again in generated images
    4.3.2            adversarial_d, adversarial_g    L_adv: hinge of a discriminator, and of the networks that it judges

Their sum is Eq. 4.5, in `training.MGenSegTraining.g_terms`. Those that MoDATTS has too lie in `medsearch.losses`.
"""

from jaxtyping import Float
from torch import Tensor

from medsearch.losses.adversarial import adversarial_d, adversarial_g
from medsearch.losses.codes import latent
from medsearch.losses.dice import dice
from medsearch.losses.reconstruction import reconstruction

__all__ = ["adversarial_d", "adversarial_g", "latent", "reconstruction", "segmentation"]


def segmentation(y: Tensor, *y_hats: Tensor) -> Float[Tensor, ""]:
    """Eq. 4.3: the mask is found in the image and, if it was translated, in its translation."""
    loss: Tensor = sum((dice(y, y_hat) for y_hat in y_hats), start=y.new_zeros(()))
    return loss
