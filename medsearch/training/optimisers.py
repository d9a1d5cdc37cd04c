"""Adam with coupled L2 weight decay; with AMSGrad that of M-GenSeg and MoDATTS, one for G and one for D."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def adam(modules: Iterable[nn.Module], settings: Any, *, amsgrad: bool) -> torch.optim.Adam:
    """One optimiser over all trainable parameters of `modules`, in one kernel: small networks have many tensors.

    settings: a recipe with `lr`, `betas` and `weight_decay`.
    """
    return torch.optim.Adam(
        [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad],
        lr=settings.lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        amsgrad=amsgrad,
        fused=True,
    )


def amsgrad(modules: Iterable[nn.Module], settings: Any) -> torch.optim.Adam:
    """`adam` in its AMSGrad form, which M-GenSeg and MoDATTS train with."""
    return adam(modules, settings, amsgrad=True)


def set_rate(of: Iterable[torch.optim.Optimizer], lr: float) -> None:
    """Make `lr` the learning rate of all; it follows from the epoch, so nothing of it needs to be saved."""
    for optimiser in of:
        for group in optimiser.param_groups:
            group["lr"] = lr
