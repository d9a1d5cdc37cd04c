"""Adam with the settings of a baseline."""

from collections.abc import Iterable

import torch
from torch import nn

from medsearch.methods.baselines.recipe import AdamRecipe


def adam(modules: Iterable[nn.Module], settings: AdamRecipe) -> torch.optim.Adam:
    """One optimiser over all trainable parameters of `modules`."""
    return torch.optim.Adam(
        [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad],
        lr=settings.lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        amsgrad=settings.amsgrad,
        fused=True,
    )


def set_rate(optimisers: Iterable[torch.optim.Optimizer], settings: AdamRecipe, epoch: int, epochs: int) -> None:
    """Make the learning rate that of an epoch; nothing of it needs to be saved."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(epoch, epochs)
