"""Diseased-healthy translation of target images: section 5.4.2, Eqs. 5.6-5.10.

P is presence of a tumour, A is absence; x_pa is the diseased image made healthy. Images that take the same network are
joined into one pass where that changes nothing: every norm of these networks looks at one sample alone.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from medsearch.methods.modatts import losses
from medsearch.methods.modatts.networks.latent import Latent
from medsearch.methods.modatts.segmentor import Segmentor


@dataclass(frozen=True)
class FromPresence:
    """Eqs. 5.6-5.8."""

    x_p: Tensor
    x_pa: Tensor
    delta_pp: Tensor
    x_pp: Tensor


@dataclass(frozen=True)
class FromAbsence:
    """Eqs. 5.9-5.10, with the sampled unique code."""

    x_a: Tensor
    x_aa: Tensor
    x_ap: Tensor
    u: Tensor


def from_presence(net: Segmentor, x_p: Tensor, codes: Latent) -> FromPresence:
    """x_PA = G_com(c_P), Δ_PP = G_res(c_P, u_P), x_PP = x_PA + Δ_PP; `codes` are those of `x_p`."""
    x_pa, delta_pp = net.common(codes).float(), net.residual(codes).float()
    return FromPresence(x_p, x_pa, delta_pp, x_pa + delta_pp)


def from_both(
    net: Segmentor, x_p: Tensor, *, x_a: Tensor, codes: Latent, u: Tensor
) -> tuple[FromPresence, FromAbsence]:
    """As `from_presence`, and x_AA = G_com(c_A), x_AP = x_AA + G_res(c_A, u), u ~ N(0, I).

    Args:
        net: the segmentor with its decoders G_com and G_res.
        x_p: diseased crops.
        x_a: healthy crops.
        codes: of `x_p`, followed by those of `x_a`.
        u: the sampled unique codes that take the place of those of `x_a`.

    """
    count = len(x_p)
    x_0 = net.common(codes).float()
    delta = net.residual(codes.with_unique(torch.cat([codes.unique[:count], u]))).float()
    x_1 = x_0 + delta
    presence = FromPresence(x_p, x_0[:count], delta[:count], x_1[:count])
    return presence, FromAbsence(x_a, x_0[count:], x_1[count:], u)


def codes_found_again(net: Segmentor, codes: Latent, p: FromPresence, a: FromAbsence | None) -> losses.LatentCodes:
    """The codes of the generated images beside those that they were made of; `codes` as in `from_both`."""
    count = len(p.x_p)
    found = net.encoder(torch.cat([p.x_pa, p.x_pp] + ([a.x_aa, a.x_ap] if a else []))).code.float()
    of, absence = codes.code.float(), None
    if a is not None:
        aa, ap = found[2 * count :].chunk(2)
        absence = losses.AbsenceCodes(a=of[count:], aa=aa, ap=ap, u=a.u)
    return losses.LatentCodes(
        common_channels=codes.common_channels,
        p=of[:count],
        pa=found[:count],
        pp=found[count : 2 * count],
        from_a=absence,
    )
