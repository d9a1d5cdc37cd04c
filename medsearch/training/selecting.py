"""The paper's rule for the best epoch: Dice over all voxels of the diseased validation images at 0.5, as released."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from medsearch.losses.dice import overlap
from medsearch.metrics.overlap import MicroDice
from medsearch.training.crops import Crops
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

Segment = Callable[[Tensor], Tensor]
"""Images (n, 1, *space) to probabilities of tumour."""


@torch.no_grad()
def micro_dice(routes: Iterable[tuple[Segment, Crops]], runtime: Runtime, *, batch: int) -> dict[str, float]:
    """`validation/dice` over the crops of all routes together; networks are to be in eval mode."""
    running = MicroDice()
    for segment, crops in routes:
        for part in crops.each(runtime.at_once(batch)):
            with autocast(runtime):
                y_hat = segment(part.x.to(runtime.device))
            running.count(*overlap(part.y, (y_hat.float() > 0.5).float().cpu()))
    return {"validation/dice": running.value}
