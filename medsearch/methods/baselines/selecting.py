"""The best epoch: Dice over all pixels of the diseased validation slices at 0.5, as released."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from medsearch.data.hemispheres import SliceRule
from medsearch.data.views import Domain, TaskView
from medsearch.losses.dice import overlap
from medsearch.methods.baselines.drawing import SHARE, diseased, require
from medsearch.methods.baselines.reads import SelectedOn, sides
from medsearch.metrics.overlap import MicroDice
from medsearch.training.crops import Crops
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

Segment = Callable[[Tensor], Tensor]
"""Slices (n, 1, h, w) to probabilities of tumour."""


def validation_slices(task: TaskView, of: SelectedOn, rule: SliceRule) -> dict[Domain, Crops]:
    """The diseased validation slices of the domains that are meant.

    Raises:
        BadInput: there is none in one of them.
    """
    return {
        domain: require(diseased(task, domain, "validation", rule), f"diseased {domain} slice to select on", SHARE)
        for domain in sides(of)
    }


@torch.no_grad()
def micro_dice(
    segments: Mapping[Domain, Segment], slices: Mapping[Domain, Crops], runtime: Runtime, *, batch: int
) -> dict[str, float]:
    """`validation/dice` over the slices of all domains together; networks are to be in eval mode."""
    running = MicroDice()
    for domain, crops in slices.items():
        for part in crops.each(runtime.at_once(batch)):
            with autocast(runtime):
                y_hat = segments[domain](part.x.to(runtime.device)).float()
            running.count(*overlap(part.y, (y_hat > 0.5).float().cpu()))
    return {"validation/dice": running.value}


def training_mode(modules: Iterable[nn.Module], *, on: bool) -> None:
    """Put modules into training or eval mode."""
    for module in modules:
        module.train(on)
