"""The losses of the paper, one function per equation: k volumes, p slices each, first slice first.

Eq. 1    order                     Eq. 4    total
Eq. 2    norm                      Eq. 5    acl
Eq. 3    anat, of body_changes

Eqs. 1-3 are sums over volumes and slices, as printed. Eq. 3 has N - 1 where Eq. 1 has P - 1; they are the same.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from medsearch.losses.reconstruction import l1
from medsearch.methods.ssbr_cyclegan.recipe import RegressorWeights

Scores = Float[Tensor, "k p"]


def order(s: Scores) -> Float[Tensor, ""]:
    """Eq. 1: scores rise from slice to slice; -log h(s_p+1 - s_p), h being the sigmoid."""
    return -F.logsigmoid(s.diff(dim=1)).sum()


def norm(s: Scores) -> Float[Tensor, ""]:
    """Eq. 2: the region's first slice has score -1 and its last one +1; both must be in every stack."""
    return smooth(s[:, 0] + 1) + smooth(s[:, -1] - 1)


def body_changes(bm: Bool[Tensor, "k p h w"]) -> Float[Tensor, "k p-1"]:
    """ΔBM of Eq. 3: 1 - |BM_p ∩ BM_p-1| / |BM_p-1|, the share of a slice's body that its successor has no more.

    0 where a slice has no body to lose.
    """
    before, after = bm[:, :-1], bm[:, 1:]
    lost = (before & ~after).sum((2, 3))
    return lost / before.sum((2, 3)).clamp(min=1)


def anat(s: Scores, bm: Bool[Tensor, "k p h w"]) -> Float[Tensor, ""]:
    """Eq. 3: scores rise by as much as the body changes."""
    return smooth(body_changes(bm) - s.diff(dim=1))


def total(s: Scores, bm: Bool[Tensor, "k p h w"], lam: RegressorWeights) -> dict[str, Tensor]:
    """Eq. 4, one term a line; their sum is minimised."""
    return {
        "order": lam.order * order(s),
        "anat": lam.anat * anat(s, bm),
        "norm": lam.norm * norm(s),
    }


def acl(real: Float[Tensor, " j"], fake: Float[Tensor, " j"]) -> Float[Tensor, ""]:
    """Eq. 5: mean absolute difference of the scores of slices and of what was made of them."""
    return l1(real, fake)


def smooth(x: Tensor) -> Float[Tensor, ""]:
    """The sum of f of Eqs. 2 and 3, a smooth L1: x² / 2 up to 1, then |x| - 1/2."""
    return F.smooth_l1_loss(x, torch.zeros_like(x), reduction="sum")
