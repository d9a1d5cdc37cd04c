"""Volumes before a network that sees slices."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

SLICES = 64
"""Per forward pass."""


def sliced(
    segment: Callable[[Tensor], Tensor], runtime: Runtime
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """`segment`, which takes slices (n, 1, y, x) to probabilities, as one that takes volumes (n, z, y, x) to them.

    Networks are to be in eval mode.
    """

    @torch.no_grad()
    def segmented(volumes: NDArray[np.float32]) -> NDArray[np.float32]:
        slices = torch.from_numpy(volumes).flatten(0, 1).unsqueeze(1)
        with autocast(runtime):
            parts = [
                segment(part.to(runtime.device)).float().cpu() for part in torch.split(slices, runtime.at_once(SLICES))
            ]
        found: NDArray[np.float32] = torch.cat(parts).view(volumes.shape).numpy()
        return found

    return segmented
