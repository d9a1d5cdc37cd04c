"""L_lat: the codes of generated images are found again (sections 4.3.2 and 5.4.2 of the thesis)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from medsearch.losses.reconstruction import l1


@dataclass(frozen=True, kw_only=True)
class AbsenceCodes:
    """Codes of healthy images: `a` of the image, `aa` and `ap` found again in x_AA and x_AP, `u` as sampled."""

    a: Tensor
    aa: Tensor
    ap: Tensor
    u: Tensor


@dataclass(frozen=True, kw_only=True)
class LatentCodes:
    """Codes of diseased images: `p` of the image, `pa` and `pp` found again in x_PA and x_PP.

    Each code is a bottleneck (b, channels, *space) whose first `common_channels` are c, the others u. `from_a` is None
    when absence is not translated to presence.
    """

    common_channels: int
    p: Tensor
    pa: Tensor
    pp: Tensor
    from_a: AbsenceCodes | None


def latent(codes: LatentCodes) -> Float[Tensor, ""]:
    """L_lat: the codes of generated images match those they were made of; u_AP matches u."""
    c = slice(codes.common_channels)
    loss = l1(codes.pa[:, c], codes.p[:, c]) + l1(codes.pp, codes.p)
    if codes.from_a is None:
        return loss
    of = codes.from_a
    return loss + l1(of.aa[:, c], of.a[:, c]) + l1(of.ap, torch.cat([of.a[:, c], of.u], dim=1))
