"""Diseased-healthy translation within one modality (GenSeg): Eqs. 4.1, 4.2 and 5.6-5.10 of the thesis.

P is presence of a tumour, A is absence; x_pa is the diseased image made healthy. Images that take the same network are
joined into one pass: that changes nothing where every norm looks at one sample alone.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from medsearch.losses.codes import AbsenceCodes, LatentCodes
from medsearch.networks.latent import Latent


@runtime_checkable
class Disentangling(Protocol):
    """A network that takes a tumour off an image and puts one on."""

    def encoder(self, x: Tensor, /) -> Latent:
        """E: images to codes and skips."""

    def common(self, codes: Latent, /) -> Tensor:
        """G_com: the healthy image, of the common code alone."""

    def residual(self, codes: Latent, /) -> Tensor:
        """G_res: what to add to it, of both codes."""


@dataclass(frozen=True)
class FromPresence:
    """A diseased image x_P, made healthy, its residual, and their sum (Eqs. 4.1 and 5.6-5.8)."""

    x_p: Tensor
    x_pa: Tensor
    delta_pp: Tensor
    x_pp: Tensor


@dataclass(frozen=True)
class FromAbsence:
    """A healthy image x_A, rebuilt, and made diseased by the sampled code u (Eqs. 4.2 and 5.9-5.10)."""

    x_a: Tensor
    x_aa: Tensor
    x_ap: Tensor
    u: Tensor


def from_presence(net: Disentangling, x_p: Tensor, codes: Latent) -> FromPresence:
    """x_PA = G_com(c_P), Δ_PP = G_res(c_P, u_P), x_PP = x_PA + Δ_PP; `codes` are those of `x_p`."""
    x_pa, delta_pp = net.common(codes).float(), net.residual(codes).float()
    return FromPresence(x_p, x_pa, delta_pp, x_pa + delta_pp)


def from_both(
    net: Disentangling, x_p: Tensor, *, x_a: Tensor, codes: Latent, u: Tensor
) -> tuple[FromPresence, FromAbsence]:
    """As `from_presence`, and x_AA = G_com(c_A), x_AP = x_AA + G_res(c_A, u), u ~ N(0, I).

    Args:
        net: the network with its decoders G_com and G_res.
        x_p: diseased images.
        x_a: healthy images.
        codes: of `x_p`, followed by those of `x_a`.
        u: the sampled unique codes that take the place of those of `x_a`.

    """
    count = len(x_p)
    x_0 = net.common(codes).float()
    delta = net.residual(codes.with_unique(torch.cat([codes.unique[:count], u]))).float()
    x_1 = x_0 + delta
    presence = FromPresence(x_p, x_0[:count], delta[:count], x_1[:count])
    return presence, FromAbsence(x_a, x_0[count:], x_1[count:], u)


def codes_found_again(net: Disentangling, codes: Latent, p: FromPresence, a: FromAbsence | None) -> LatentCodes:
    """The codes of the generated images beside those that they were made of; `codes` as in `from_both`."""
    count = len(p.x_p)
    found = net.encoder(torch.cat([p.x_pa, p.x_pp] + ([a.x_aa, a.x_ap] if a else []))).code.float()
    of, absence = codes.code.float(), None
    if a is not None:
        aa, ap = found[2 * count :].chunk(2)
        absence = AbsenceCodes(a=of[count:], aa=aa, ap=ap, u=a.u)
    return LatentCodes(
        common_channels=codes.common_channels,
        p=of[:count],
        pa=found[:count],
        pp=found[count : 2 * count],
        from_a=absence,
    )


CODES = 4
"""Sampled for every healthy image."""
FAINT = 1e-3
"""Mean absolute residual of an image below which there is no tumour to tell from another."""


def residuals(
    net: Disentangling, x_a: Float[Tensor, "b 1 *space"], rng: np.random.Generator
) -> Float[Tensor, "codes b 1 *space"]:
    """Synthetic tumours of healthy images under several codes (Eqs. 4.2 and 5.10)."""
    codes = net.encoder(x_a)
    shape = (CODES, *codes.unique.shape)
    sampled = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(x_a.device)
    return torch.stack([net.residual(codes.with_unique(u)).float() for u in sampled])


def diversity(deltas: Float[Tensor, "codes b 1 *space"]) -> Float[Tensor, " b"]:
    """Mode dropping by image: the mean over pairs of codes k, l of |Δ_k - Δ_l| / (|Δ_k| + |Δ_l|), norms being L1.

    0 where every code makes the same tumour, or none at all; 1 where no two tumours overlap. The thesis raises λ_rec
    and λ_lat against λ_adv until mode dropping stops (section 5.5.1), and judges by eye.
    """
    flat = deltas.flatten(2)
    size = flat.abs().mean(2)
    differences = [
        (flat[k] - flat[other]).abs().mean(1) / (size[k] + size[other]).clamp(min=FAINT)
        for k, other in combinations(range(len(flat)), 2)
    ]
    told: Tensor = torch.stack(differences).mean(0)
    return torch.where(size.mean(0) < FAINT, torch.zeros_like(told), told)
