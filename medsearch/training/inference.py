"""Networks in eval mode: Dice over crops, and whole cases slice by slice, segmented or translated."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from medsearch.cohorts.views import Abdomen, SynthesisView
from medsearch.losses.dice import overlap
from medsearch.metrics.overlap import MicroDice
from medsearch.networks.cyclegan import Translator, Translators
from medsearch.training.crops import Crops
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

Segment = Callable[[Tensor], Tensor]
"""Images (n, 1, *space) to probabilities of tumour."""


@torch.no_grad()
def micro_dice(routes: Iterable[tuple[Segment, Crops]], runtime: Runtime, *, batch: int) -> dict[str, float]:
    """`validation/dice` over the crops of all routes together: the paper's rule for the best epoch.

    Dice is over all voxels of the diseased validation images at 0.5, as released. Networks are to be in eval mode.
    """
    running = MicroDice()
    for segment, crops in routes:
        for part in crops.each(runtime.at_once(batch)):
            with autocast(runtime):
                y_hat = segment(part.x.to(runtime.device))
            running.count(*overlap(part.y, (y_hat.float() > 0.5).float().cpu()))
    return {"validation/dice": running.value}


SLICES = 64
"""Of volumes, per forward pass."""


def slicewise(segment: Segment, runtime: Runtime) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
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


TRANSLATED = 16
"""Slices that are translated at once."""

Made = Float[Tensor, "b 1 h w"]
Finish = Callable[[Made, Abdomen], Made]
"""What is done to slices that were made, given the case that they were made of."""


def as_it_is(made: Made, of: Abdomen) -> Made:  # noqa: ARG001
    """Nothing is done to what was made."""
    return made


@final
@dataclass(frozen=True, eq=False)
class SliceTranslator:
    """Makes a case's slices in the other contrast, by a translator in eval mode.

    finish: what is done to them, given the case that they were made of.
    """

    translator: Translator
    runtime: Runtime
    finish: Finish = as_it_is

    @torch.no_grad()
    def __call__(self, of: Abdomen) -> NDArray[np.float32]:
        """(Z, Y, X) in [-1, 1]."""
        parts = torch.split(torch.from_numpy(of.images()).unsqueeze(1), self.runtime.at_once(TRANSLATED))
        with autocast(self.runtime):
            made = torch.cat([self.translator(part.to(self.runtime.device)).cpu() for part in parts])
        as_array: NDArray[np.float32] = self.finish(made, of).squeeze(1).numpy()
        return as_array


def towards(translators: Translators, view: SynthesisView) -> Translator:
    """The generator of the task's direction."""
    return translators.g_st if view.task.direction == "forward" else translators.g_ts
