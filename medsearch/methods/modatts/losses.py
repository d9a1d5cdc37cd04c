"""What MoDATTS minimises: the loss terms of chapter 5 of the thesis, in its letters, one function each.

S and T are the source and the target modality, P and A images with and without a tumour, x images, y masks, ŷ
probabilities of tumour; x_st is a source image translated to the target, x_sts that one translated back, x_pa a
diseased image made healthy.

    Eq. 5.1     adversarial_d, adversarial_g    hinge of a discriminator, and of the networks that it judges
    Eq. 5.2     cycle                           L1 of images and what comes back of them from the other modality
    Eq. 5.3     tumour_aware                    Dice of the source image, and of its translation, by one mask
    Eq. 5.5     dice                            Dice of pseudo-target crops, and in Eq. 5.13 of pseudo-labelled ones
    Eq. 5.11    reconstruction                  L1 of images and what is rebuilt of their codes: x_pp, x_aa
    5.4.2       latent                          L_lat: L1 of codes and those found again in generated images

Their sums are Eq. 5.4, in `translation.TranslationTraining.g_terms`, and Eqs. 5.12 and 5.13, in
`segmentation.SegmentationTraining.g_terms`. What the paper leaves open is as released, and said in `medsearch.losses`,
where those lie that M-GenSeg has too: L1 norms are means, and Dice is that of a batch, negative, so that it is
minimised as all others are.
"""

from jaxtyping import Float
from torch import Tensor

from medsearch.losses.adversarial import adversarial_d, adversarial_g
from medsearch.losses.codes import LatentCodes, latent
from medsearch.losses.dice import dice, overlap
from medsearch.losses.reconstruction import l1, reconstruction

__all__ = [
    "LatentCodes",
    "adversarial_d",
    "adversarial_g",
    "cycle",
    "dice",
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
