"""Mode dropping, measured: do sampled codes matter to the tumours that are put on healthy images?

The thesis raises λ_rec and λ_lat against λ_adv until mode dropping stops (section 5.5.1), and judges by eye. Here it is
the mean over healthy images and pairs of sampled codes k, l of |Δ_k - Δ_l| / (|Δ_k| + |Δ_l|), norms being L1: 0 where
every code makes the same tumour, or none at all; 1 where no two tumours overlap.
"""

from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from medsearch.training.generative import Disentangling

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
    """By image; 0 for one that no code puts a tumour on."""
    flat = deltas.flatten(2)
    size = flat.abs().mean(2)
    differences = [
        (flat[k] - flat[other]).abs().mean(1) / (size[k] + size[other]).clamp(min=FAINT)
        for k, other in combinations(range(len(flat)), 2)
    ]
    told: Tensor = torch.stack(differences).mean(0)
    return torch.where(size.mean(0) < FAINT, torch.zeros_like(told), told)
