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
    """Eqs. 5.9-5.10."""

    x_a: Tensor
    x_aa: Tensor
    x_ap: Tensor


def generate(
    net: Segmentor, *, x_p: Tensor, x_a: Tensor, codes: Latent, u: Tensor | None
) -> tuple[FromPresence, FromAbsence | None]:
    """Eqs. 5.6-5.10.

    x_PA = G_com(c_P), Δ_PP = G_res(c_P, u_P), x_PP = x_PA + Δ_PP;
    x_AA = G_com(c_A), x_AP = x_AA + G_res(c_A, u ~ N(0, I)).

    Args:
        net: the segmentor with its decoders G_com and G_res.
        x_p, x_a: diseased and healthy crops.
        codes: of `x_p`, followed by those of `x_a`.
        u: the sampled unique codes of `x_a`; None leaves out absence to presence (Table 5.5).
    """
    count = len(x_p)
    if u is None:
        codes = codes[:count]
        x_pa, delta_pp = net.common(codes), net.residual(codes)
        return FromPresence(x_p, x_pa, delta_pp, x_pa + delta_pp), None
    healthy = net.common(codes)
    delta = net.residual(codes.with_unique(torch.cat([codes.unique[:count], u])))
    added = healthy + delta
    return (
        FromPresence(x_p, healthy[:count], delta[:count], added[:count]),
        FromAbsence(x_a, healthy[count:], added[count:]),
    )


def codes_found_again(
    net: Segmentor, codes: Latent, from_p: FromPresence, *, u: Tensor | None, from_a: FromAbsence | None
) -> losses.LatentCodes:
    """The codes of the generated images beside those that they were made of; `codes` as in `generate`."""
    count = len(from_p.x_p)
    images = [from_p.x_pa, from_p.x_pp] + ([from_a.x_aa, from_a.x_ap] if from_a else [])
    found = net.encoder(torch.cat(images)).code
    pa, pp, aa, ap = (found[start : start + count] for start in range(0, 4 * count, count))
    return losses.LatentCodes(
        common_channels=codes.common_channels,
        p=codes.code[:count],
        pa=pa,
        pp=pp,
        from_a=None if u is None else losses.AbsenceCodes(a=codes.code[count:], aa=aa, ap=ap, u=u),
    )
