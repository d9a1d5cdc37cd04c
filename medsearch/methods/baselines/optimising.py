"""Adam with the settings of a baseline."""

from collections.abc import Iterable

import torch
from torch import nn

from medsearch.methods.baselines.recipe import AdamRecipe
from medsearch.training import optimisers


def adam(modules: Iterable[nn.Module], settings: AdamRecipe) -> torch.optim.Adam:
    """With AMSGrad or without, as the recipe says."""
    return optimisers.adam(modules, settings, amsgrad=settings.amsgrad)


def set_rate(of: Iterable[torch.optim.Optimizer], settings: AdamRecipe, epoch: int, epochs: int) -> None:
    """Make the learning rate that of an epoch."""
    optimisers.set_rate(of, settings.rate(epoch, epochs))
