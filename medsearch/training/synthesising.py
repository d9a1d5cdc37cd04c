"""What a translator makes of the slices of whole cases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from medsearch.data.views import Abdomen, SynthesisView
from medsearch.networks.cyclegan import Translator, Translators
from medsearch.training.precision import autocast
from medsearch.training.runtime import Runtime

SLICES = 16
"""Translated at once."""

Made = Float[Tensor, "b 1 h w"]


def as_it_is(made: Made, of: Abdomen) -> Made:  # noqa: ARG001
    """Nothing is done to what was made."""
    return made


@final
@dataclass(frozen=True, eq=False)
class Synthesising:
    """Makes a case's slices in the other contrast, by a translator in eval mode.

    finish: what is done to them, given the case that they were made of.
    """

    translator: Translator
    runtime: Runtime
    finish: Callable[[Made, Abdomen], Made] = as_it_is

    @torch.no_grad()
    def __call__(self, of: Abdomen) -> NDArray[np.float32]:
        """(Z, Y, X) in [-1, 1]."""
        parts = torch.split(torch.from_numpy(of.images()).unsqueeze(1), self.runtime.at_once(SLICES))
        with autocast(self.runtime):
            made = torch.cat([self.translator(part.to(self.runtime.device)).cpu() for part in parts])
        as_array: NDArray[np.float32] = self.finish(made, of).squeeze(1).numpy()
        return as_array


def towards(translators: Translators, view: SynthesisView) -> Translator:
    """The generator of the task's direction."""
    return translators.g_st if view.task.direction == "forward" else translators.g_ts
