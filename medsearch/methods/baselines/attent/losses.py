"""What AttENT's second stage minimises and has judged: entropy (Vu et al. 2019, ADVENT) of one class, as compared."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-30
"""Keeps a logarithm finite."""

Probabilities = Float[Tensor, "b 1 h w"]
Map = Float[Tensor, "b 2 h w"]


def as_map(p: Probabilities) -> Map:
    """[p, 1 - p]: of tumour and of background."""
    return torch.cat([p, 1 - p], 1)


def entropy_map(p: Probabilities) -> Map:
    """-p log2(p) / log2(2) of tumour and of background: weighted self-information, in [0, 0.531]."""
    both = as_map(p)
    return -both * torch.log2(both + EPSILON) / math.log2(2)


def cross_entropy(y: Probabilities, y_hat: Probabilities) -> Float[Tensor, ""]:
    """Binary, the mean over all pixels."""
    return F.binary_cross_entropy(y_hat, y)
