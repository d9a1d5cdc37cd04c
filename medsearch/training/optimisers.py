"""The optimiser of M-GenSeg and MoDATTS: Adam with AMSGrad and coupled L2 weight decay, one for G and one for D."""

from collections.abc import Iterable

import torch
from torch import nn

from medsearch.training.recipes import OptimiserRecipe


def amsgrad(modules: Iterable[nn.Module], settings: OptimiserRecipe) -> torch.optim.Adam:
    """One optimiser over all trainable parameters of `modules`, in one kernel: small networks have many tensors."""
    parameters = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    return torch.optim.Adam(
        parameters,
        lr=settings.lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        amsgrad=True,
        fused=True,
    )
